"""Known troubles of imaging, made on purpose: frames from which their signs are learnt.

Outlier exposure (Hendrycks, Mazeika & Dietterich 2019): what is known of a trouble goes into recognising it.
A defocused beam blurs; a charging specimen brightens and darkens line by line, and single lines flare.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autoscope.perception.segmentation import Pixels

Trouble = Literal["defocus", "charging"]
TROUBLES: tuple[Trouble, ...] = ("defocus", "charging")

BLUR_PX = (2.0, 4.0)
"""Standard deviation of the blur, smallest and largest, px; below, training's own augmentation reaches."""

CREEP = (0.08, 0.3)
"""Amplitude of the brightness that creeps from line to line, of the full scale."""

FLARING = (0.03, 0.15)
"""Share of the lines that flare."""

_CREEP_WAVES = (1.5, 4.0, 9.0)


def troubled(pixels: Pixels, trouble: Trouble, rng: np.random.Generator) -> Pixels:
    """A frame as it would be with a trouble, of a strength that is drawn.

    Args:
        pixels: ``height x width``.
        trouble: which.
        rng: decides the strength and the shape.
    """
    full = float(np.iinfo(pixels.dtype).max)
    signal = pixels.astype(np.float32)
    if trouble == "defocus":
        from scipy.ndimage import gaussian_filter

        signal = gaussian_filter(signal, float(rng.uniform(*BLUR_PX)))
    else:
        signal = signal + np.float32(full) * _charging(pixels.shape, rng)
    rounded: NDArray[Any] = np.clip(np.rint(signal), 0, full).astype(pixels.dtype)
    return rounded


def _charging(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Waves of brightness down the frame, and lines that are bright from somewhere on."""
    height, width = shape
    down = np.linspace(0.0, 2 * np.pi, height)
    creep = sum(
        np.sin(waves * down + phase)
        for waves, phase in zip(_CREEP_WAVES, rng.uniform(0, 6.3, 3), strict=True)
    )
    flaring = rng.random(height) < rng.uniform(*FLARING)
    bright = rng.uniform(0.2, 1.0, height) * flaring
    begins = rng.integers(0, width, height)
    lasts = rng.integers(width // 8 + 1, width + 1, height)
    columns = np.arange(width)
    lit = (columns >= begins[:, None]) & (columns < (begins + lasts)[:, None])
    amplitude = rng.uniform(*CREEP) / len(_CREEP_WAVES)
    return np.asarray(amplitude * np.asarray(creep)[:, None] + bright[:, None] * lit, np.float32)
