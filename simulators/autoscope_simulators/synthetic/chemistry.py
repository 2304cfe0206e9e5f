"""What the classes of a synthetic steel are made of, and their spectra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from autoscope_simulators.spectra import ClassSpectrum

KV = 20.0
"""Beam energy that the spectra of synthetic specimens hold for."""


@dataclass(frozen=True, slots=True)
class Material:
    """A compound.

    Attributes:
        name: for people to read.
        atoms: element to number of atoms.
        density: g/cm³.
    """

    name: str
    atoms: dict[str, float]
    density: float


STEEL = Material("steel", {"Fe": 97.2, "Mn": 1.4, "Si": 0.6, "C": 0.6, "Cr": 0.2}, 7.85)
OXIDES = (
    Material("alumina", {"Al": 2, "O": 3}, 3.97),
    Material("spinel", {"Mg": 1, "Al": 2, "O": 4}, 3.58),
    Material("Mn-Al-Si-O", {"Mn": 3, "Al": 2, "Si": 3, "O": 12}, 4.18),
)
SULPHIDES = (
    Material("MnS", {"Mn": 1, "S": 1}, 3.99),
    Material("(Ca,Mn)S", {"Ca": 0.5, "Mn": 0.5, "S": 1}, 3.2),
    Material("CaS", {"Ca": 1, "S": 1}, 2.59),
)
NITRIDES = (Material("TiN", {"Ti": 1, "N": 1}, 5.4),)


def draw_spectra(rng: np.random.Generator) -> dict[str, ClassSpectrum]:
    """The spectra of a heat of steel; none where xraylib, which knows the lines, is not installed.

    Which oxide and which sulphide a heat has is drawn; the other classes are always the same.
    """
    materials = {
        "matrix": STEEL,
        "oxide": OXIDES[int(rng.integers(len(OXIDES)))],
        "sulphide": SULPHIDES[int(rng.integers(len(SULPHIDES)))],
        "nitride": NITRIDES[int(rng.integers(len(NITRIDES)))],
    }
    if not can_make_spectra():
        return {}
    return {name: spectrum_of(material) for name, material in materials.items()}


def spectrum_of(material: Material) -> ClassSpectrum:
    """The spectrum of a compound in bulk at `KV`."""
    from autoscope.xray import EnergyAxis, Geometry, compound, electron_range_um, expected_rate

    fractions, axis = compound(material.atoms), EnergyAxis()
    rate = expected_rate(fractions, axis, geometry=Geometry(kv=KV))
    range_um = electron_range_um(fractions, material.density, KV)
    return ClassSpectrum(rate, axis, KV, range_um, material.name)


def can_make_spectra() -> bool:
    """Whether xraylib is installed."""
    from importlib.util import find_spec

    return find_spec("xraylib") is not None
