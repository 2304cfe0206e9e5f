"""From a class map to the value of a quantity on one field."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError


def area_fraction(
    labels: NDArray[np.integer],
    class_index: int,
    *,
    valid: NDArray[np.bool_] | None = None,
    min_feature_px: float = 0.0,
) -> float:
    """Share of the valid pixels that belong to a class (A_A = V_V, Delesse 1847).

    Args:
        labels: ``height x width`` class indices.
        class_index: the class.
        valid: ``height x width``, where there is specimen; everywhere by default.
        min_feature_px: features (8-connected) whose equivalent circle diameter is smaller than this, in
            pixels, are not counted; the pixels stay in the denominator.

    Raises:
        EstimationError: no pixel is valid, or the two arrays differ in shape.
    """
    if valid is not None and valid.shape != labels.shape:
        raise EstimationError(
            f"the class map is {labels.shape[0]} x {labels.shape[1]} pixels, the map of valid pixels is"
            f" {' x '.join(map(str, valid.shape))}; they must agree"
        )
    total = labels.size if valid is None else int(np.count_nonzero(valid))
    if total == 0:
        raise EstimationError("no pixel of this field is specimen: its area fraction is undefined")
    mask = labels == class_index
    if valid is not None:
        mask &= valid
    if min_feature_px > 0:
        mask = without_small(mask, min_feature_px)
    return float(np.count_nonzero(mask) / total)


def without_small(mask: NDArray[np.bool_], min_feature_px: float) -> NDArray[np.bool_]:
    """A mask without its features (8-connected) of a smaller equivalent circle diameter, in pixels."""
    from scipy.ndimage import label

    components, _ = label(mask, structure=np.ones((3, 3), int))
    areas = np.bincount(components.ravel())
    keep = areas >= math.pi / 4 * min_feature_px**2
    keep[0] = False
    return np.asarray(keep[components])
