"""Counting: dead time, pile-up, and chance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError
from autoscope.xray.axis import EnergyAxis

EMPTY = 1e-12
"""A rate below this, in counts per second, is none."""


@dataclass(frozen=True, slots=True)
class Counting:
    """The pulse processor.

    Attributes:
        processing_us: how long the processor is busy with a pulse.
        pair_resolution_us: two photons closer than this are counted as one of their summed energy.

    Raises:
        ConfigurationError: a time is negative or not finite.
    """

    processing_us: float = 1.0
    pair_resolution_us: float = 0.1

    def __post_init__(self) -> None:
        for name in ("processing_us", "pair_resolution_us"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ConfigurationError(f"{name} = {getattr(self, name):g} us must not be negative")

    def real_s(self, live_s: float, rate_per_s: float) -> float:
        """Real time that a live time takes: an extending dead time (Knoll 2010, chapter 4), s."""
        return live_s * math.exp(rate_per_s * self.processing_us * 1e-6)

    def draw(
        self, rate: NDArray[np.float64], live_s: float, axis: EnergyAxis, rng: np.random.Generator
    ) -> NDArray[np.int64]:
        """``channels``, Poisson counts of a live time.

        Args:
            rate: ``channels``, expected counts per second, pile-up not included.
            live_s: the live time.
            axis: the spectrum's.
            rng: the spectrum's generator.
        """
        piled = pile_up(rate, axis, self.pair_resolution_us)
        return rng.poisson(piled * live_s).astype(np.int64)


def pile_up(rate: NDArray[np.float64], axis: EnergyAxis, pair_resolution_us: float) -> NDArray[np.float64]:
    """``channels``, expected counts per second when photons may arrive together.

    A photon is followed by another within the resolving time with probability 1 - exp(-n tau); such a pair
    is one count of the summed energy. Triples are left out; sums beyond the axis are lost.

    Args:
        rate: ``channels``, expected counts per second without pile-up.
        axis: the spectrum's.
        pair_resolution_us: the resolving time.
    """
    from scipy.signal import fftconvolve

    total = float(rate.sum())
    if total < EMPTY or pair_resolution_us == 0:
        return rate
    together = -math.expm1(-total * pair_resolution_us * 1e-6)
    pairs = together * total / (1 + together)
    # energy of channels i and j: offset (twice) + (i + j) width, hence channel i + j + offset / width
    shift = round(axis.offset_ev / axis.ev_per_channel)
    sums = np.maximum(fftconvolve(rate / total, rate / total), 0.0)
    placed = np.zeros(axis.channels)
    channels = np.arange(len(sums)) + shift
    kept = (channels >= 0) & (channels < axis.channels)
    placed[channels[kept]] = sums[kept]
    return np.asarray(rate * (1 - 2 * pairs / total) + pairs * placed, float)
