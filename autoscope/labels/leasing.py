"""Leases: who may answer which request, and until when."""

from __future__ import annotations

import secrets
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, insert, select, update

from autoscope.labels import tables
from autoscope.labels.errors import ExpertError, LeaseExpired
from autoscope.labels.storing import request_of
from autoscope.labels.values import Lease, RequestSummary

WINDOW = 8
"""Of the oldest so many open requests of the probability sample, the most informative is leased first."""
SKIPS = 2
"""So many experts must skip a request before nobody else is asked."""
_LONGEST_NAME = 100

_r, _l = tables.requests.c, tables.leases.c


def checked_name(expert: str) -> str:
    """An expert's name without blanks around it.

    Raises:
        ExpertError: it is empty, too long, or not printable.
    """
    name = expert.strip()
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise ExpertError(
            f"an expert's name has 1 to {_LONGEST_NAME} printable characters, not {expert!r:.120}"
        )
    return name


def register(connection: Connection, name: str, now_s: float) -> None:
    """Remembers an expert; who is known stays as they are."""
    known = connection.execute(select(tables.experts.c.name).where(tables.experts.c.name == name))
    if known.one_or_none() is None:
        connection.execute(insert(tables.experts).values(name=name, registered_s=now_s))


def expire(connection: Connection, now_s: float) -> None:
    """Ends leases whose time is over; their requests are open again."""
    over = connection.execute(
        select(_l.id, _l.request_id).where(_l.outcome == "active", _l.expires_at <= now_s)
    ).all()
    for lease_id, request_id in over:
        end(connection, lease_id, request_id, "expired")


def end(connection: Connection, lease_id: int, request_id: int, outcome: str, reason: str = "") -> None:
    """Ends a lease; a request that has no answer yet is open again, or skipped where enough skipped it."""
    connection.execute(update(tables.leases).where(_l.id == lease_id).values(outcome=outcome, reason=reason))
    skips = connection.execute(
        select(func.count(func.distinct(_l.expert))).where(
            _l.request_id == request_id, _l.outcome == "skipped"
        )
    ).scalar_one()
    connection.execute(
        update(tables.requests)
        .where(_r.id == request_id, _r.state == "leased")
        .values(state="skipped" if skips >= SKIPS else "open")
    )


def take(connection: Connection, expert: str, now_s: float) -> Lease | None:
    """Leases the next request to an expert, None where nothing is left for them."""
    row = _next(connection, expert)
    return None if row is None else _grant(connection, row, expert, now_s)


def upcoming(connection: Connection, expert: str) -> RequestSummary | None:
    """The request that would be leased to an expert now; nothing is leased."""
    row = _next(connection, expert)
    return None if row is None else request_of(connection, row.id)


def take_this(connection: Connection, request_id: int, expert: str, now_s: float) -> Lease:
    """Leases one request to an expert, whoever would be next.

    Raises:
        UnknownRequest: there is no such request.
        LeaseExpired: somebody holds it, it was withdrawn, or this expert has answered or skipped it.
    """
    request = request_of(connection, request_id)
    free = select(_r.id, _r.state, _r.answers, _r.lease_s).where(
        _r.id == request_id, _r.state != "superseded", ~_leased_by(), ~_touched_by(expert)
    )
    row = connection.execute(free).one_or_none()
    if row is None:
        raise LeaseExpired(
            f"request {request_id} ({request.state}) cannot be given to {expert}: somebody holds it, it was"
            " withdrawn, or they have answered or skipped it already"
        )
    return _grant(connection, row, expert, now_s)


def _grant(connection: Connection, row: Row[*tuple[Any, ...]], expert: str, now_s: float) -> Lease:
    lease = {
        "token": secrets.token_urlsafe(24),
        "request_id": row.id,
        "expert": expert,
        "began_s": now_s,
        "expires_at": now_s + row.lease_s,
        "second_opinion": row.answers > 0,
        "outcome": "active",
    }
    connection.execute(insert(tables.leases).values(**lease))
    if row.state == "open":
        connection.execute(update(tables.requests).where(_r.id == row.id).values(state="leased"))
    request, until = request_of(connection, row.id), now_s + row.lease_s
    return Lease(str(lease["token"]), request, expert, until, bool(row.answers > 0), row.lease_s)


def _next(connection: Connection, expert: str) -> Row[*tuple[Any, ...]] | None:
    """Of the probability sample's oldest the most informative; then of the rest; then second opinions."""
    free = ~_leased_by() & ~_touched_by(expert)
    oldest = (
        select(_r.id).where(_r.state == "open", _r.sampled, free).order_by(_r.id).limit(WINDOW)
    ).subquery()
    in_turn = (
        select(_r.id, _r.state, _r.answers, _r.lease_s).where(_r.id.in_(select(oldest.c.id))),
        select(_r.id, _r.state, _r.answers, _r.lease_s).where(_r.state == "open", free),
        select(_r.id, _r.state, _r.answers, _r.lease_s).where(_r.state == "answered", _r.second_wanted, free),
    )
    for query in in_turn:
        row = connection.execute(query.order_by(_r.score.desc(), _r.id).limit(1)).one_or_none()
        if row is not None:
            return row
    return None


def _leased_by() -> ColumnElement[bool]:
    return exists().where(_l.request_id == _r.id, _l.outcome == "active")


def _touched_by(expert: str) -> ColumnElement[bool]:
    """Whether this expert has answered or skipped the request: nobody is asked the same twice."""
    return exists().where(
        _l.request_id == _r.id, _l.expert == expert, _l.outcome.in_(["answered", "skipped"])
    )


def lasting(connection: Connection, request_id: int) -> float:
    """How long a lease of a request lasts, s."""
    return float(connection.execute(select(_r.lease_s).where(_r.id == request_id)).scalar_one())


def held(connection: Connection, request_id: int, token: str, now_s: float) -> Row[*tuple[Any, ...]]:
    """The row of a lease that is still good.

    Raises:
        UnknownRequest: there is no such request.
        LeaseExpired: the token is not of this request, or its lease is over.
    """
    request_of(connection, request_id)
    row = connection.execute(
        select(tables.leases).where(_l.token == token, _l.request_id == request_id)
    ).one_or_none()
    if row is None:
        raise LeaseExpired(f"request {request_id} is not leased under this token: lease a request first")
    if row.outcome != "active":
        raise LeaseExpired(
            f"the lease of request {request_id} is over ({_ENDED[row.outcome]}): lease another"
        )
    if row.expires_at <= now_s:
        raise LeaseExpired(
            f"the lease of request {request_id} ran out {now_s - row.expires_at:.0f} s ago: lease another"
        )
    return row


_ENDED = {
    "answered": "it was answered",
    "released": "it was given back",
    "skipped": "it was skipped",
    "expired": "it ran out",
    "superseded": "the request was withdrawn",
}
