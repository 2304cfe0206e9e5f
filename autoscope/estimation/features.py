"""Features of a class on one field, and how many of them there are on a specimen.

A feature that the edge of a field cuts has an unknown size and may be seen on two fields. It is left out,
and every feature that is seen whole stands for 1/p features, p being the probability that a field which is
laid at random over a feature of this height and width holds all of it. That makes the number, the number of
any size class, and the size distribution right on average, whatever the features' shapes.

Sources: Miles, in Stochastic Geometry (Wiley 1974) 228; Lantuéjoul, Microscopica Acta Suppl. 4 (1980) 266;
ISO 13322-1:2014 (measurement frame, probability of being inside it).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.estimation.counts import UM2_PER_MM2

LARGEST_WEIGHT = 4.0
"""Most features that one may stand for: those that reach over half of a field in both directions. Larger ones
are counted with this weight, which is too little, and the session warns of them."""
PIXEL_DIAMETER = 2 / math.sqrt(math.pi)
"""Equivalent circle diameter of one pixel, in pixels: nothing smaller can be found."""


@dataclass(frozen=True, slots=True)
class Features:
    """Features of one class on one field; arrays have one entry for each.

    Attributes:
        number: value in ``components``.
        row: centroid, px, pixel centres being whole numbers.
        column: centroid, likewise.
        area_px: pixels.
        height_px: of the bounding box.
        width_px: of the bounding box.
        whole: whether no pixel lies on the edge of the field, so that none can lie beyond it.
        components: ``height x width``, 0 where the class is not.
    """

    number: NDArray[np.intp]
    row: NDArray[np.float64]
    column: NDArray[np.float64]
    area_px: NDArray[np.intp]
    height_px: NDArray[np.intp]
    width_px: NDArray[np.intp]
    whole: NDArray[np.bool_]
    components: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.number)

    @property
    def diameter_px(self) -> NDArray[np.float64]:
        """Diameters of the circles of equal area."""
        return np.asarray(np.sqrt(self.area_px * (4 / math.pi)))

    def weights(self) -> NDArray[np.float64]:
        """How many features each stands for: 1/p for those that are whole, 0 for those that are cut.

        A feature of h x w pixels lies whole, and off the outermost pixels, at (H - 1 - h)(W - 1 - w) of the
        H W places that a field of H x W pixels can have.
        """
        height, width = self.components.shape
        places = np.maximum(height - 1 - self.height_px, 0) * np.maximum(width - 1 - self.width_px, 0)
        ample = np.minimum(height * width / np.maximum(places, 1), LARGEST_WEIGHT)
        return np.where(self.whole, ample, 0.0)

    def too_large(self) -> NDArray[np.bool_]:
        """Which stand for more features than ``LARGEST_WEIGHT`` allows, or are cut and reach that far."""
        height, width = self.components.shape
        places = np.maximum(height - 1 - self.height_px, 0) * np.maximum(width - 1 - self.width_px, 0)
        return np.asarray(places * LARGEST_WEIGHT < height * width)


def find_features(
    labels: NDArray[np.integer],
    class_index: int,
    *,
    valid: NDArray[np.bool_] | None = None,
    min_feature_px: float = 0.0,
) -> Features:
    """Features (8-connected) of a class, in order of their first pixel.

    Args:
        labels: ``height x width`` class indices.
        class_index: the class.
        valid: ``height x width``, where there is specimen; everywhere by default. A feature ends where the
            specimen does; only the edge of the field cuts it.
        min_feature_px: features whose equivalent circle diameter is smaller, in pixels, are left out.
    """
    from scipy.ndimage import find_objects, label

    mask = labels == class_index
    if valid is not None:
        mask &= valid
    components, count = label(mask, structure=np.ones((3, 3), int))
    area = np.bincount(components.ravel(), minlength=count + 1)
    rows, columns = np.nonzero(components)
    owner = components[rows, columns]
    row, column = (np.bincount(owner, place, count + 1) / np.maximum(area, 1) for place in (rows, columns))
    boxes = find_objects(components)
    edges = np.array([(b[0].start, b[0].stop, b[1].start, b[1].stop) for b in boxes], np.intp).reshape(-1, 4)
    height, width = mask.shape
    whole = (edges[:, 0] > 0) & (edges[:, 1] < height) & (edges[:, 2] > 0) & (edges[:, 3] < width)
    kept = np.flatnonzero(area[1:] >= math.pi / 4 * min_feature_px**2)
    return Features(
        kept + 1, row[1:][kept], column[1:][kept], area[1:][kept], (edges[:, 1] - edges[:, 0])[kept],
        (edges[:, 3] - edges[:, 2])[kept], whole[kept], components.astype(np.int32, copy=False),
    )  # fmt: skip


def largest_counted_density_per_mm2(min_feature_um: float, pixel_nm: float) -> float:
    """What no field's density can exceed: the smallest features, filling it, at their largest weight.

    Args:
        min_feature_um: smaller features are not counted; 0: every feature is at least a pixel.
        pixel_nm: edge of a pixel.
    """
    diameter_um = max(min_feature_um, PIXEL_DIAMETER * pixel_nm / 1000)
    return LARGEST_WEIGHT * UM2_PER_MM2 / (math.pi / 4 * diameter_um**2)
