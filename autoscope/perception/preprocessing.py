"""Grey levels of a frame to what a network takes in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ImageError
from autoscope.perception.segmentation import Pixels
from autoscope.perception.settings import Preprocessing


def check_pixels(pixels: NDArray[np.generic], name: str = "frame") -> None:
    """Refuses what is not a grey image.

    Raises:
        ImageError: not ``height x width`` uint8 or uint16, or empty.
    """
    if pixels.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise ImageError(
            f"{name}: pixels are {pixels.dtype}, they must be uint8 or uint16: convert the image"
        )
    if pixels.ndim != 2 or pixels.size == 0:
        raise ImageError(
            f"{name}: pixels have shape {' x '.join(map(str, pixels.shape))}, they must be height x width"
        )


def grey_levels(pixels: Pixels, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Grey levels in [0, 1].

    Args:
        pixels: ``height x width``.
        preprocessing: how. An image of one value becomes 0 under ``percentile`` and ``clahe``.

    Returns:
        ``height x width``.
    """
    table = _level_table(pixels, preprocessing)
    stretched = table[pixels]
    if preprocessing.kind != "clahe":
        return stretched
    from skimage.exposure import equalize_adapthist

    equalised: NDArray[np.float32] = equalize_adapthist(
        stretched, clip_limit=preprocessing.clip_limit
    ).astype(np.float32)
    return equalised


def network_input(pixels: Pixels, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """What the network takes in: normalised grey levels, ``height x width``."""
    normalised = (grey_levels(pixels, preprocessing) - preprocessing.mean) / preprocessing.deviation
    return normalised.astype(np.float32, copy=False)


def _level_table(pixels: Pixels, preprocessing: Preprocessing) -> NDArray[np.float32]:
    """Grey level of every value that a pixel can have: a look-up is faster than arithmetic on pixels."""
    full = int(np.iinfo(pixels.dtype).max)
    values = np.arange(full + 1, dtype=np.float32)
    if preprocessing.kind == "full_range":
        return values / np.float32(full)
    low, high = _percentile_values(pixels, preprocessing.low_percent, preprocessing.high_percent)
    return np.clip((values - low) / max(high - low, 1), 0.0, 1.0).astype(np.float32)


def _percentile_values(pixels: Pixels, low_percent: float, high_percent: float) -> tuple[int, int]:
    """Smallest values with at least so many per cent of the pixels at or below them."""
    counts = np.bincount(pixels.ravel(), minlength=int(np.iinfo(pixels.dtype).max) + 1)
    below = np.cumsum(counts)
    wanted = np.maximum(np.array([low_percent, high_percent]) / 100.0 * pixels.size, 1.0)
    low, high = np.searchsorted(below, wanted)
    return int(low), int(high)
