"""Nested magnification: overview predicts, a middle magnification corrects it, reference tiles correct that.

Fields must be drawn **with replacement** from all N (METHODS section 2): the exact part of the
without-replacement pseudo-value, the sum over fields already drawn, would need their *reference* values,
and only some of them have any.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autoscope.core import EstimationError


def nested_value(
    predicted_total: float,
    weight: float,
    propensity: float,
    predicted: float,
    middle: float,
    *,
    tile_differences: ArrayLike | None = None,
    tile_propensity: float,
) -> float:
    """Pseudo-value of one visit: Z = sum a f + (a_I/q_I) [mid_I - f_I + (xi/pi) mean(y - mid)].

    E[Z | past] = theta at the reference magnification, however biased the middle one is, when I is drawn
    with replacement from all fields, xi is an independent coin, and the tiles are a simple random (or
    systematic with random start) sample of the field's tiles. Source: multilevel estimation, Giles, Acta
    Numerica 24 (2015) 259, with the randomised last level of Rhee & Glynn, Oper. Res. 63 (2015) 1026.

    Args:
        predicted_total: sum of a f over all N fields.
        weight: a of the field.
        propensity: q with which it was drawn from all N.
        predicted: f of the field.
        middle: what the middle magnification says of the field.
        tile_differences: ``m``, reference minus middle value of the tiles that were taken; None where the
            coin said no.
        tile_propensity: pi, the coin's probability.

    Raises:
        EstimationError: a propensity is not in (0, 1], or tiles were wanted and none came.
    """
    for name, chance in (("propensity", propensity), ("tile propensity", tile_propensity)):
        if not 0 < chance <= 1:
            raise EstimationError(f"a visit has {name} {chance:g}; it must lie in (0, 1]")
    correction = 0.0
    if tile_differences is not None:
        differences = np.asarray(tile_differences, float)
        if differences.size == 0:
            raise EstimationError(
                "reference tiles were to be taken and none came: the visit must be repeated"
            )
        correction = float(differences.mean()) / tile_propensity
    return predicted_total + weight / propensity * (middle - predicted + correction)


def tiles_per_visit(
    visit_cost_s: float, tile_cost_s: float, within_variance: float, between_variance: float
) -> float:
    """Reference tiles per visit that give the least variance for the time: m* = sqrt((c_v/c_t)(S_w²/S_b²)).

    Args:
        visit_cost_s: seconds of a visit without tiles.
        tile_cost_s: seconds of a tile.
        within_variance: variance of (reference - middle) between tiles of a field.
        between_variance: variance between fields that no tile takes away.

    Returns:
        m*, not rounded, at least 1; infinite where fields do not differ.

    Source: Cochran, Sampling Techniques (1977), section 10.6.
    """
    if between_variance <= 0:
        return math.inf
    return max(1.0, math.sqrt(visit_cost_s / tile_cost_s * within_variance / between_variance))


def allocation(variances: Sequence[float], costs_s: Sequence[float]) -> NDArray[np.float64]:
    """Shares of the visits that go to each level: n_l proportional to sqrt(V_l / c_l); sums to 1.

    Args:
        variances: ``levels``, V_l of each level's difference.
        costs_s: ``levels``, seconds of one sample.

    Source: Giles, Acta Numerica 24 (2015) 259, section 1.3.
    """
    share = np.sqrt(np.asarray(variances, float) / np.asarray(costs_s, float))
    return np.asarray(share / share.sum())
