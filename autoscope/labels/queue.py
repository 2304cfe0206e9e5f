"""The label queue: frames that experts are asked about, and what they answered."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import update

from autoscope.core import ConfigurationError, LabelError
from autoscope.labels import answering, leasing, storing, tables, tallying
from autoscope.labels.database import QueueDatabase
from autoscope.labels.pictures import mask_sha256, png
from autoscope.labels.reading import QueueReader
from autoscope.labels.values import Answer, Effect, Lease, NewRequest, RequestSummary

_r, _l = tables.requests.c, tables.leases.c


class LabelQueue(QueueReader):
    """One queue, used by any number of threads and processes at once. Use :meth:`open`."""

    def __init__(
        self, database: QueueDatabase, lease_s: float, second_opinion_share: float, clock: Callable[[], float]
    ) -> None:
        super().__init__(database, clock)
        self._lease_s, self._share = lease_s, second_opinion_share

    @classmethod
    def open(
        cls,
        url: str,
        *,
        lease_s: float = 900.0,
        second_opinion_share: float = 0.1,
        clock: Callable[[], float] = time.time,
    ) -> LabelQueue:
        """Opens a queue, and makes it where there is none.

        Args:
            url: ``sqlite:///FILE`` or ``postgresql://USER@HOST/NAME``.
            lease_s: how long a request that is added here stays with an expert who does nothing, s, whoever
                leases it.
            second_opinion_share: share of the requests that are added here of which a second expert is asked
                by chance once they are answered, and again the same share of those with the highest scores;
                from 0 to 1.
            clock: seconds since 1970.

        Raises:
            ConfigurationError: a number is out of its limits.
            QueueError: the queue cannot be opened, or is of a newer version.
        """
        if not lease_s > 0:
            raise ConfigurationError(f"a lease of {lease_s:g} s: it must last longer than 0 s")
        if not 0 <= second_opinion_share <= 1:
            raise ConfigurationError(
                f"a share of second opinions of {second_opinion_share:g}: it lies in [0, 1]"
            )
        return cls(QueueDatabase(url), lease_s, second_opinion_share, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes all connections; may be called twice."""
        self._database.close()

    # -- asking -----------------------------------------------------------------------------------

    def add(self, new: NewRequest) -> int:
        """Asks for a frame; the same session and field asked again is the same request.

        Returns:
            The request's number.

        Raises:
            LabelError: a value or a picture is not what it must be; nothing was stored.
        """
        row = storing.request_row(new, self._clock(), self._lease_s, self._share)
        pictures = storing.picture_row(new)
        with self._database.writing() as connection:
            known = storing.existing(connection, new)
            return storing.store(connection, row, pictures) if known is None else known

    def supersede(self, request_id: int) -> bool:
        """Withdraws a request that nobody has answered; whoever holds it is told when they answer.

        Returns:
            Whether it was withdrawn; an answered one stays.

        Raises:
            UnknownRequest: there is no such request.
        """
        with self._database.writing() as connection:
            request = storing.request_of(connection, request_id)
            if request.answers:
                return False
            connection.execute(
                update(tables.leases)
                .where(_l.request_id == request_id, _l.outcome == "active")
                .values(outcome="superseded")
            )
            connection.execute(update(tables.requests).where(_r.id == request_id).values(state="superseded"))
            return True

    # -- leasing ----------------------------------------------------------------------------------

    def register(self, expert: str) -> None:
        """Remembers an expert before they lease anything.

        Raises:
            ExpertError: nobody can be called this.
        """
        name = leasing.checked_name(expert)
        with self._database.writing() as connection:
            leasing.register(connection, name, self._clock())

    def lease(self, expert: str) -> Lease | None:
        """Gives an expert the next request, None where nothing is left for them.

        Nobody gets what somebody else holds, nor what they have answered or skipped themselves. Of the
        oldest open requests of the probability sample the one of highest score comes first, then the other
        open ones by score, then second opinions.

        Raises:
            ExpertError: nobody can be called this.
        """
        name = leasing.checked_name(expert)
        with self._database.writing() as connection:
            now_s = self._clock()
            leasing.register(connection, name, now_s)
            leasing.expire(connection, now_s)
            return leasing.take(connection, name, now_s)

    def upcoming(self, expert: str) -> RequestSummary | None:
        """What an expert would be given next, as things stand; None where nothing is left.

        It is no promise: somebody else may take it first.
        """
        with self._database.reading() as connection:
            return leasing.upcoming(connection, expert.strip())

    def lease_this(self, request_id: int, expert: str) -> Lease:
        """Gives an expert one request, whoever would be next: for answers that were made elsewhere.

        Raises:
            ExpertError: nobody can be called this.
            UnknownRequest: there is no such request.
            LeaseExpired: somebody holds it, it was withdrawn, or this expert has answered or skipped it.
        """
        name = leasing.checked_name(expert)
        with self._database.writing() as connection:
            now_s = self._clock()
            leasing.register(connection, name, now_s)
            leasing.expire(connection, now_s)
            return leasing.take_this(connection, request_id, name, now_s)

    def renew(self, request_id: int, token: str) -> Lease:
        """Makes a lease last its whole time again, from now.

        Raises:
            UnknownRequest: there is no such request.
            LeaseExpired: the lease is over.
        """
        with self._database.writing() as connection:
            now_s = self._clock()
            row = leasing.held(connection, request_id, token, now_s)
            lease_s = leasing.lasting(connection, request_id)
            until = now_s + lease_s
            connection.execute(update(tables.leases).where(_l.id == row.id).values(expires_at=until))
            request = storing.request_of(connection, request_id)
            return Lease(token, request, row.expert, until, row.second_opinion, lease_s)

    def release(self, request_id: int, token: str) -> None:
        """Gives a request back unanswered.

        Raises:
            UnknownRequest: there is no such request.
            LeaseExpired: the lease is over.
        """
        self._end(request_id, token, "released", "")

    def skip(self, request_id: int, token: str, reason: str) -> None:
        """Says that this expert cannot answer; when a second one says so too, nobody else is asked.

        Raises:
            UnknownRequest: there is no such request.
            LeaseExpired: the lease is over.
            LabelError: the reason is empty.
        """
        if not reason.strip():
            raise LabelError(
                "a request is skipped with a reason: say in a few words why it cannot be answered"
            )
        self._end(request_id, token, "skipped", reason.strip())

    # -- answering --------------------------------------------------------------------------------

    def answer(
        self,
        request_id: int,
        token: str,
        mask: NDArray[np.uint8],
        *,
        seconds: float,
        tool: str,
        started_from: str,
    ) -> Answer:
        """Stores an expert's mask. Sending the same again with the same lease stores nothing twice.

        Args:
            request_id: the request.
            token: of its lease.
            mask: ``height x width`` uint8, classes by value.
            seconds: how long the expert worked on it.
            tool: what it was made with.
            started_from: what it was made from.

        Raises:
            UnknownRequest: there is no such request.
            MaskError: the mask does not fit the frame or its classes.
            LeaseExpired: the lease is over; nothing was stored.
            LabelError: the time or a name is not what it must be.
        """
        with self._database.reading() as connection:
            request = storing.request_of(connection, request_id)
        answering.check_answer(request, mask, seconds, tool, started_from)
        values = {
            "seconds": seconds,
            "tool": tool,
            "started_from": started_from,
            "mask_sha256": mask_sha256(mask),
            "mask_png": png(mask),
        }
        with self._database.writing() as connection:
            before = answering.repeated(connection, request_id, token, mask)
            if before is not None:
                return before
            now_s = self._clock()
            return answering.store_answer(connection, request_id, token, values, now_s)

    def record_effect(self, effect: Effect) -> None:
        """Stores what answers changed in a session, for the experts to see; the time is set here."""
        with self._database.writing() as connection:
            tallying.add_effect(connection, effect, self._clock())

    # -- inside -----------------------------------------------------------------------------------

    def _end(self, request_id: int, token: str, outcome: str, reason: str) -> None:
        with self._database.writing() as connection:
            row = leasing.held(connection, request_id, token, self._clock())
            leasing.end(connection, row.id, request_id, outcome, reason)
