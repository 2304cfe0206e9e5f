"""How many fields a target will need, and what a number of fields will give: before anything is measured."""

from __future__ import annotations

import math
from statistics import NormalDist

from autoscope.core import ConfigurationError, nearest
from autoscope.estimation.betting import TRUNCATION
from autoscope.estimation.difference import Combined
from autoscope.estimation.intervals import STOPPING_ALLOWANCE, sequence_half_width
from autoscope.estimation.tracker import MINIMUM_FIELDS, TIERS

_Z90 = NormalDist().inv_cdf(0.9)


def fields_needed(
    spread: float,
    half_width: float,
    *,
    confidence: float = 0.95,
    population: int,
    tier: str = "standard",
    reach: float = 2.0,
) -> int:
    """Fields until the interval is as narrow as wanted, in the middle of what may happen.

    standard: n0 = (1.1 z s / h)², n = n0 / (1 + n0 / N), and no fewer than 50 (Cochran 1977, section 4.6).
    anytime: the n at which the confidence sequence has the width. guaranteed: the larger of
    2 ln(2/alpha) s² / h², by variance, and ln(2/alpha) B / (0.9 h), by the reach B of a pseudo-value, which
    is the price however small the variance (METHODS section 2).

    Args:
        spread: root-mean-square s of measured minus predicted, propensities allowed for:
            sqrt(sum (a r)² / q).
        half_width: wanted, absolute.
        confidence: of the interval.
        population: N fields.
        tier: which promise.
        reach: B, distance from the value to the farthest pseudo-value; (high - low) / floor at most. Only
            the guaranteed tier asks for it.

    Raises:
        ConfigurationError: the tier is unknown, or a number is not positive.
    """
    _check(tier, spread=spread, half_width=half_width, reach=reach, population=population)
    alpha = 1 - confidence
    if tier == "standard":
        endless = (STOPPING_ALLOWANCE * _z(confidence) * spread / half_width) ** 2
    elif tier == "anytime":
        endless = _sequence_fields(spread, half_width, confidence)
    else:
        by_variance = 2 * math.log(2 / alpha) * (spread / half_width) ** 2
        endless = max(by_variance, math.log(2 / alpha) * reach / (TRUNCATION * half_width))
    needed = math.ceil(endless / (1 + endless / population))
    return min(population, max(needed, 0 if tier == "guaranteed" else MINIMUM_FIELDS))


def expected_half_width(spread: float, fields: int, *, confidence: float = 0.95, population: int) -> float:
    """Half-width of the standard tier after so many fields: 1.1 z s sqrt((1 - n/N) / n).

    Infinite before the first field, 0 after the last.
    """
    if fields < 1:
        return math.inf
    left = max(0.0, 1 - fields / population)
    return STOPPING_ALLOWANCE * _z(confidence) * spread * math.sqrt(left / fields)


def fields_left(
    half_width: float | None, wanted: float | None, fields: int, population: int
) -> tuple[float, float] | None:
    """Fields that an interval still needs: even chance, and nine in ten.

    It shrinks as one over the root of the fields. The half-width is itself estimated from n fields, with a
    relative standard error of about 1/sqrt(2 (n - 1)); its square gives the number of fields that are needed,
    so the 90th percentile inflates that number by (1 + 1.28 / sqrt(2 (n - 1)))².

    Args:
        half_width: of the present interval, None without one.
        wanted: the half-width that is asked for, absolute; None where it is not known yet.
        fields: n, measured so far.
        population: N fields.

    Returns:
        None before it can be said.
    """
    if half_width is None or wanted is None or fields < 2 or not math.isfinite(half_width):
        return None
    total = max(fields * (half_width / wanted) ** 2, float(MINIMUM_FIELDS))
    inflated = total * (1 + _Z90 / math.sqrt(2 * (fields - 1))) ** 2
    return max(0.0, min(total, population) - fields), max(0.0, min(inflated, population) - fields)


def fields_foretold(half_width: float | None, wanted: float, fields: int, population: int) -> float:
    """Fields at which an interval will be as narrow as wanted: drawn without replacement, n_0 of N later.

    The variance goes as 1/n - 1/N, so that 1/n_0 - 1/N is the present one times (wanted / half-width)². Never
    fewer than were measured, or than the standard tier wants.

    Args:
        half_width: of the present interval, None or infinite without one.
        wanted: the half-width that is asked for, absolute; not positive or NaN where it is not known yet.
        fields: n, measured so far.
        population: N fields.
    """
    least = float(min(max(fields, MINIMUM_FIELDS), population))
    if half_width is None or not math.isfinite(half_width) or not wanted > 0 or not 0 < fields < population:
        return least
    if half_width <= wanted:
        return least
    inverse = 1 / population + (1 / fields - 1 / population) * (wanted / half_width) ** 2
    return max(1 / inverse, least)


def weighted_spread(weights: list[float], spreads: list[float], probability: list[float]) -> float:
    """sqrt(sum (a s)² / q): the spread of one pseudo-value of a design, for :func:`fields_needed`."""
    terms = zip(weights, spreads, probability, strict=True)
    return math.sqrt(sum((a * s) ** 2 / q for a, s, q in terms))


def _z(confidence: float) -> float:
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def _sequence_fields(spread: float, half_width: float, confidence: float) -> float:
    """Smallest n at which the confidence sequence of n pseudo-values is narrow enough, by bisection."""
    low, high = 1.0, 2.0
    while _sequence_at(high, spread, half_width, confidence) > half_width:
        low, high = high, 2 * high
    while high - low > 0.5:
        middle = (low + high) / 2
        if _sequence_at(middle, spread, half_width, confidence) > half_width:
            low = middle
        else:
            high = middle
    return high


def _sequence_at(fields: float, spread: float, half_width: float, confidence: float) -> float:
    combined = Combined(0.0, spread / math.sqrt(fields), fields)
    return sequence_half_width(combined, fields / spread**2, confidence, half_width)


def _check(tier: str, **numbers: float) -> None:
    if tier not in TIERS:
        raise ConfigurationError(
            f"statistics.tier = {tier!r} is unknown{nearest(tier, TIERS)}; it is one of {', '.join(TIERS)}"
        )
    bad = [f"{name} = {value:g} must be positive" for name, value in numbers.items() if not value > 0]
    if bad:
        raise ConfigurationError(*bad)
