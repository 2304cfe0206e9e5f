"""A census of features after the session: any class in any range of sizes, from what was logged.

Field values are two-phase estimates (`field_samples`); the fields' own pseudo-values are those of METHODS
equation (1) with a prediction that is the same for all fields, the mean of what was measured before, so it is
fixed when a field is drawn. The intervals are those of secondary quantities: nobody stopped because of their
width, so they are plain t intervals, each with its own confidence and none with a promise on all together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Estimate
from autoscope.estimation.difference import combine, draw_weights, pseudo_value
from autoscope.estimation.intervals import normal_half_width, t_half_width
from autoscope.estimation.sampled_values import SampledValues

LEAST_FEATURES = 10
"""With fewer features of a kind a large-sample interval says nothing; none is given."""

LEAST_DRAWS = 10
"""Likewise with fewer draws."""


@dataclass(frozen=True, slots=True)
class CensusDraw:
    """One draw of ``k`` fields, as it was logged.

    Attributes:
        weight: ``k``, a_i.
        propensity: ``k``, probability of each given the past.
        remaining: units that remained when it was made.
        value: ``quantities x k``, two-phase values of the fields.
        variance: ``quantities x k``, theirs.
    """

    weight: NDArray[np.float64]
    propensity: NDArray[np.float64]
    remaining: int
    value: NDArray[np.float64]
    variance: NDArray[np.float64]


def census_estimates(
    draws: Sequence[CensusDraw],
    n_fields: int,
    features: NDArray[np.intp],
    confidence: float = 0.95,
) -> tuple[Estimate, ...]:
    """Estimates of all quantities.

    Args:
        draws: in the order in which they were made, complete ones alone.
        n_fields: fields in the population.
        features: ``quantities``, how many features each rests on.
        confidence: of each interval.
    """
    if not draws:
        return tuple(Estimate(float("nan"), None, None, confidence, 0, "no field measured") for _ in features)
    return tuple(_estimate(draws, k, n_fields, int(count), confidence) for k, count in enumerate(features))


def _estimate(
    draws: Sequence[CensusDraw], k: int, n_fields: int, features: int, confidence: float
) -> Estimate:
    done, weight_done, z, remaining = 0.0, 0.0, [], []
    second, fields = SampledValues(), 0
    for draw in draws:
        y, v, a = draw.value[k], draw.variance[k], draw.weight
        mean = done / weight_done if weight_done else 0.0
        taken = draw.remaining > 1
        if taken:
            rest = mean * max(1 - weight_done, 0.0)
            z.append(pseudo_value(done, rest, a, y, np.full_like(y, mean), draw.propensity))
            remaining.append(draw.remaining)
        second.observe(len(z), taken, a, draw.propensity, v)
        done, weight_done, fields = done + float(a @ y), weight_done + float(a.sum()), fields + len(y)
    if fields == n_fields:
        half = normal_half_width(second.census_variance, confidence)
        return Estimate(max(done, 0.0), max(done - half, 0.0), done + half, confidence, fields, "census")
    weights = draw_weights(remaining)
    combined = combine(z, weights)
    estimate, name = max(combined.estimate, 0.0), "difference estimator, t interval, secondary"
    if features < LEAST_FEATURES or len(z) < LEAST_DRAWS:
        few = f"difference estimator; {features} features are too few for an interval"
        return Estimate(estimate, None, None, confidence, fields, few)
    error = float(np.hypot(combined.standard_error, np.sqrt(second.unseen_variance(weights))))
    half = t_half_width(
        type(combined)(combined.estimate, error, combined.effective_draws), confidence, allowance=1.0
    )
    low, high = max(combined.estimate - half, 0.0), max(combined.estimate + half, 0.0)
    return Estimate(estimate, low, high, confidence, fields, name)


def largest_by_area(
    largest_um: NDArray[np.float64], return_areas: float
) -> tuple[float, float, float, float] | None:
    """Largest feature to expect in a larger area, from the largest of many equal control areas.

    Gumbel's distribution fitted by maximum likelihood (ASTM E2283-08, section 8): location, scale, the size
    that is exceeded once in ``return_areas`` areas, and its standard error,
    sqrt((1.109 + 0.514 y + 0.608 y²) / n) times the scale.

    Args:
        largest_um: ``n``, the largest feature of each control area, all of the same size and drawn uniformly.
        return_areas: T.

    Returns:
        ``None`` with fewer than 10 areas, or when all are alike.
    """
    from scipy.stats import gumbel_r

    n = len(largest_um)
    if n < LEAST_FEATURES or np.ptp(largest_um) == 0:
        return None
    location, scale = (float(value) for value in gumbel_r.fit(largest_um))
    y = -np.log(-np.log((return_areas - 1) / return_areas))
    error = scale * float(np.sqrt((1.109 + 0.514 * y + 0.608 * y * y) / n))
    return location, scale, float(location + scale * y), error
