"""Single things of one class in a class map: particles, pores, melt pools.

Things that touch are one connected component and are taken apart by a watershed (Beucher & Lantuéjoul 1979):
it floods from seeds, one for each thing, over the component. Seeds come from the shape (one wherever the
distance to the edge has a peak of its own) or from the network (where it is sure to be inside of a thing).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from autoscope.core import ConfigurationError, nearest
from autoscope.perception.segmentation import Segmentation
from autoscope.perception.settings import Settings, Share

Mask = NDArray[np.bool_]
Numbered = NDArray[np.int32]

SPLITS = ("none", "distance", "probability")
_EIGHT = np.ones((3, 3), int)


class InstanceSettings(Settings):
    """How a class is taken apart into instances.

    Attributes:
        class_name: the class.
        rim: class that was learned as the outline of every thing; its pixels belong to the things.
        split: ``none`` takes connected components as they are; ``distance`` cuts necks; ``probability``
            has a seed wherever the class is likelier than ``seed_probability``.
        neck: two things are cut apart where the neck between them is narrower than this share of the
            narrower one; for ``distance``.
        seed_probability: for ``probability``.
        min_diameter_px: things whose equivalent circle diameter is smaller are left out.
    """

    class_name: str
    rim: str | None = None
    split: Literal["none", "distance", "probability"] = "distance"
    neck: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.75
    seed_probability: Share = 0.5
    min_diameter_px: Annotated[float, Field(ge=0.0)] = 3.0


@dataclass(frozen=True, slots=True)
class Instances:
    """The instances of one frame.

    Attributes:
        numbered: ``height x width``, 0 where there is none, 1 to ``len`` by first pixel elsewhere.
        confidence: mean probability of the class over each instance's pixels.
    """

    numbered: Numbered
    confidence: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.confidence)


def find_instances(found: Segmentation, settings: InstanceSettings) -> Instances:
    """Instances of a class, 8-connected.

    Args:
        found: a segmentation with probabilities.
        settings: which class, and how things that touch are taken apart.

    Raises:
        ConfigurationError: the model has no such class, or the segmentation has no probabilities.
    """
    inside = _index(found, settings.class_name)
    if found.probability is None:
        raise ConfigurationError("instances need class probabilities: segment with probability=True")
    likely = found.probability[inside].astype(np.float32)
    mask = found.labels == inside
    sure = mask & (likely > settings.seed_probability)
    whole = likely
    if settings.rim is not None:
        rim = _index(found, settings.rim)
        mask = mask | (found.labels == rim)
        whole = likely + found.probability[rim].astype(np.float32)
    numbered = _without_small(_split(mask, sure, likely, settings), settings.min_diameter_px)
    pixels = np.bincount(numbered.ravel())[1:]
    sums = np.bincount(numbered.ravel(), weights=whole.ravel())[1:]
    return Instances(numbered, np.minimum(sums / np.maximum(pixels, 1), 1.0))


def split_by_distance(mask: Mask, neck: float) -> Numbered:
    """Takes things that touch apart at their necks.

    A seed is a peak of the logarithm of the distance to the edge that stands out by ``-log(neck)`` from the
    pass to any higher one, so that large and small things are cut by the same rule.

    Args:
        mask: ``height x width``.
        neck: width of the widest neck that is cut, as a share of the narrower thing's width.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter, label
    from skimage.morphology import reconstruction

    distance = gaussian_filter(distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1], 1.0)
    height = np.where(mask, np.log(np.maximum(distance, 1e-3)), np.log(1e-3))
    drop = -math.log(neck)
    passes = reconstruction(height - drop, height, method="dilation")  # type: ignore[no-untyped-call]
    peaks = mask & (height - passes >= drop * (1 - 1e-6))
    return _flooded(mask, label(peaks, structure=_EIGHT)[0], -distance)


def _split(mask: Mask, sure: Mask, likely: NDArray[np.float32], settings: InstanceSettings) -> Numbered:
    from scipy.ndimage import label

    if settings.split == "none" or not mask.any():
        return np.asarray(label(mask, structure=_EIGHT)[0], dtype=np.int32)
    if settings.split == "distance":
        return split_by_distance(mask, settings.neck)
    return _flooded(mask, label(sure, structure=_EIGHT)[0], -likely)


def _flooded(mask: Mask, seeds: NDArray[np.integer], elevation: NDArray[np.floating]) -> Numbered:
    """Floods the mask from its seeds; a component without any is one thing."""
    from scipy.ndimage import label
    from skimage.segmentation import watershed

    components, count = label(mask, structure=_EIGHT)
    seeded = np.zeros(count + 1, bool)
    seeded[np.unique(components[seeds > 0])] = True
    lonely = mask & ~seeded[components]
    markers = np.where(lonely, components + int(seeds.max(initial=0)), seeds)
    flooded = watershed(elevation, markers, mask=mask, connectivity=2)  # type: ignore[no-untyped-call]
    return np.asarray(flooded, dtype=np.int32)


def _without_small(numbered: Numbered, min_diameter_px: float) -> Numbered:
    """Leaves small instances out and numbers the others by their first pixel."""
    values, first, area = np.unique(numbered, return_index=True, return_counts=True)
    kept = (values > 0) & (area >= math.pi / 4 * min_diameter_px**2)
    order = values[kept][np.argsort(first[kept])]
    new = np.zeros(int(numbered.max(initial=0)) + 1, np.int32)
    new[order] = np.arange(1, len(order) + 1)
    return new[numbered]


def _index(found: Segmentation, name: str) -> int:
    if name not in found.class_names:
        known = found.class_names
        raise ConfigurationError(
            f"the model has no class {name!r}{nearest(name, known)}; it has: {', '.join(known)}"
        )
    return found.class_names.index(name)
