"""The energy axis of a spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, Spectrum


@dataclass(frozen=True, slots=True)
class EnergyAxis:
    """Channels of equal width.

    Attributes:
        channels: how many.
        ev_per_channel: their width, eV.
        offset_ev: energy of the centre of channel 0, eV; channels at negative energies stay empty.

    Raises:
        ConfigurationError: there is no channel, a number is not finite, or the width is not positive.
    """

    channels: int = 1024
    ev_per_channel: float = 10.0
    offset_ev: float = 0.0

    def __post_init__(self) -> None:
        problems = []
        if self.channels < 1:
            problems.append(f"a spectrum of {self.channels} channels is no spectrum; at least 1 is needed")
        if not (math.isfinite(self.ev_per_channel) and self.ev_per_channel > 0):
            problems.append(f"ev_per_channel = {self.ev_per_channel:g} eV must be positive and finite")
        if not math.isfinite(self.offset_ev):
            problems.append(f"offset_ev = {self.offset_ev:g} eV must be finite")
        if problems:
            raise ConfigurationError(*problems)

    @classmethod
    def of(cls, spectrum: Spectrum) -> EnergyAxis:
        """The axis of a spectrum."""
        return cls(len(spectrum.counts), spectrum.ev_per_channel, spectrum.offset_ev)

    @property
    def energies_ev(self) -> NDArray[np.float64]:
        """``channels``, energies of the channels' centres."""
        return np.asarray(self.offset_ev + self.ev_per_channel * np.arange(self.channels), float)

    @property
    def edges_ev(self) -> NDArray[np.float64]:
        """``channels + 1``, energies of the channels' borders."""
        return np.asarray(self.offset_ev + self.ev_per_channel * (np.arange(self.channels + 1) - 0.5), float)
