"""What can be read of a label queue; nothing here changes a request or an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from autoscope.core import LabelError
from autoscope.labels import leasing, storing, tables, tallying
from autoscope.labels.agreement import disagreement
from autoscope.labels.database import QueueDatabase
from autoscope.labels.errors import UnknownRequest
from autoscope.labels.pictures import from_png, uncertainty_of
from autoscope.labels.values import (
    STATES,
    Answer,
    Disagreement,
    Effect,
    Expert,
    Lease,
    QueueProgress,
    RequestSummary,
    State,
)

Picture = Literal["frame", "prediction", "uncertainty"]

_r, _a, _l, _p = tables.requests.c, tables.answers.c, tables.leases.c, tables.pictures.c


class QueueReader:
    """Requests, pictures, answers and tallies of a queue.

    Args:
        database: where the queue is.
        clock: seconds since 1970; leases whose time is over by it are ended before anything is told.
    """

    def __init__(self, database: QueueDatabase, clock: Callable[[], float]) -> None:
        self._database, self._clock = database, clock

    @property
    def name(self) -> str:
        """The queue's URL without its password."""
        return self._database.name

    def requests(
        self, state: State | None = None, *, session: str | None = None, limit: int = 100, after: int = 0
    ) -> tuple[RequestSummary, ...]:
        """Requests by number, at most ``limit`` of those with a number above ``after``.

        Raises:
            LabelError: there is no such state.
        """
        if state is not None and state not in STATES:
            raise LabelError(f"{state!r} is no state of a request; the states are {', '.join(STATES)}")
        self._expire()
        query = select(tables.requests).where(_r.id > after).order_by(_r.id).limit(limit)
        if state is not None:
            query = query.where(_r.state == state)
        if session is not None:
            query = query.where(_r.session == session)
        with self._database.reading() as connection:
            return storing.summaries(connection, connection.execute(query))

    def request(self, request_id: int) -> RequestSummary:
        """One request.

        Raises:
            UnknownRequest: there is no such request.
        """
        self._expire()
        with self._database.reading() as connection:
            return storing.request_of(connection, request_id)

    def frame(self, request_id: int) -> NDArray[Any]:
        """The frame, ``height x width`` uint8 or uint16, as it was acquired.

        Raises:
            UnknownRequest: there is no such request.
        """
        return from_png(self._picture(request_id, "frame_png"))

    def prediction(self, request_id: int) -> NDArray[np.uint8]:
        """The model's classes, ``height x width``.

        Raises:
            UnknownRequest: there is no such request.
        """
        return from_png(self._picture(request_id, "prediction_png"))

    def uncertainty(self, request_id: int) -> NDArray[np.float32]:
        """How unsure the model is, ``height x width`` from 0 to 1.

        Raises:
            UnknownRequest: there is no such request.
        """
        return uncertainty_of(from_png(self._picture(request_id, "uncertainty_png")))

    def stored_png(self, request_id: int, picture: Picture) -> bytes:
        """A picture of a request as it is stored: a grey PNG, without decoding it.

        Args:
            request_id: the request.
            picture: ``"frame"`` as acquired, ``"prediction"`` classes by value, ``"uncertainty"`` in 255ths.

        Raises:
            UnknownRequest: there is no such request.
        """
        return bytes(self._picture(request_id, f"{picture}_png"))

    def features(self, request_id: int) -> NDArray[np.float32] | None:
        """What strategies compare the frame by, ``n``; None where it was added without.

        Raises:
            UnknownRequest: there is no such request.
        """
        return storing.features_of(self._picture(request_id, "features"))

    def leases(self, expert: str) -> tuple[Lease, ...]:
        """What an expert holds now, oldest first: where a page that was closed goes on."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(tables.leases, _r.lease_s)
                .join(tables.requests, _l.request_id == _r.id)
                .where(_l.expert == expert.strip(), _l.outcome == "active", _l.expires_at > self._clock())
                .order_by(_l.id)
            ).all()
            return tuple(
                Lease(
                    row.token, storing.request_of(connection, row.request_id), row.expert, row.expires_at,
                    row.second_opinion, row.lease_s,
                )
                for row in rows
            )  # fmt: skip

    def answers(
        self, session: str | None = None, since_id: int = 0, *, request_id: int | None = None
    ) -> tuple[Answer, ...]:
        """Answers by number: of a session, of a request, and with numbers above ``since_id``."""
        query = storing.answer_columns().where(_a.id > since_id).order_by(_a.id)
        if session is not None:
            query = query.where(_r.session == session)
        if request_id is not None:
            query = query.where(_a.request_id == request_id)
        with self._database.reading() as connection:
            return tuple(storing.answer_of(row) for row in connection.execute(query))

    def mask(self, answer_id: int) -> NDArray[np.uint8]:
        """The mask of an answer, ``height x width``.

        Raises:
            LabelError: there is no such answer.
        """
        with self._database.reading() as connection:
            data = connection.execute(select(_a.mask_png).where(_a.id == answer_id)).scalar_one_or_none()
        if data is None:
            raise LabelError(f"the queue has no answer {answer_id}")
        return from_png(data)

    def disagreement(self, request_id: int) -> Disagreement | None:
        """How far the first two experts differ on a request, None while fewer than two have answered.

        Raises:
            UnknownRequest: there is no such request.
        """
        request = self.request(request_id)
        given = self.answers(request_id=request_id)
        if len(given) < 2:
            return None
        first, second = given[:2]
        masks = self.mask(first.id), self.mask(second.id)
        return disagreement(*masks, request.class_names, (first.expert, second.expert))

    def experts(self) -> tuple[Expert, ...]:
        """Everyone who was ever seen, by name."""
        self._expire()
        with self._database.reading() as connection:
            return tallying.experts(connection)

    def progress(self, session: str | None = None) -> QueueProgress:
        """Where the queue stands, for one session or for all."""
        self._expire()
        with self._database.reading() as connection:
            return tallying.progress(connection, session)

    def effects(self, session: str) -> tuple[Effect, ...]:
        """What answers changed in a session, in the order of time."""
        with self._database.reading() as connection:
            return tallying.effects(connection, session)

    # -- inside -----------------------------------------------------------------------------------

    def _expire(self) -> None:
        """Ends leases whose time is over; takes the writers' lock only where there are any."""
        now_s = self._clock()
        with self._database.reading() as connection:
            over = connection.execute(
                select(_l.id).where(_l.outcome == "active", _l.expires_at <= now_s).limit(1)
            ).first()
        if over is not None:
            with self._database.writing() as connection:
                leasing.expire(connection, now_s)

    def _picture(self, request_id: int, column: str) -> Any:
        with self._database.reading() as connection:
            row = connection.execute(select(_p[column]).where(_p.request_id == request_id)).one_or_none()
        if row is None:
            raise UnknownRequest(request_id)
        return row[0]
