"""Size, shape and position of single instances."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.perception.instances import Instances
from autoscope.perception.settings import Settings

_CORNERS = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, -0.5], [0.5, 0.5]])
_PIXEL_MOMENT = 1 / 12
"""Second moment of a square pixel about its centre, px²."""


class Instance(Settings):
    """One thing. Lengths in um are null where the image does not say its pixel size.

    Attributes:
        number: its value in the numbered picture.
        class_name: what it is.
        confidence: mean probability of the class over its pixels.
        row_px: centroid, counted from the upper edge; the centre of the first pixel is 0.
        column_px: centroid, counted from the left edge.
        x_um: centroid, from the left edge of the image.
        y_um: centroid, from its upper edge, downwards.
        area_px: pixels.
        diameter_px: of the circle of equal area.
        diameter_um: likewise.
        feret_max_um: largest caliper width.
        feret_min_um: smallest caliper width.
        feret_max_px: largest caliper width.
        feret_min_px: smallest caliper width.
        aspect: major over minor axis of the ellipse of equal second moments; 1 for a circle.
        circularity: ``4 pi area / perimeter²``, the perimeter by Crofton's formula in four directions; 1 for
            a circle, which pixels miss by up to a tenth from 16 px diameter and more below; null where it
            has no perimeter.
        angle_deg: of the major axis, from the rows' direction, anticlockwise, in [-90, 90).
        cut: whether the edge of the image cuts it, so that size and shape are those of a part.
        box_px: first row, first column, last row + 1, last column + 1.
    """

    number: int
    class_name: str
    confidence: float
    row_px: float
    column_px: float
    x_um: float | None
    y_um: float | None
    area_px: int
    diameter_px: float
    diameter_um: float | None
    feret_max_um: float | None
    feret_min_um: float | None
    feret_max_px: float
    feret_min_px: float
    aspect: float
    circularity: float | None
    angle_deg: float
    cut: bool
    box_px: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Ellipse:
    """Of equal second moments."""

    aspect: float
    angle_deg: float


def measure(found: Instances, class_name: str, pixel_nm: float | None) -> tuple[Instance, ...]:
    """Measures every instance.

    Args:
        found: the instances.
        class_name: of them.
        pixel_nm: edge of a pixel; None where it is not known.
    """
    from scipy.ndimage import find_objects

    um = None if pixel_nm is None or not math.isfinite(pixel_nm) else pixel_nm / 1000
    boxes = find_objects(found.numbered)
    return tuple(
        _measured(number, found, boxes[number - 1], class_name, um) for number in range(1, len(found) + 1)
    )


def feret_px(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Largest and smallest caliper width of a thing made of square pixels.

    The smallest is perpendicular to an edge of the convex hull (Shamos 1978, theorem 4.3).

    Args:
        mask: ``height x width``, at least one pixel of it true.
    """
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist

    first = np.argmax(mask, axis=1)
    last = mask.shape[1] - 1 - np.argmax(mask[:, ::-1], axis=1)
    rows = np.flatnonzero(mask.any(axis=1))
    ends = np.vstack([np.column_stack([rows, first[rows]]), np.column_stack([rows, last[rows]])])
    points = (ends[:, None, :] + _CORNERS).reshape(-1, 2)
    hull = points[ConvexHull(points).vertices]
    edges = np.roll(hull, -1, axis=0) - hull
    normals = np.column_stack([-edges[:, 1], edges[:, 0]]) / np.linalg.norm(edges, axis=1)[:, None]
    across = normals @ hull.T
    return float(pdist(hull).max()), float((across.max(axis=1) - across.min(axis=1)).min())


def circularity(mask: NDArray[np.bool_]) -> float | None:
    """``4 pi area / perimeter²``; None where the perimeter comes out as nothing."""
    from skimage.measure import perimeter_crofton

    around: float = perimeter_crofton(np.pad(mask, 1), directions=4)  # type: ignore[no-untyped-call]
    perimeter = float(around)
    return 4 * math.pi * int(mask.sum()) / perimeter**2 if perimeter > 0 else None


def _measured(
    number: int, found: Instances, box: tuple[slice, slice], class_name: str, um: float | None
) -> Instance:
    rows, columns = box
    mask = found.numbered[box] == number
    y, x = (place.astype(np.float64) for place in np.nonzero(mask))
    row, column = rows.start + float(y.mean()), columns.start + float(x.mean())
    area = len(y)
    largest, smallest = feret_px(mask)
    ellipse = _ellipse(y, x)
    diameter = math.sqrt(4 / math.pi * area)

    def length(pixels: float) -> float | None:
        return None if um is None else pixels * um

    height, width = found.numbered.shape
    return Instance(
        number=number, class_name=class_name, confidence=float(found.confidence[number - 1]),
        row_px=row, column_px=column, x_um=length(column + 0.5), y_um=length(row + 0.5),
        area_px=area, diameter_px=diameter, diameter_um=length(diameter),
        feret_max_um=length(largest), feret_min_um=length(smallest),
        feret_max_px=largest, feret_min_px=smallest,
        aspect=ellipse.aspect, circularity=circularity(mask), angle_deg=ellipse.angle_deg,
        cut=rows.start == 0 or columns.start == 0 or rows.stop == height or columns.stop == width,
        box_px=(rows.start, columns.start, rows.stop, columns.stop),
    )  # fmt: skip


def _ellipse(y: NDArray[np.float64], x: NDArray[np.float64]) -> _Ellipse:
    dy, dx = y - y.mean(), x - x.mean()
    yy, xx, xy = float((dy * dy).mean()), float((dx * dx).mean()), float((dx * dy).mean())
    half, spread = (yy + xx) / 2 + _PIXEL_MOMENT, math.hypot((yy - xx) / 2, xy)
    angle = math.degrees(0.5 * math.atan2(-2 * xy, xx - yy))  # rows count downwards
    return _Ellipse(math.sqrt((half + spread) / (half - spread)), angle if angle < 90 else -90.0)
