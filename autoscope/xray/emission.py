"""What a bulk material emits into the detector: characteristic lines and bremsstrahlung.

Lines: ionisation cross-sections and backscatter loss of Pouchou and Pichoir (1991), stopping power of Joy
and Luo (1989), absorption of Philibert with Heinrich's constants. Continuum: Kramers (1923) with the same
absorption. Secondary fluorescence, Coster-Kronig transitions, escape peaks and incomplete charge collection
are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError
from autoscope.xray.atoms import (
    LOWEST_EV,
    SHELLS,
    Composition,
    atomic_mass,
    atomic_number,
    family_edge_ev,
    fluorescence,
    lines_of,
    mass_attenuation,
)
from autoscope.xray.axis import EnergyAxis
from autoscope.xray.detector import Detector

AVOGADRO = 6.02214076e23
ELECTRONS_PER_NA_S = 6.241509074e9
IONISATION_CM2_KEV2 = 6.51e-20 * 0.61
"""pi e^4 times the Bethe parameter 0.61 (Green and Cosslett 1961), for one electron of the shell."""

EXPONENT = {"K": 0.86, "L": 0.82, "M": 0.78}
"""m of the cross-section ln(U) / (U^m Ec²) (Pouchou and Pichoir 1991)."""

KRAMERS_PER_EV = 2.2e-9
"""Continuum photons per eV, electron and Z: twice the efficiency 1.1e-9 Z V (Compton and Allison 1935)."""

STEPS = 64
"""Points of the integral along the electron's path."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """How the specimen was excited and is looked at.

    Attributes:
        kv: beam energy.
        take_off_deg: angle between surface and detector.

    Raises:
        ConfigurationError: a value is outside what the formulas hold for.
    """

    kv: float = 20.0
    take_off_deg: float = 35.0

    def __post_init__(self) -> None:
        if not 1.0 <= self.kv <= 50.0:
            raise ConfigurationError(f"kv = {self.kv:g} kV: spectra are modelled from 1 to 50 kV")
        if not 10.0 <= self.take_off_deg <= 90.0:
            raise ConfigurationError(f"take_off_deg = {self.take_off_deg:g} must lie in [10, 90] degrees")


def check_composition(composition: Composition) -> None:
    """Refuses mass fractions that are negative or do not sum to 1.

    Raises:
        ConfigurationError: they do not.
    """
    total = sum(composition.values())
    if any(not c >= 0 for c in composition.values()) or not abs(total - 1) < 1e-6:
        listed = ", ".join(f"{k} {v:g}" for k, v in composition.items())
        raise ConfigurationError(f"mass fractions must not be negative and sum to 1, not {total:g}: {listed}")


def line_yield(element: str, family: str, composition: Composition, geometry: Geometry) -> float:
    """Photons of a family that one electron generates in a material per unit mass fraction of the element.

    Into the whole sphere, before absorption; 0 where the beam cannot ionise the shell.
    """
    edge_ev = family_edge_ev(element, family)
    if edge_ev is None or edge_ev >= 1000 * geometry.kv:
        return 0.0
    edge, electrons = edge_ev / 1000, sum(n for _, n in SHELLS[family])
    e = np.linspace(edge, geometry.kv, STEPS)
    u = e / edge
    ionisation = IONISATION_CM2_KEV2 * electrons * np.log(u) / (u ** EXPONENT[family] * edge**2)
    path = np.trapezoid(ionisation / _stopping(composition, e), e)
    yielded = AVOGADRO / atomic_mass(element) * fluorescence(element, family) * path
    return float(yielded * _not_backscattered(composition, geometry.kv / edge))


def absorption(
    composition: Composition, energies_ev: NDArray[np.float64], edge_ev: float | None, geometry: Geometry
) -> NDArray[np.float64]:
    """Share of the photons at ``n`` energies that leave the material towards the detector.

    Philibert's f(chi) = 1 / ((1 + chi/sigma)(1 + h/(1+h) chi/sigma)) with Heinrich's
    sigma = 4.5e5 / (E0^1.65 - Ec^1.65) and h = 1.2 A / Z².

    Args:
        composition: mass fractions.
        energies_ev: of the photons.
        edge_ev: edge of the line's shell; None: the photon's own energy, for the continuum.
        geometry: beam energy and take-off angle.
    """
    chi = mass_attenuation(composition, energies_ev) / math.sin(math.radians(geometry.take_off_deg))
    edge = np.clip(energies_ev, LOWEST_EV, 999 * geometry.kv) if edge_ev is None else np.array(edge_ev)
    sigma = 4.5e5 / (geometry.kv**1.65 - (edge / 1000) ** 1.65)
    h = 1.2 * sum(c * atomic_mass(el) / atomic_number(el) ** 2 for el, c in composition.items())
    return np.asarray(1 / ((1 + chi / sigma) * (1 + h / (1 + h) * chi / sigma)), float)


def continuum(composition: Composition, axis: EnergyAxis, geometry: Geometry) -> NDArray[np.float64]:
    """``channels``, bremsstrahlung photons per electron into the whole sphere, less the absorbed."""
    energies = axis.energies_ev
    z = sum(c * atomic_number(element) for element, c in composition.items())
    inside = (energies > LOWEST_EV) & (energies < 1000 * geometry.kv)
    safe = np.where(inside, energies, 1000.0)
    kramers = KRAMERS_PER_EV * z * (1000 * geometry.kv - safe) / safe * axis.ev_per_channel
    return np.where(inside, kramers * absorption(composition, safe, None, geometry), 0.0)


def expected_rate(
    composition: Composition,
    axis: EnergyAxis | None = None,
    detector: Detector | None = None,
    geometry: Geometry | None = None,
) -> NDArray[np.float64]:
    """``channels``, expected counts per second and nA from a bulk material, before pile-up.

    Args:
        composition: mass fractions.
        axis: the spectrum's; 1024 channels of 10 eV by default.
        detector: the default silicon drift detector.
        geometry: 20 kV and 35 degrees by default.

    Raises:
        ConfigurationError: the fractions are negative or do not sum to 1, or an element is unknown.
    """
    check_composition(composition)
    axis, detector, geometry = axis or EnergyAxis(), detector or Detector(), geometry or Geometry()
    energies = axis.energies_ev
    photons = continuum(composition, axis, geometry) * detector.efficiency(energies)
    total = detector.smear(axis, photons)
    for element, fraction in composition.items():
        for family in SHELLS:
            generated = fraction * line_yield(element, family, composition, geometry)
            if generated > 0:
                total += generated * emitted_peak(element, family, composition, axis, detector, geometry)
    return np.asarray(total * ELECTRONS_PER_NA_S * detector.solid_angle_sr / (4 * math.pi), float)


def emitted_peak(
    element: str,
    family: str,
    composition: Composition,
    axis: EnergyAxis,
    detector: Detector,
    geometry: Geometry,
) -> NDArray[np.float64]:
    """``channels``, counts per generated photon of a family: absorption and efficiency line by line."""
    lines, edge_ev = lines_of(element, family), family_edge_ev(element, family)
    energies = np.array([line.energy_ev for line in lines])
    shares = absorption(composition, energies, edge_ev, geometry) * detector.efficiency(energies)
    return np.asarray(shares @ _line_peaks(element, family, axis, detector), float)


@lru_cache(maxsize=512)
def _line_peaks(element: str, family: str, axis: EnergyAxis, detector: Detector) -> NDArray[np.float64]:
    """``lines x channels``, the peaks of a family's lines, each with its weight."""
    return np.array([detector.peak(axis, (line,)) for line in lines_of(element, family)])


def _stopping(composition: Composition, energies_kev: NDArray[np.float64]) -> NDArray[np.float64]:
    """Energy loss per mass thickness, keV cm²/g (Joy and Luo 1989; J of Berger and Seltzer 1964)."""
    total = np.zeros(len(energies_kev))
    for element, fraction in composition.items():
        z, a = atomic_number(element), atomic_mass(element)
        j = (9.76 * z + 58.5 * z**-0.19) / 1000
        k = 0.85 if z > 8 else 0.8
        loss = 78500 * z / (a * energies_kev) * np.log(1.166 * (energies_kev + k * j) / j)
        total += fraction * loss
    return total


def _not_backscattered(composition: Composition, overvoltage: float) -> float:
    """Share of the ionisation that backscattering leaves: R of Pouchou and Pichoir (1991), appendix 2."""
    z = sum(c * math.sqrt(atomic_number(element)) for element, c in composition.items()) ** 2
    eta = 1.75e-3 * z + 0.37 * (1 - math.exp(-0.015 * z**1.3))
    w = 0.595 + eta / 3.7 + eta**4.55
    q = (2 * w - 1) / (1 - w)
    j = 1 + overvoltage * (math.log(overvoltage) - 1)
    g = (overvoltage - 1 - (1 - overvoltage ** -(1 + q)) / (1 + q)) / ((2 + q) * j)
    return float(1 - eta * w * (1 - g))
