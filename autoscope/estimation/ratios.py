"""Ratios of two quantities that the same draws estimate, such as inclusions per area of one phase."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from autoscope.core import EstimationError
from autoscope.estimation.difference import Combined, combine


def ratio(numerator: ArrayLike, denominator: ArrayLike, weights: ArrayLike) -> Combined:
    """Ratio of two weighted means of pseudo-values, with its linearised standard error.

    R = Y / X with SE(R) = SE of (Z_y - R Z_x) / X. Its bias is of the order SE(X)²/X² and vanishes beside
    the standard error as draws accumulate. Source: Cochran, Sampling Techniques (1977), section 6.3.

    Args:
        numerator: ``n`` pseudo-values of Y.
        denominator: ``n`` pseudo-values of X, of the same draws.
        weights: ``n``, fixed before each draw.

    Raises:
        EstimationError: the denominator is not positive.
    """
    z_y, z_x = np.asarray(numerator, float), np.asarray(denominator, float)
    top, bottom = combine(z_y, weights), combine(z_x, weights)
    if not bottom.estimate > 0:
        raise EstimationError(
            f"a ratio with denominator {bottom.estimate:g}: nothing of what it refers to was found yet"
        )
    value = top.estimate / bottom.estimate
    away = combine(z_y, weights, deviations=z_y - value * z_x)
    return Combined(value, away.standard_error / bottom.estimate, top.effective_draws)


def ratio_interval(
    numerator: tuple[float, float],
    denominator: tuple[float, float],
    bounds: tuple[float, float] = (0.0, float("inf")),
) -> tuple[float, float]:
    """Interval of Y / X from an interval of each; covers wherever both do.

    With each at confidence 1 - alpha / 2 it covers with 1 - alpha at least (Bonferroni), for finite samples
    and any stopping if they do (betting intervals).

    Args:
        numerator: interval of Y, not negative.
        denominator: interval of X, not negative.
        bounds: declared lowest and highest possible value of the ratio; the interval is cut to them.

    Raises:
        EstimationError: an interval is negative or turned over, or what is left within the bounds is empty.
    """
    for name, (low, high) in (("numerator", numerator), ("denominator", denominator)):
        if not 0 <= low <= high:
            raise EstimationError(f"the {name}'s interval [{low:g}, {high:g}] must be ascending and >= 0")
    (y_low, y_high), (x_low, x_high) = numerator, denominator
    low = y_low / x_high if x_high > 0 else 0.0
    high = y_high / x_low if x_low > 0 else float("inf")
    low, high = max(low, bounds[0]), min(high, bounds[1])
    if low > high:
        raise EstimationError(
            f"the ratio's interval has no value within its declared bounds [{bounds[0]:g}, {bounds[1]:g}]:"
            " the bounds declared for it are wrong, or an interval failed"
        )
    return low, high
