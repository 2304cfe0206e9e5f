"""Regions of a specimen: rectangles and polygons in specimen coordinates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class Rectangle:
    """An axis-parallel rectangle in specimen coordinates, um.

    Raises:
        ConfigurationError: if it is empty or not finite.
    """

    x0_um: float
    y0_um: float
    x1_um: float
    y1_um: float

    def __post_init__(self) -> None:
        values = (self.x0_um, self.y0_um, self.x1_um, self.y1_um)
        if not all(map(math.isfinite, values)):
            raise ConfigurationError(f"rectangle {list(values)} um has a value that is not finite")
        if self.x1_um <= self.x0_um or self.y1_um <= self.y0_um:
            raise ConfigurationError(
                f"rectangle {list(values)} um is empty: it needs x0 < x1 and y0 < y1 ([x0, y0, x1, y1])"
            )

    @property
    def width_um(self) -> float:
        """Extent in x, um."""
        return self.x1_um - self.x0_um

    @property
    def height_um(self) -> float:
        """Extent in y, um."""
        return self.y1_um - self.y0_um

    @property
    def area_um2(self) -> float:
        """Area, um²."""
        return self.width_um * self.height_um

    @property
    def centre(self) -> tuple[float, float]:
        """``(x_um, y_um)`` of the centre."""
        return (self.x0_um + self.x1_um) / 2, (self.y0_um + self.y1_um) / 2

    def contains(self, x_um: float, y_um: float) -> bool:
        """Whether the point lies in the rectangle, its edges included."""
        return self.x0_um <= x_um <= self.x1_um and self.y0_um <= y_um <= self.y1_um

    def intersection(self, other: Rectangle) -> Rectangle | None:
        """The common part, or None where the two have no area in common."""
        x0, x1 = max(self.x0_um, other.x0_um), min(self.x1_um, other.x1_um)
        y0, y1 = max(self.y0_um, other.y0_um), min(self.y1_um, other.y1_um)
        return Rectangle(x0, y0, x1, y1) if x1 > x0 and y1 > y0 else None


@dataclass(frozen=True, slots=True)
class Polygon:
    """A simple polygon in specimen coordinates.

    Attributes:
        vertices: ``((x_um, y_um), ...)``, at least three, in order; the last joins the first.
    """

    vertices: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        if len(self.vertices) < 3:
            raise ConfigurationError(f"a polygon needs at least 3 vertices, not {len(self.vertices)}")
        if not np.isfinite(np.asarray(self.vertices)).all():
            raise ConfigurationError("a polygon has a vertex that is not finite")

    @property
    def bounds(self) -> Rectangle:
        """The smallest rectangle around the polygon."""
        points = np.asarray(self.vertices)
        (x0, y0), (x1, y1) = points.min(axis=0), points.max(axis=0)
        return Rectangle(float(x0), float(y0), float(x1), float(y1))

    def contains(self, x_um: NDArray[np.float64], y_um: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Even-odd rule (Shimrat 1962) for points ``n``; returns ``n`` booleans."""
        x, y = np.asarray(x_um, float), np.asarray(y_um, float)
        inside = np.zeros(x.shape, bool)
        previous = self.vertices[-1]
        for vertex in self.vertices:
            (xa, ya), (xb, yb) = previous, vertex
            if ya != yb:
                crosses = (ya > y) != (yb > y)
                inside ^= crosses & (x < (xb - xa) * (y - ya) / (yb - ya) + xa)
            previous = vertex
        return inside


Region = Rectangle | Polygon


def bounds(region: Region) -> Rectangle:
    """The rectangle around a region, itself where it is one."""
    return region.bounds if isinstance(region, Polygon) else region
