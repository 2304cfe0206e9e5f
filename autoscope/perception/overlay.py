"""Pictures of what was found, drawn over the image that it was found in."""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import NDArray

from autoscope.images import palette
from autoscope.perception.preprocessing import grey_levels
from autoscope.perception.segmentation import Pixels
from autoscope.perception.settings import Preprocessing

_GOLDEN_ANGLE = 0.381966
_TINT = 0.35
"""Share of the colour in what is painted over the image."""

Picture = NDArray[np.uint8]


def grey_picture(pixels: Pixels) -> Picture:
    """The image as ``height x width x 3``, stretched between its percentiles."""
    grey = np.round(255 * grey_levels(pixels, Preprocessing())).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def class_picture(labels: NDArray[np.uint8]) -> Picture:
    """Class indices in the colours of class maps, ``height x width x 3``."""
    return np.frombuffer(palette(), np.uint8).reshape(256, 3)[labels]


def instance_overlay(pixels: Pixels, numbered: NDArray[np.int32]) -> Picture:
    """Every instance in a colour of its own, outlined.

    Args:
        pixels: ``height x width`` of the image.
        numbered: ``height x width``, 0 where there is none.
    """
    from skimage.segmentation import find_boundaries

    picture = grey_picture(pixels)
    colours = _colours(int(numbered.max(initial=0)))
    inside = numbered > 0
    tint = colours[numbered[inside]]
    picture[inside] = np.round((1 - _TINT) * picture[inside] + _TINT * tint).astype(np.uint8)
    outline = find_boundaries(numbered, mode="inner")  # type: ignore[no-untyped-call]
    picture[outline] = colours[numbered[outline]]
    return picture


def _colours(count: int) -> Picture:
    """``count + 1`` colours that differ from one to the next; the first is black."""
    table = [(0.0, 0.0, 0.0)]
    table += [colorsys.hsv_to_rgb(n * _GOLDEN_ANGLE % 1.0, 0.8, 1.0) for n in range(1, count + 1)]
    return np.round(255 * np.array(table)).astype(np.uint8)
