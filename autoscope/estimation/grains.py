"""Grain size by ASTM E112: mean lineal intercept from test lines, and the number G.

Each field gives P_L, boundary crossings per micrometre of test line, whose mean over the specimen any
design estimates without bias; the mean lineal intercept is 1 / P_L (E112-13, section 13: with half counts at
the ends of lines, intercepts and crossings are the same number). The interval of P_L, turned over, is the
interval of the intercept, with the same coverage.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError

G_SLOPE, G_OFFSET = -6.643856, -3.288
"""G = -6.643856 log10(mean intercept in mm) - 3.288 (ASTM E112-13, table 4 and annex A1)."""


@dataclass(frozen=True, slots=True)
class Crossings:
    """What the test lines of one field met.

    Attributes:
        count: boundaries crossed; a boundary that a line ends on counts one half.
        length_px: length of test line on specimen, pixels, from the centre of a line's first pixel to that of
            its last: a boundary can be met only between two pixels, and so the mean has no edge effect.
    """

    count: float
    length_px: float

    def per_um(self, pixel_nm: float) -> float:
        """P_L, crossings per um.

        Raises:
            EstimationError: no test line lies on specimen.
        """
        if not self.length_px > 0:
            raise EstimationError("no test line of this field lies on specimen: its grain size is undefined")
        return self.count / (self.length_px * pixel_nm / 1000)


@dataclass(frozen=True, slots=True)
class GrainSize:
    """Mean lineal intercept and grain size number with their intervals.

    Attributes:
        intercept_um: mean lineal intercept.
        low_um: lower end.
        high_um: upper end; infinite where even no boundary at all is possible.
        number: G; grows as grains get smaller.
        number_low: G of ``high_um``.
        number_high: G of ``low_um``.
    """

    intercept_um: float
    low_um: float
    high_um: float
    number: float
    number_low: float
    number_high: float


def grain_crossings(
    grains: NDArray[np.integer], *, line_spacing_px: int = 1, valid: NDArray[np.bool_] | None = None
) -> Crossings:
    """Counts boundaries along horizontal and vertical test lines through a map of grains.

    A boundary is where the grain changes, whether the two touch or unlabelled pixels (0: boundary or
    nothing) lie between; unlabelled pixels inside one grain are no boundary, and those at an end of a line
    are no boundary either.

    Args:
        grains: ``height x width`` grain numbers, 0 where there is none.
        line_spacing_px: distance between parallel lines; lines of both directions, so that grains that
            are elongated along one axis count by their mean (E112-13, section 16).
        valid: ``height x width``, where there is specimen; lines are cut elsewhere.
    """
    count = length = 0.0
    for line, here in _test_lines(grains, valid, line_spacing_px):
        labelled = here & (line > 0)
        piece = np.cumsum(~here)[labelled]  # a gap in the specimen starts a new line
        met = line[labelled]
        count += np.count_nonzero((met[1:] != met[:-1]) & (piece[1:] == piece[:-1]))
        length += np.count_nonzero(here[1:] & here[:-1])
    return Crossings(float(count), float(length))


def boundary_crossings(
    boundary: NDArray[np.bool_], *, line_spacing_px: int = 1, valid: NDArray[np.bool_] | None = None
) -> Crossings:
    """Counts boundaries along horizontal and vertical test lines through a map of boundary pixels.

    Each run of boundary pixels along a line is one crossing; a run that reaches an end counts one half
    (E112-13, section 13.3: a line that ends on a boundary). Boundaries that run along a line are counted
    once for all their length, which the mean over two directions and many lines makes small.

    Args:
        boundary: ``height x width``, True on boundaries.
        line_spacing_px: distance between parallel lines.
        valid: ``height x width``, where there is specimen; lines are cut elsewhere.
    """
    count = length = 0.0
    for line, here in _test_lines(boundary, valid, line_spacing_px):
        met = line.astype(bool) & here
        edges = np.diff(np.concatenate([[False], met]).astype(np.int8))
        begins, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        open_before = (begins > 0) & here[np.maximum(begins - 1, 0)]
        count += 0.5 * (np.count_nonzero(open_before) + np.count_nonzero(here[ends]))
        length += np.count_nonzero(here[1:] & here[:-1])
    return Crossings(float(count), float(length))


def _test_lines(
    values: NDArray[Any], valid: NDArray[np.bool_] | None, spacing_px: int
) -> Iterator[tuple[NDArray[Any], NDArray[np.bool_]]]:
    """All horizontal, then all vertical test lines end to end, with a pixel of no specimen after each.

    Yields:
        values along the lines, and where they lie on specimen.
    """
    specimen = np.ones(values.shape, bool) if valid is None else valid
    for across, inside in ((values, specimen), (values.T, specimen.T)):
        offset = min(spacing_px // 2, len(across) - 1)
        end = ((0, 0), (0, 1))
        yield (
            np.pad(across[offset::spacing_px], end).ravel(),
            np.pad(inside[offset::spacing_px], end).ravel(),
        )


def grain_size_number(intercept_um: float) -> float:
    """G of a mean lineal intercept (ASTM E112-13); infinite at 0, minus infinite at infinity."""
    if intercept_um == 0:
        return math.inf
    if math.isinf(intercept_um):
        return -math.inf
    return G_SLOPE * math.log10(intercept_um / 1000) + G_OFFSET


def grain_size(crossings_per_um: float, low_per_um: float, high_per_um: float) -> GrainSize:
    """Grain size from an estimate of P_L and its interval.

    Args:
        crossings_per_um: estimate of P_L.
        low_per_um: lower end, 0 or more.
        high_per_um: upper end.

    Raises:
        EstimationError: the three are not in order, or negative.
    """
    if not 0 <= low_per_um <= crossings_per_um <= high_per_um:
        raise EstimationError(
            f"crossings per um: {low_per_um:g}, {crossings_per_um:g}, {high_per_um:g} must be in ascending"
            " order and not negative"
        )
    middle, low, high = (
        math.inf if value == 0 else 1 / value for value in (crossings_per_um, high_per_um, low_per_um)
    )
    return GrainSize(
        middle, low, high, grain_size_number(middle), grain_size_number(high), grain_size_number(low)
    )
