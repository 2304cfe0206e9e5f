"""Answers: checked, stored once, and followed by a second opinion where one is wanted."""

from __future__ import annotations

import hashlib
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, func, insert, select, update

from autoscope.core import LabelError
from autoscope.labels import tables
from autoscope.labels.leasing import held
from autoscope.labels.pictures import check_mask, mask_sha256
from autoscope.labels.storing import answer_columns, answer_of, request_of
from autoscope.labels.values import Answer, RequestSummary

ENOUGH_TO_RANK = 10
"""So many requests a session must have before its most uncertain ones can be told."""
_LONGEST_WORD = 100

_r, _a, _l = tables.requests.c, tables.answers.c, tables.leases.c


def check_answer(request: RequestSummary, mask: NDArray[Any], seconds: float, tool: str, start: str) -> None:
    """Refuses an answer that does not fit its request.

    Raises:
        MaskError: the mask is wrong.
        LabelError: the time or a name is.
    """
    check_mask(mask, request.height, request.width, request.class_names)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise LabelError(f"seconds = {seconds:g} s: the time spent on an answer is 0 s or more")
    for name, value in (("tool", tool), ("started_from", start)):
        if not 0 < len(value) <= _LONGEST_WORD or not value.isprintable():
            raise LabelError(f"{name} has 1 to {_LONGEST_WORD} printable characters, not {value!r:.120}")


def repeated(connection: Connection, request_id: int, token: str, mask: NDArray[np.uint8]) -> Answer | None:
    """The answer that this lease has given already with the same mask: sending it twice stores it once."""
    row = connection.execute(
        answer_columns()
        .join(tables.leases, _l.id == _a.lease_id)
        .where(_a.request_id == request_id, _l.token == token)
    ).one_or_none()
    return None if row is None or row.mask_sha256 != mask_sha256(mask) else answer_of(row)


def store_answer(
    connection: Connection, request_id: int, token: str, values: dict[str, Any], now_s: float
) -> Answer:
    """Stores an answer, ends its lease, and decides about a second opinion.

    Raises:
        LeaseExpired: the lease is over.
    """
    lease = held(connection, request_id, token, now_s)
    request = request_of(connection, request_id)
    result = connection.execute(
        insert(tables.answers).values(
            request_id=request_id, lease_id=lease.id, expert=lease.expert, answered_s=now_s,
            second_opinion=lease.second_opinion, **values,
        )
    )  # fmt: skip
    connection.execute(update(tables.leases).where(_l.id == lease.id).values(outcome="answered"))
    share = connection.execute(select(_r.second_share).where(_r.id == request_id)).scalar_one()
    wanted = not lease.second_opinion and _wants_second(connection, request, share)
    connection.execute(
        update(tables.requests)
        .where(_r.id == request_id)
        .values(state="answered", answers=request.answers + 1, second_wanted=wanted)
    )
    key = result.inserted_primary_key
    return answer_of(connection.execute(answer_columns().where(_a.id == key[0])).one())  # type: ignore[index]


def _wants_second(connection: Connection, request: RequestSummary, share: float) -> bool:
    """A random share, and as many again of a session's requests of highest score."""
    if _uniform(request) < share:
        return True
    of_session = select(func.count()).where(_r.session == request.session)
    total = connection.execute(of_session).scalar_one()
    above = connection.execute(of_session.where(_r.score > request.score)).scalar_one()
    return bool(total >= ENOUGH_TO_RANK and above < math.floor(share * total))


def _uniform(request: RequestSummary) -> float:
    """A number in [0, 1) that the request's name fixes: the same draw in every process."""
    name = f"second opinion {request.session} {request.field} {request.id}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "big") / 2**64
