"""Counts: inclusions on a field and per mm², their exact intervals, and what finding none means."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError
from autoscope.estimation.betting import BettingInterval

UM2_PER_MM2 = 1e6


def count_features(
    labels: NDArray[np.integer],
    class_index: int,
    *,
    valid: NDArray[np.bool_] | None = None,
    min_feature_px: float = 0.0,
) -> int:
    """Features (8-connected) of a class in the counting frame of one field.

    The frame is the field without its first row and its first column, which are the forbidden edges:
    features that touch these are not counted, those that touch the others are (Gundersen, J. Microsc. 111
    (1977) 219). So no feature is counted on two fields, and large ones are not favoured. The area that the
    count refers to is the frame's, :func:`counting_share` of the field's. It holds for features smaller
    than a field; one that runs through a corner along the other diagonal can be missed.

    Args:
        labels: ``height x width`` class indices.
        class_index: the class.
        valid: ``height x width``, where there is specimen; everywhere by default.
        min_feature_px: features whose equivalent circle diameter (of the part on this field) is smaller, in
            pixels, are not counted.
    """
    from scipy.ndimage import label

    mask = labels == class_index
    if valid is not None:
        mask &= valid
    components, count = label(mask, structure=np.ones((3, 3), int))
    counted = np.bincount(components.ravel(), minlength=count + 1) >= math.pi / 4 * min_feature_px**2
    counted[0] = False
    counted[components[0]] = False
    counted[components[:, 0]] = False
    return int(np.count_nonzero(counted))


def counting_share(shape: tuple[int, int]) -> float:
    """Share of a field's area that its counting frame has, ``shape`` in pixels."""
    height, width = shape
    return (height - 1) * (width - 1) / (height * width)


def density_per_mm2(count: float, area_um2: float) -> float:
    """Features per mm² of specimen on one field; fields weigh as their valid area (a_i).

    Args:
        count: from :func:`count_features`.
        area_um2: valid area of the field times :func:`counting_share`.

    Raises:
        EstimationError: the field has no specimen.
    """
    if not area_um2 > 0:
        raise EstimationError("no specimen on this field: its density of inclusions is undefined")
    return count / area_um2 * UM2_PER_MM2


def largest_density_per_mm2(min_feature_um: float) -> float:
    """A bound that no density can exceed: centres of discs of this diameter, packed as closely as can be.

    The upper bound that a target on counts declares where the user declares none; 2 / (sqrt(3) d²).

    Raises:
        EstimationError: without a smallest feature a density has no bound.
    """
    if not min_feature_um > 0:
        raise EstimationError(
            "inclusions_per_mm2 needs min_feature_um > 0: without a smallest inclusion the number per mm2"
            " has no upper bound, and no interval is honest"
        )
    return 2 / (math.sqrt(3) * min_feature_um**2) * UM2_PER_MM2


def poisson_interval(count: int, exposure: float, confidence: float) -> tuple[float, float]:
    """Exact interval of a Poisson rate (Garwood, Biometrika 28 (1936) 437).

    For uniform designs on a specimen where features fall independently; clusters make it too narrow.

    Args:
        count: features found.
        exposure: area in mm².
        confidence: coverage, two-sided; with no feature found the lower end is 0.
    """
    from scipy.special import chdtri

    tail = (1 - confidence) / 2
    low = 0.0 if count == 0 else float(chdtri(2 * count, 1 - tail)) / (2 * exposure)
    return low, float(chdtri(2 * count + 2, tail)) / (2 * exposure)


def zero_count_bound(exposure: float, confidence: float = 0.95) -> float:
    """Upper bound of a rate after finding none: -ln(alpha) / exposure, the rule of three (3.00 at 95 %).

    One-sided, for uniform designs. Source: Hanley & Lippman-Hand, JAMA 249 (1983) 1743.

    Args:
        exposure: area in mm², or fields.
        confidence: of the bound.

    Raises:
        EstimationError: nothing was looked at.
    """
    if not exposure > 0:
        raise EstimationError("nothing was looked at: finding none says nothing")
    return -math.log(1 - confidence) / exposure


def betting_upper_bound(
    draws: Iterable[tuple[float, float, float, float]], low: float, high: float, confidence: float = 0.95
) -> float:
    """One-sided upper bound from pseudo-values of any design, valid at any stopping time.

    Replaces the rule of three where fields were drawn with unequal probabilities.

    Args:
        draws: (Z, least possible Z, most possible Z, bet) of each draw, all but Z fixed before it.
        low: lowest possible value of the quantity.
        high: highest possible value.
        confidence: of the bound, above one half.

    Raises:
        EstimationError: the confidence is not in (0.5, 1).
    """
    if not 0.5 < confidence < 1:
        raise EstimationError(f"the confidence of a one-sided bound must lie in (0.5, 1), not {confidence:g}")
    interval = BettingInterval(low, high, 1 - 2 * (1 - confidence))
    for z, least, most, bet in draws:
        interval.update(z, z, least, most, bet)
    return interval.high
