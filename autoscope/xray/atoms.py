"""Lines, yields and attenuation of the elements, from xraylib (Schoonjans et al. 2011)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError

Composition = Mapping[str, float]
"""Element symbol to mass fraction; the fractions sum to 1."""

HIGHEST_K_EV = 10_500.0
"""Elements whose K edge lies above are measured by their L lines, and those whose L3 edge does by M."""

SHELLS = {"K": (("K", 2),), "L": (("L3", 4), ("L2", 2), ("L1", 2)), "M": (("M5", 6), ("M4", 4), ("M3", 4))}
"""Subshells of a family and the electrons in them, the subshell of the lowest edge first (but for K)."""

TRANSITIONS = {
    "K": ("L3", "L2", "M3", "M2"),
    "L3": ("M5", "M4", "M1", "N5"),
    "L2": ("M4", "M1", "N4"),
    "L1": ("M3", "M2"),
    "M5": ("N7", "N6"),
    "M4": ("N6",),
    "M3": ("N5",),
}
"""The lines that an energy-dispersive detector sees, by the subshell of the vacancy."""

LOWEST_EV = 100.0
"""Below, xraylib knows no attenuation and no window lets anything through."""


@dataclass(frozen=True, slots=True)
class Line:
    """A characteristic line.

    Attributes:
        energy_ev: its energy.
        weight: its share of all photons of its family.
    """

    energy_ev: float
    weight: float


def xraylib() -> Any:
    """The library, imported when it is first needed.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import xraylib as library
    except ImportError as error:
        raise ConfigurationError(
            "spectra need xraylib, which is not installed; install autoscope with its eds extra:"
            " pip install 'autoscope[eds]'"
        ) from error
    return library


@lru_cache(maxsize=256)
def atomic_number(element: str) -> int:
    """Atomic number of a symbol.

    Raises:
        ConfigurationError: there is no such element.
    """
    try:
        return int(xraylib().SymbolToAtomicNumber(element))
    except ValueError as error:
        raise ConfigurationError(f"{element!r} is no chemical element; use symbols such as Fe") from error


@lru_cache(maxsize=256)
def atomic_mass(element: str) -> float:
    """Atomic mass, g/mol."""
    return float(xraylib().AtomicWeight(atomic_number(element)))


@lru_cache(maxsize=1024)
def family_edge_ev(element: str, family: str) -> float | None:
    """Energy of the edge of a family (K, L3, M5), or None where the element has none above 100 eV."""
    shell = SHELLS[family][0][0]
    energy_ev = 1000 * _known("EdgeEnergy", atomic_number(element), f"{shell}_SHELL")
    return energy_ev if energy_ev > LOWEST_EV and lines_of(element, family) else None


@lru_cache(maxsize=1024)
def lines_of(element: str, family: str) -> tuple[Line, ...]:
    """The lines of a family with their weights; none where the element does not emit it.

    A subshell's vacancies are taken in proportion to its electrons; Coster-Kronig transitions are left out.
    """
    z, found = atomic_number(element), []
    for shell, electrons in SHELLS[family]:
        fluorescent = _known("FluorYield", z, f"{shell}_SHELL")
        for outer in TRANSITIONS[shell]:
            energy_ev = 1000 * _known("LineEnergy", z, f"{shell}{outer}_LINE")
            photons = electrons * fluorescent * _known("RadRate", z, f"{shell}{outer}_LINE")
            if energy_ev > LOWEST_EV and photons > 0:
                found.append((energy_ev, photons))
    total = sum(photons for _, photons in found)
    return tuple(Line(energy_ev, photons / total) for energy_ev, photons in found)


@lru_cache(maxsize=1024)
def fluorescence(element: str, family: str) -> float:
    """Photons per vacancy of a family: the subshells' yields, weighted by their electrons."""
    z = atomic_number(element)
    electrons = sum(n for _, n in SHELLS[family])
    return sum(n * _known("FluorYield", z, f"{shell}_SHELL") for shell, n in SHELLS[family]) / electrons


def compound(atoms: Mapping[str, float]) -> dict[str, float]:
    """Mass fractions of a compound from its numbers of atoms: ``{"Al": 2, "O": 3}``."""
    masses = {element: n * atomic_mass(element) for element, n in atoms.items()}
    total = sum(masses.values())
    return {element: mass / total for element, mass in masses.items()}


def main_family(element: str) -> str:
    """The family that an element is measured by: the hardest whose edge lies below `HIGHEST_K_EV`."""
    for family in ("K", "L", "M"):
        edge_ev = family_edge_ev(element, family)
        if edge_ev is not None and edge_ev < HIGHEST_K_EV:
            return family
    raise ConfigurationError(f"{element} emits no line between 0.1 and {HIGHEST_K_EV / 1000:g} keV")


@lru_cache(maxsize=8192)
def _attenuation_at(element: str, energy_ev: float) -> float:
    return float(xraylib().CS_Total(atomic_number(element), energy_ev / 1000))


@lru_cache(maxsize=512)
def _attenuation_table(element: str, energies_ev: tuple[float, ...]) -> NDArray[np.float64]:
    return np.array([_attenuation_at(element, max(energy, LOWEST_EV)) for energy in energies_ev])


def attenuation(element: str, energies_ev: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mass attenuation coefficients of an element, cm²/g, at ``n`` energies of 0.1 keV and more."""
    return _attenuation_table(element, tuple(np.round(energies_ev, 3).tolist()))


def mass_attenuation(composition: Composition, energies_ev: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mass attenuation coefficients of a material, cm²/g, at ``n`` energies."""
    total = np.zeros(len(energies_ev))
    for element, fraction in composition.items():
        total += fraction * attenuation(element, energies_ev)
    return total


@lru_cache(maxsize=4096)
def _known(function: str, z: int, macro: str) -> float:
    """A value of xraylib's tables, 0 where the element has no such shell or line."""
    library = xraylib()
    try:
        return float(getattr(library, function)(z, getattr(library, macro)))
    except ValueError:
        return 0.0
