"""The detector: how wide it makes a line, and which share of the photons it lets in."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError
from autoscope.xray.atoms import LOWEST_EV, Line, attenuation
from autoscope.xray.axis import EnergyAxis

MN_KA_EV = 5898.8
FANO = 0.115
PAIR_EV = 3.65
"""Energy of an electron-hole pair in silicon, eV, and the Fano factor (Knoll 2010, chapter 13)."""

FWHM = math.sqrt(8 * math.log(2))
"""Full width at half maximum of a normal distribution of standard deviation 1."""

WINDOW = (("B", 2.37, 0.013), ("C", 2.25, 0.145), ("N", 0.81, 0.045), ("O", 1.14, 0.085), ("Al", 2.70, 0.035))
"""Layers of a Moxtek AP3.3 window: element, density in g/cm³, thickness in um."""

GRID_SHARE, GRID_UM = 0.23, 380.0
"""Share of the window that its silicon grid covers, and the grid's thickness."""

SILICON = 2.33
"""Density of silicon, g/cm³."""


@dataclass(frozen=True, slots=True)
class Detector:
    """A silicon drift detector behind a polymer window.

    Attributes:
        fwhm_mn_ka_ev: resolution at Mn K-alpha, eV.
        solid_angle_sr: how much of the sphere it sees.
        silicon_um: thickness of the crystal.
        dead_layer_um: of its inactive surface.

    Raises:
        ConfigurationError: a value is not positive, or the resolution is better than silicon allows.
    """

    fwhm_mn_ka_ev: float = 129.0
    solid_angle_sr: float = 0.01
    silicon_um: float = 450.0
    dead_layer_um: float = 0.03

    def __post_init__(self) -> None:
        best_ev = FWHM * math.sqrt(FANO * PAIR_EV * MN_KA_EV)
        if not (math.isfinite(self.fwhm_mn_ka_ev) and self.fwhm_mn_ka_ev >= best_ev):
            raise ConfigurationError(
                f"fwhm_mn_ka_ev = {self.fwhm_mn_ka_ev:g} eV: silicon cannot do better than {best_ev:.0f} eV"
            )
        for name in ("solid_angle_sr", "silicon_um"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ConfigurationError(f"{name} = {getattr(self, name):g} must be positive and finite")

    def fwhm_ev(self, energy_ev: float) -> float:
        """Resolution at an energy: noise and Fano fluctuations in quadrature, eV."""
        per_ev = FWHM**2 * FANO * PAIR_EV
        return math.sqrt(self.fwhm_mn_ka_ev**2 + per_ev * (energy_ev - MN_KA_EV))

    def efficiency(self, energies_ev: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of the photons on the window that are counted, at ``n`` energies; 0 below 0.1 keV."""
        behind_window = np.zeros(len(energies_ev))
        for element, density, thickness_um in WINDOW:
            behind_window += attenuation(element, energies_ev) * density * thickness_um * 1e-4
        silicon = attenuation("Si", energies_ev) * SILICON * 1e-4
        grid = 1 - GRID_SHARE + GRID_SHARE * np.exp(-silicon * GRID_UM)
        stopped = np.exp(-silicon * self.dead_layer_um) * -np.expm1(-silicon * self.silicon_um)
        return np.where(energies_ev > LOWEST_EV, grid * np.exp(-behind_window) * stopped, 0.0)

    def peak(self, axis: EnergyAxis, lines: tuple[Line, ...]) -> NDArray[np.float64]:
        """``channels``, what a photon of these lines leaves in each channel; sums to the part on the axis."""
        from scipy.special import ndtr

        total = np.zeros(axis.channels)
        edges = axis.edges_ev
        for line in lines:
            sigma = self.fwhm_ev(line.energy_ev) / FWHM
            total += line.weight * np.diff(ndtr((edges - line.energy_ev) / sigma))
        return total

    def smear(self, axis: EnergyAxis, spectrum: NDArray[np.float64]) -> NDArray[np.float64]:
        """``channels``, a smooth spectrum as the detector blurs it."""
        return np.asarray(_response(self, axis) @ spectrum.astype(np.float32), float)


@lru_cache(maxsize=4)
def _response(detector: Detector, axis: EnergyAxis) -> NDArray[np.float32]:
    """``channels x channels``: column j is where photons of channel j are counted."""
    from scipy.special import ndtr

    energies = np.maximum(axis.energies_ev, LOWEST_EV)
    sigmas = np.array([detector.fwhm_ev(e) for e in energies]) / FWHM
    spread = ndtr((axis.edges_ev[:, None] - axis.energies_ev[None, :]) / sigmas[None, :])
    return np.asarray(np.diff(spread, axis=0), np.float32)
