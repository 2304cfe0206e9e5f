"""From a perfect signal to what a detector delivers: counted electrons, amplifier noise, digitisation."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

NORMAL_FROM = 20.0
"""Expected electrons from which their Poisson distribution is replaced by a normal one of equal variance."""


def detect(
    signal: NDArray[np.float32],
    full_scale: float,
    electrons: float,
    amplifier_e: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Adds shot noise and amplifier noise.

    A pixel of grey value g expects ``electrons g / full_scale`` detected electrons, Poisson distributed;
    below 20 they are drawn so, above as a normal number of the same mean and variance (skewness < 0.23).
    The amplifier adds a normal number of electrons.

    Args:
        signal: ``height x width`` grey values, 0 to ``full_scale``.
        full_scale: the largest grey value.
        electrons: detected electrons of a pixel at full scale.
        amplifier_e: standard deviation of the amplifier's noise, in detected electrons.
        rng: the frame's generator.

    Returns:
        ``height x width`` grey values, not rounded, and not limited to the scale.
    """
    expected = signal * np.float32(electrons / full_scale)
    noise = rng.standard_normal(signal.shape, dtype=np.float32)
    few = np.flatnonzero(expected < NORMAL_FROM)
    counted = rng.poisson(expected.flat[few]) + np.float32(amplifier_e) * noise.flat[few]
    noise *= np.sqrt(expected + np.float32(amplifier_e**2))
    noise += expected
    noise.flat[few] = counted
    noise *= np.float32(full_scale / electrons)
    return noise


def digitise(signal: NDArray[np.float32], dtype: np.dtype[Any]) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Rounds to the detector's scale, where it saturates at both ends.

    Args:
        signal: ``height x width`` grey values.
        dtype: uint8 or uint16.
    """
    rounded = np.rint(signal)
    np.clip(rounded, 0, np.iinfo(dtype).max, out=rounded)
    return rounded.astype(np.uint8) if dtype == np.uint8 else rounded.astype(np.uint16)
