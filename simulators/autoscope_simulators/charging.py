"""What charging does to a scan: lines that flare, brightness that creeps, an image that is pushed aside.

A specimen that does not conduct collects charge under the beam. The field of the charge bends the beam
(distortion), changes how many electrons escape (creeping brightness, flared lines when it breaks down along
the scan), and drives the detector into saturation (Goldstein et al. 2018, section 9.5). The shapes here are
phenomenological; their randomness is a function of the generator that is handed in.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

STREAK_SHARE = 0.12
"""Share of the lines that flare, at full strength."""

FLARE = 0.6
"""Mean brightness of a flare at its beginning, of the full scale."""

CREEP = 0.25
"""rms of the brightness that creeps from line to line, of the full scale."""

PUSH_PX = 6.0
"""rms of the sideways shift of lines, px."""


def charge(
    signal: NDArray[np.float32], full_scale: float, strength: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """A scan as it would be on a charging place.

    Args:
        signal: ``height x width`` grey values without noise.
        full_scale: the largest grey value.
        strength: 0: none; 1: as strong as the constants above say.
        rng: of the frame.

    Returns:
        ``height x width`` grey values, none negative, and not limited to the scale.
    """
    pushed = _pushed(signal, strength, rng)
    height, width = signal.shape
    creep = _smooth(rng, height, height / 12)[:, None] * np.float32(CREEP * strength * full_scale)
    flares = _flares(height, width, strength, rng) * np.float32(full_scale)
    return np.asarray(np.maximum(pushed + creep + flares, 0.0), np.float32)


def _pushed(signal: NDArray[np.float32], strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Lines shifted along the scan, neighbours by similar amounts."""
    from scipy.ndimage import map_coordinates

    height, width = signal.shape
    shift = _smooth(rng, height, height / 24) * np.float32(PUSH_PX * strength)
    rows, columns = np.meshgrid(
        np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32), indexing="ij"
    )
    moved: NDArray[np.float32] = map_coordinates(
        signal, [rows, columns + shift[:, None]], order=1, mode="nearest"
    )
    return moved


def _flares(height: int, width: int, strength: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Lines that brighten suddenly somewhere and fade along the scan."""
    share = min(STREAK_SHARE * strength, 1.0)
    flaring = rng.random(height) < share
    begins = rng.uniform(0, width, height)
    lasts = rng.uniform(0.1, 0.6, height) * width
    bright = rng.exponential(FLARE * min(strength, 1.0), height) * flaring
    along = (np.arange(width)[None, :] - begins[:, None]) / lasts[:, None]
    fading = np.where(along >= 0, np.exp(-np.maximum(along, 0.0)), 0.0)
    return np.asarray(bright[:, None] * fading, np.float32)


def _smooth(rng: np.random.Generator, count: int, sigma: float) -> NDArray[np.float32]:
    """A smooth random function of unit variance and mean 0."""
    from scipy.ndimage import gaussian_filter1d

    values = gaussian_filter1d(rng.standard_normal(count), max(sigma, 1.0), mode="reflect")
    deviation = values.std()
    scaled = (values - values.mean()) / deviation if deviation > 0 else np.zeros(count)
    return np.asarray(scaled, np.float32)
