"""What can be said of a frame without knowing what it shows: sharpness, saturation, drift, streaks.

Every statistic is a number that varies little from frame to frame of one material under one set of imaging
conditions, and on a scale on which that variation is about normal.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoscope.perception.segmentation import Pixels

OCTAVES = 4
"""Octaves of spatial frequency whose power is told apart, from the finest on."""

STATISTICS = (
    "level", "contrast", "black", "white", *(f"octave_{n}" for n in range(OCTAVES)), "streaks", "drift",
)  # fmt: skip
"""Names of the statistics, in their order."""

SMALLEST_SPREAD = (0.01, 0.05, 0.1, 0.1, *(0.05 for _ in range(OCTAVES)), 0.3, 0.3)
"""Standard deviations that are not told from none: what never varied in training may vary a little."""

_BLACK_FLOOR, _WHITE_FLOOR = 0.1, 0.02
_POWER_FLOOR = 1e-8
_DRIFT_BLOCKS = 8


def frame_statistics(pixels: Pixels, grey: NDArray[np.float32]) -> NDArray[np.float64]:
    """The statistics of a frame.

    - level, contrast: mean and log standard deviation of the grey levels as the model sees them;
    - black, white: log10 of the share of pixels at the ends of the detector's scale (plus 0.1 and 0.02);
    - octave n: log of the power between pixels binned 2^n and 2^(n+1) fold, over the frame's variance: the
      Haar wavelet's spectrum (Mallat 1989), which defocus empties from the finest octave on;
    - streaks: log ratio of the power of the differences between successive row means to that between
      successive column means: rows that charge differ from their neighbours;
    - drift: log of the share of the variance that lies in 8 x 8 block means around their mean.

    Wholly black rows and columns at the border are left out: a drifting stage shows what lies beside the
    specimen.

    Args:
        pixels: ``height x width`` as acquired.
        grey: the same in [0, 1], as the model sees them.

    Returns:
        One number for each of :data:`STATISTICS`.
    """
    seen = inside_black_borders(pixels)
    pixels, grey = pixels[seen], grey[seen]
    full = int(np.iinfo(pixels.dtype).max)
    variance = float(grey.var())
    scale = max(variance, _POWER_FLOOR)
    black, white = ((np.count_nonzero(pixels == end) / pixels.size) for end in (0, full))
    found = [
        float(grey.mean()),
        0.5 * np.log(variance + _POWER_FLOOR),
        np.log10(black + _BLACK_FLOOR),
        np.log10(white + _WHITE_FLOOR),
        *(np.log(power / scale + _POWER_FLOOR) for power in _octave_powers(grey)),
        _streaks(grey),
        np.log(_block_variance(grey) / scale + _POWER_FLOOR),
    ]
    return np.asarray(found, np.float64)


def inside_black_borders(pixels: Pixels) -> tuple[slice, slice]:
    """Without the rows and columns at the border that are wholly black; all of a frame that is."""
    spans = []
    for axis in (1, 0):
        lit = np.flatnonzero(pixels.any(axis=axis))
        spans.append(slice(int(lit[0]), int(lit[-1]) + 1) if len(lit) else slice(None))
    return spans[0], spans[1]


def _octave_powers(grey: NDArray[np.float32]) -> list[float]:
    """Variance that each halving of the resolution takes away; 0 where the frame is too small for it."""
    powers: list[float] = []
    finer = grey
    for _ in range(OCTAVES):
        if min(finer.shape) < 2:
            powers.append(0.0)
            continue
        rows, columns = (n // 2 * 2 for n in finer.shape)
        even = finer[:rows, :columns]
        coarser = 0.25 * (even[::2, ::2] + even[1::2, ::2] + even[::2, 1::2] + even[1::2, 1::2])
        powers.append(max(float(even.var()) - float(coarser.var()), 0.0))
        finer = coarser
    return powers


def _streaks(grey: NDArray[np.float32]) -> float:
    if min(grey.shape) < 2:
        return 0.0
    rows, columns = (float(np.square(np.diff(grey.mean(axis=axis))).mean()) for axis in (1, 0))
    return float(np.log((rows * grey.shape[1] + _POWER_FLOOR) / (columns * grey.shape[0] + _POWER_FLOOR)))


def _block_variance(grey: NDArray[np.float32]) -> float:
    rows = np.array_split(np.arange(grey.shape[0]), min(_DRIFT_BLOCKS, grey.shape[0]))
    columns = np.array_split(np.arange(grey.shape[1]), min(_DRIFT_BLOCKS, grey.shape[1]))
    starts = [r[0] for r in rows], [c[0] for c in columns]
    sums = np.add.reduceat(np.add.reduceat(grey.astype(np.float64), starts[0], axis=0), starts[1], axis=1)
    counts = np.outer([len(r) for r in rows], [len(c) for c in columns])
    return float((sums / counts).var())
