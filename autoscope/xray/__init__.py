"""X-ray lines, detector response and counting: what simulators make and `eds` reads."""

from autoscope.xray.atoms import (
    SHELLS,
    Composition,
    Line,
    atomic_mass,
    atomic_number,
    compound,
    family_edge_ev,
    lines_of,
    main_family,
    mass_attenuation,
)
from autoscope.xray.axis import EnergyAxis
from autoscope.xray.counting import Counting, pile_up
from autoscope.xray.detector import Detector
from autoscope.xray.emission import (
    Geometry,
    absorption,
    continuum,
    emitted_peak,
    expected_rate,
    line_yield,
)
from autoscope.xray.volume import electron_range_um

__all__ = [
    "SHELLS",
    "Composition",
    "Counting",
    "Detector",
    "EnergyAxis",
    "Geometry",
    "Line",
    "absorption",
    "atomic_mass",
    "atomic_number",
    "compound",
    "continuum",
    "electron_range_um",
    "emitted_peak",
    "expected_rate",
    "family_edge_ev",
    "line_yield",
    "lines_of",
    "main_family",
    "mass_attenuation",
    "pile_up",
]
