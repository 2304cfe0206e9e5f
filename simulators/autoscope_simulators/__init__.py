"""Stored-micrograph specimens, synthetic specimens and the simulated microscope."""

from autoscope_simulators.imperfections import Imperfections
from autoscope_simulators.importing import excluded_fraction, import_specimen
from autoscope_simulators.microscope import SimulatedMicroscope
from autoscope_simulators.specimen_data import Inclusion, SpecimenData
from autoscope_simulators.specimen_file import SpecimenFile
from autoscope_simulators.specimen_writer import SpecimenWriter, write_specimen
from autoscope_simulators.timing import Timing

__all__ = [
    "Imperfections",
    "Inclusion",
    "SimulatedMicroscope",
    "SpecimenData",
    "SpecimenFile",
    "SpecimenWriter",
    "Timing",
    "excluded_fraction",
    "import_specimen",
    "write_specimen",
]
