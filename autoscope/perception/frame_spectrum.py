"""How sharp a frame is at every scale, and how its rows jump: read from the frame itself, at full resolution.

The power of structures and of a detector's noise falls from band to band of spatial frequency, and less
and less so: noise is flat, and what lies beyond it hides in it. A blur takes power away faster and faster, so
that the steepest drop of a blurred frame is beyond those of sharp ones, whatever their magnification and
noise. Rows of a scan that charges differ from their neighbours by more than the noise of their pixels
explains, which columns never do.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from autoscope.perception.frame_statistics import inside_black_borders
from autoscope.perception.segmentation import Pixels

BANDS = 8
"""Bands of spatial frequency, 1/16 cycle per px wide; the first begins at 1/32, the last has the corners."""

SLOPES = BANDS - 1
"""Numbers that describe a spectrum: the drops from each band to the next finer one."""

SMALLEST_SLOPE_SPREAD = 0.15
"""Standard deviation of a drop that is not told from none; natural logarithm of power."""

_EDGES = np.array([1 / 32, *(np.arange(1, BANDS) / 16), 1.0])
_ROUNDING = 1 / 12
"""Variance of the rounding to whole grey levels of 8 bits: no power is known to be less."""

_NOISE_FLOOR, _RATIO_FLOOR = 1e-3, 1e-2
"""Smallest noise of a mean, grey levels of 8 bits, and smallest jump over it."""


def spectrum_slopes(pixels: Pixels) -> NDArray[np.float64]:
    """Drops of the power, as natural logarithms, from each band of frequency to the next finer one.

    A band that the frame is too small for is taken to have the power of the next finer one. Wholly black rows
    and columns at the border are left out.

    Args:
        pixels: ``height x width`` as acquired.

    Returns:
        ``SLOPES`` numbers, from coarse to fine.
    """
    signal = _eight_bit(pixels)
    band, count, taper = _bands(*signal.shape)
    signal = signal - (signal * taper).sum() / taper.sum()
    power = np.square(np.abs(np.fft.rfft2(signal * taper))) / np.square(taper).sum()
    inside = slice(1, BANDS + 1)
    summed = np.bincount(band, power.ravel(), BANDS + 2)[inside]
    level = np.log(summed / np.maximum(count, 1) + _ROUNDING)
    for index in reversed(np.flatnonzero(count[:-1] == 0)):
        level[index] = level[index + 1]
    return np.asarray(-np.diff(level), np.float64)


def row_jumps(pixels: Pixels) -> float:
    """Natural logarithm of the largest step between neighbouring rows' means, over the same of columns.

    Both are in units of the noise of such a mean, which the differences between neighbouring pixels tell.
    """
    signal = _eight_bit(pixels)
    if min(signal.shape) < 2:
        return 0.0
    return _largest_step(signal) - _largest_step(signal.T)


def _largest_step(signal: NDArray[np.float32]) -> float:
    steps = np.abs(np.diff(signal.mean(axis=1)))
    noise = float(np.diff(signal, axis=1).std()) / np.sqrt(2 * signal.shape[1])
    return float(np.log(steps.max() / (noise + _NOISE_FLOOR) + _RATIO_FLOOR))


def _eight_bit(pixels: Pixels) -> NDArray[np.float32]:
    """Grey levels on the scale of 8 bits, without black borders."""
    signal = pixels[inside_black_borders(pixels)].astype(np.float32)
    return signal * np.float32(255 / np.iinfo(pixels.dtype).max)


@lru_cache(maxsize=16)
def _bands(height: int, width: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Of each frequency its band (from 1 on), the frequencies of each band, and a taper (Hann's)."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    band = np.digitize(frequency, _EDGES).ravel()
    rows, columns = (np.square(np.sin(np.pi * (np.arange(n) + 0.5) / n)) for n in (height, width))
    taper = (rows[:, None] * columns[None, :]).astype(np.float32)
    return band, np.bincount(band, minlength=BANDS + 2)[1 : BANDS + 1], taper
