"""Grey levels of an overview as the reading network takes them in. numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame

SAMPLE_PIXELS = 200_000
MAD_TO_SIGMA = 1.4826
"""Standard deviation over median absolute deviation of a normal distribution."""
CHANNELS = 2


def overview_scale(frames: Sequence[Frame]) -> tuple[float, float, float]:
    """Median, robust and plain standard deviation of all overview pixels, in grey levels.

    Both scales are needed: where one phase fills the overview the robust one is the noise and the grain
    contrast, against which a rare phase stands out; where two phases share it both are their contrast.
    One scale for all frames keeps grey levels comparable between them.

    Args:
        frames: of one overview, at least one.
    """
    stride = max(1, round(sum(frame.pixels.size for frame in frames) / SAMPLE_PIXELS))
    sample = np.concatenate([frame.pixels.ravel()[::stride] for frame in frames]).astype(np.float64)
    median = float(np.median(sample))
    robust = MAD_TO_SIGMA * float(np.median(np.abs(sample - median)))
    plain = float(sample.std())
    return median, robust or plain or 1.0, plain or 1.0


def grey_channels(pixels: NDArray[np.generic], scale: tuple[float, float, float]) -> NDArray[np.float32]:
    """The two channels that the network reads, both free of the detector's gain and offset.

    Args:
        pixels: ``height x width``.
        scale: from `overview_scale`.

    Returns:
        ``2 x height x width``: departures from the median in standard deviations; the same in robust
        ones, compressed by arsinh.
    """
    median, robust, plain = scale
    departure = pixels.astype(np.float32) - np.float32(median)
    return np.stack([departure / np.float32(plain), np.arcsinh(departure / np.float32(robust))])
