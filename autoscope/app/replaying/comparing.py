"""From visits with two chances each to what the other policy would have needed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.app.replaying.watching import Visits
from autoscope.core import component_rng
from autoscope.estimation import draw_weights
from autoscope.estimation.off_policy import (
    effective_sample_size,
    other_squares,
    resampled,
    self_normalised_mean,
    variance_of_mean,
)

CONFIDENCE = 0.95
"""Of the intervals."""
BOOTSTRAPS = 2000
"""Bootstrap samples behind them."""
LEAST_EFFECTIVE = 30.0
"""Fewest effective visits from which anything is said."""
LEAST_DEPARTED = 10
"""Fewest visits that found something else than was predicted, of each target."""
LEAST_SHARE = 0.1
"""Least share of the visits that they must be."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """What the other policy would have, over what the recorded one had.

    Attributes:
        value: the estimate.
        low: lower end of its 95 % bootstrap interval.
        high: upper end.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the recorded session ended.

    Attributes:
        fields: size of the population.
        lag: ``targets``, last over wanted half-width; NaN where either is not known.
        least_fields: that every session visits before its interval counts.
        beam_time_s: of the whole session.
        before_s: of it, before the first draw: the overview.
    """

    fields: int
    lag: NDArray[np.float64]
    least_fields: int
    beam_time_s: float
    before_s: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """What can be said of the other policy.

    Attributes:
        visits: fields that the session visited and measured.
        effective: how many equally weighted visits they are worth for the other policy (Kish).
        variance: for each target, variance of the estimate after as many visits.
        fields: visits to all targets; None where every field of the region was visited.
        visit: seconds of a visit.
        own_visit_s: seconds of a visit of the recorded policy.
        beam_time: of the whole session, overview included; None like ``fields``.
    """

    visits: int
    effective: float
    variance: tuple[Ratio, ...]
    fields: Ratio | None
    visit: Ratio
    own_visit_s: float
    beam_time: Ratio | None


def obstacle_of(visits: Visits) -> str:
    """Why too few visits speak for the other policy, in a sentence; empty where enough do."""
    count = len(visits)
    departed = np.isfinite(visits.measured) & (visits.measured != visits.predicted)
    if (departed.sum(axis=1) < LEAST_DEPARTED).any():
        return (
            f"fewer than {LEAST_DEPARTED} of the session's {count} visits found anything but what was"
            " predicted: there is no variance to compare"
        )
    effective = effective_sample_size(visits.other / visits.own)
    least = max(LEAST_EFFECTIVE, LEAST_SHARE * count)
    if effective >= least:
        return ""
    return (
        f"the other policy would have gone elsewhere: the {count} visits of the session are worth"
        f" {effective:.0f} of its own (Kish), and at least {least:.0f} are needed to say anything"
    )


def compare(visits: Visits, standing: Standing, seed: int) -> Comparison:
    """The other policy against the recorded one, with intervals from resampled draws.

    The estimate of a session averages pseudo-values with weights from their predicted variances; so does
    what is compared here. Fields follow from variances as it falls with 1/n - 1/N (Cochran, Sampling
    Techniques, 1977, section 2.6), and each session visits at least ``standing.least_fields``.

    Args:
        visits: of the session, each with its two chances.
        standing: where the session ended.
        seed: of the bootstrap.
    """
    drawn = resampled(visits.draw, BOOTSTRAPS, component_rng(seed, "replay bootstrap"))
    counts = np.concatenate([np.ones((1, len(visits))), drawn])
    variances = np.array([_variance_ratio(visits, k, counts) for k in range(len(visits.measured))])
    own_s, other_s = _seconds(visits, counts)
    fields = _fields_ratio(variances, len(visits), standing)
    time = None
    if fields is not None and standing.beam_time_s > 0:
        share = standing.before_s / standing.beam_time_s
        time = _ratio(share + (1 - share) * fields * other_s / own_s)
    return Comparison(
        visits=len(visits),
        effective=effective_sample_size(visits.other / visits.own),
        variance=tuple(_ratio(row) for row in variances),
        fields=None if fields is None else _ratio(fields),
        visit=_ratio(other_s / own_s),
        own_visit_s=float(own_s[0]),
        beam_time=time,
    )


def _variance_ratio(visits: Visits, k: int, counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """``b``, variance of the estimate of target ``k`` under the other policy over that under the own one."""
    known = np.isfinite(visits.measured[k]) & (visits.remaining > 1)
    a, own, other = visits.weight[known], visits.own[known], visits.other[known]
    step = a * (visits.measured[k] - visits.predicted[k])[known]
    base = (_measured_before(visits, k) + visits.rest[k])[known]
    weights, other_weights = (
        draw_weights(visits.remaining[known], predicted[k, known])
        for predicted in (visits.own_variance, visits.other_variance)
    )
    weights, other_weights, counts = (
        weights / weights.max(),
        other_weights / other_weights.max(),
        counts[:, known],
    )
    theta = float(weights @ (base + step / own) / weights.sum())
    mine = variance_of_mean(other_squares(base, step, theta, own, own), weights, counts)
    his = variance_of_mean(other_squares(base, step, theta, own, other), other_weights, counts)
    return np.asarray(np.divide(his, mine, out=np.full(len(mine), np.nan), where=mine > 0))


def _measured_before(visits: Visits, k: int) -> NDArray[np.float64]:
    """``n``, sum of a y over the fields of earlier draws; a field that is lost counts as predicted."""
    y = np.where(np.isfinite(visits.measured[k]), visits.measured[k], visits.predicted[k])
    totals = np.bincount(visits.draw, weights=visits.weight * y)
    return np.asarray((np.cumsum(totals) - totals)[visits.draw])


def _seconds(visits: Visits, counts: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """``b`` each, seconds of a visit of the own and of the other policy.

    What is expected of every field is known, chosen or not: its mean needs no weights. Only what came beyond
    it is weighted (the doubly robust form: Dudík, Langford, Li, ICML 2011).
    """
    total = counts.sum(axis=1)
    even, weights = np.ones(len(visits)), visits.other / visits.own
    own = counts @ visits.own_s / total + self_normalised_mean(visits.beyond_s, even, counts)
    other = counts @ visits.other_s / total + self_normalised_mean(visits.beyond_s, weights, counts)
    return own, other


def _fields_ratio(
    variances: NDArray[np.float64], visited: int, standing: Standing
) -> NDArray[np.float64] | None:
    """``b``, visits to all targets with the other policy over those with the own one."""
    left = 1 / visited - 1 / standing.fields
    if left <= 0:
        return None
    known = np.isfinite(standing.lag) & (standing.lag > 0)
    lag = np.where(known, standing.lag, 1.0) if known.any() else np.ones(len(standing.lag))
    wanted = (left / lag**2)[:, None]
    own = 1 / (wanted + 1 / standing.fields)
    other = 1 / (wanted / variances + 1 / standing.fields)
    least = min(standing.least_fields, standing.fields)
    return np.asarray(np.maximum(other.max(axis=0), least) / np.maximum(own.max(axis=0), least))


def _ratio(values: NDArray[np.float64]) -> Ratio:
    """The first is the estimate, the others are the bootstrap's, where they say anything."""
    low, high = np.nanquantile(values[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Ratio(float(values[0]), float(low), float(high))
