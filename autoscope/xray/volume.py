"""How far electrons reach."""

from __future__ import annotations

from autoscope.xray.atoms import Composition, atomic_mass, atomic_number


def electron_range_um(composition: Composition, density: float, kv: float) -> float:
    """Range of electrons (Kanaya and Okayama 1972), um: 0.0276 A E^1.67 / (Z^0.889 rho).

    Args:
        composition: mass fractions; A and Z are averaged with them.
        density: g/cm³.
        kv: beam energy.
    """
    a = sum(c * atomic_mass(element) for element, c in composition.items())
    z = sum(c * atomic_number(element) for element, c in composition.items())
    return float(0.0276 * a * kv**1.67 / (z**0.889 * density))
