"""What a running session tells whoever watches it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from autoscope.estimation import fields_left
from autoscope.microscope import Budget, Spent
from autoscope.survey import QuantityState


@dataclass(frozen=True, slots=True)
class TimeLeft:
    """Predicted seconds until the session ends: even chance, and nine in ten."""

    p50_s: float
    p90_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """A snapshot of a session.

    Attributes:
        state: ``"overview"``, ``"measuring"`` and so on.
        overview_done: overview frames taken.
        overview_all: overview frames in all.
        quantities: where each target stands.
        spent: what was spent.
        budget: what may be spent.
        left: predicted time left, None before it can be said.
        message: the last event.
    """

    state: str
    overview_done: int
    overview_all: int
    quantities: tuple[QuantityState, ...]
    spent: Spent
    budget: Budget
    left: TimeLeft | None
    message: str = ""


Listener = Callable[[Progress], None]


def time_left(
    quantities: tuple[QuantityState, ...], seconds_per_field: float, fields_in_region: int
) -> TimeLeft | None:
    """Predicts the time left from each interval's shrinking; see :func:`autoscope.estimation.fields_left`.

    Before the floor of the large-sample tiers the interval that counts is far wider than the one that will:
    then the latter is what shrinks.
    """
    needed_p50 = needed_p90 = 0.0
    for state in quantities:
        half = state.extra.get("large_sample_half_width", half_width(state))
        left = fields_left(half, wanted_half_width(state), state.fields_measured, fields_in_region)
        if left is None:
            return None
        if not state.met:
            needed_p50, needed_p90 = max(needed_p50, left[0]), max(needed_p90, left[1])
    return TimeLeft(needed_p50 * seconds_per_field, needed_p90 * seconds_per_field)


def half_width(state: QuantityState) -> float | None:
    """Half of the present interval's width; None without an interval."""
    if state.ci_low is None or state.ci_high is None:
        return None
    return (state.ci_high - state.ci_low) / 2


def wanted_half_width(state: QuantityState) -> float | None:
    """The half-width that was asked for, absolute; None where a relative one has no estimate yet."""
    if state.target.half_width is not None:
        return state.target.half_width
    if state.target.relative is None or not math.isfinite(state.estimate) or state.estimate == 0:
        return None
    return state.target.relative * abs(state.estimate)
