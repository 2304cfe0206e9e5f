"""Samples as they were decoded, to grey pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ImageError

Pixels = NDArray[np.uint8] | NDArray[np.uint16]

MAX_PIXELS = 2**31
"""Largest image that is read, in pixels: 2 GiB at 8 bit. Larger mosaics are imported in parts."""

_BT601 = (299, 587, 114)
"""Luma weights of red, green and blue in thousandths (ITU-R BT.601-7, section 2.5.1)."""

_ROWS_AT_ONCE = 256


def check_size(width: int, height: int, path: Path) -> None:
    """Refuses what would not fit into memory, before anything is decoded.

    Raises:
        ImageError: the image has no pixels, or more than `MAX_PIXELS`.
    """
    if width < 1 or height < 1:
        raise ImageError(f"{path}: the image is {width} x {height} px: it has no pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(
            f"{path}: the image is {width} x {height} px = {width * height} px, the limit is {MAX_PIXELS} px:"
            " cut it into tiles and import them together"
        )


def to_grey(samples: NDArray[Any], path: Path) -> tuple[Pixels, dict[str, str]]:
    """Turns decoded samples to grey.

    Args:
        samples: ``height x width`` or ``height x width x channels``; one or three channels, and an alpha
            channel after them, which must be opaque.
        path: the file, for messages.

    Returns:
        ``height x width`` uint8 or uint16, contiguous, and a note on the colour where there was any.

    Raises:
        ImageError: the samples are neither 8 nor 16 bit, have other channels, or are see-through.
    """
    if samples.dtype == np.bool_:
        samples = samples.astype(np.uint8) * np.uint8(255)
    if samples.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise ImageError(
            f"{path}: the pixels are {samples.dtype}, not 8- or 16-bit grey: which value is white is"
            " yours to choose, so convert the image to 8 or 16 bit grey first"
        )
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    if samples.ndim not in (2, 3) or channels not in (1, 2, 3, 4):
        raise ImageError(f"{path}: the image has shape {samples.shape}, not height x width of grey or RGB")
    if channels in (2, 4) and bool((samples[..., -1] != np.iinfo(samples.dtype).max).any()):
        raise ImageError(f"{path}: the image has transparent pixels: save it without an alpha channel")
    if channels <= 2:
        plane = samples if samples.ndim == 2 else samples[..., 0]
        return _owned(plane), {}
    if _equal_channels(samples):
        return _owned(samples[..., 0]), {"note.colour": "stored as colour with three equal channels"}
    return _luma(samples), {"note.colour": "colour, turned to grey by the weights of ITU-R BT.601"}


def _equal_channels(samples: NDArray[Any]) -> bool:
    red = samples[..., 0]
    return bool(np.array_equal(red, samples[..., 1]) and np.array_equal(red, samples[..., 2]))


def _luma(samples: NDArray[Any]) -> Pixels:
    """Weighted sum, rounded to nearest, some rows at a time so that large images need little memory."""
    grey: Pixels = np.empty(samples.shape[:2], samples.dtype)
    weights = np.array(_BT601, np.uint32)
    for start in range(0, len(samples), _ROWS_AT_ONCE):
        rows = samples[start : start + _ROWS_AT_ONCE, :, :3].astype(np.uint32)
        grey[start : start + _ROWS_AT_ONCE] = (rows @ weights + 500) // 1000
    return grey


def _owned(plane: NDArray[Any]) -> Pixels:
    if plane.dtype == np.dtype(np.uint8):
        return np.ascontiguousarray(plane, dtype=np.uint8)
    return np.ascontiguousarray(plane, dtype=np.uint16)
