"""Counts of a queue, and what its answers changed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, case, func, insert, select

from autoscope.labels import tables
from autoscope.labels.values import STATES, Effect, Expert, QueueProgress

_r, _l, _a, _e = tables.requests.c, tables.leases.c, tables.answers.c, tables.effects.c


def experts(connection: Connection) -> tuple[Expert, ...]:
    """Everyone who was ever seen, by name, with what came of asking them."""
    ended = select(
        _l.expert,
        func.sum(case((_l.outcome == "skipped", 1), else_=0)).label("skipped"),
        func.sum(case((_l.outcome == "active", 1), else_=0)).label("leased"),
    ).group_by(_l.expert)
    worked = select(_a.expert, func.count(), func.sum(_a.seconds)).group_by(_a.expert)
    leased = {row[0]: row for row in connection.execute(ended)}
    answered = {row[0]: row for row in connection.execute(worked)}
    everyone = connection.execute(select(tables.experts).order_by(tables.experts.c.name)).all()
    return tuple(
        Expert(
            row.name,
            row.registered_s,
            answered=int(answered.get(row.name, (0, 0, 0))[1]),
            skipped=int(leased.get(row.name, (0, 0, 0))[1]),
            leased=int(leased.get(row.name, (0, 0, 0))[2]),
            seconds=float(answered.get(row.name, (0, 0, 0.0))[2]),
        )
        for row in everyone
    )


def progress(connection: Connection, session: str | None) -> QueueProgress:
    """Requests by state, of one session or of all."""
    mine = [] if session is None else [_r.session == session]
    counted = select(_r.state, func.count()).where(*mine).group_by(_r.state)
    counts = {str(state): int(number) for state, number in connection.execute(counted)}
    second = connection.execute(select(func.count()).where(_r.second_wanted, *mine)).scalar_one()
    return QueueProgress({s: counts.get(s, 0) for s in STATES}, int(second), experts(connection))


def add_effect(connection: Connection, effect: Effect, now_s: float) -> None:
    """Stores what answers changed."""
    connection.execute(
        insert(tables.effects).values(
            session=effect.session, quantity=effect.quantity, class_name=effect.class_name,
            answers=effect.answers, covers=effect.covers, note=effect.note, time_s=now_s,
            **_reading("before", effect.before), **_reading("after", effect.after),
        )
    )  # fmt: skip


def effects(connection: Connection, session: str) -> tuple[Effect, ...]:
    """What answers changed in a session, in the order of time."""
    rows = connection.execute(select(tables.effects).where(_e.session == session).order_by(_e.id))
    return tuple(
        Effect(
            session=row.session, quantity=row.quantity, class_name=row.class_name, answers=row.answers,
            before=(row.estimate_before, row.low_before, row.high_before),
            after=(row.estimate_after, row.low_after, row.high_after),
            covers=row.covers, note=row.note, time_s=row.time_s,
        )
        for row in rows
    )  # fmt: skip


def _reading(when: str, values: tuple[float, float | None, float | None]) -> dict[str, Any]:
    return dict(zip((f"estimate_{when}", f"low_{when}", f"high_{when}"), values, strict=True))
