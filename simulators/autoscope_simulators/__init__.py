"""Stored-micrograph specimens, synthetic specimens and the simulated microscope."""

from typing import TYPE_CHECKING, Any

from autoscope_simulators.imperfections import Imperfections
from autoscope_simulators.microscope import SimulatedMicroscope
from autoscope_simulators.specimen_data import Inclusion, SpecimenData
from autoscope_simulators.specimen_file import SpecimenFile
from autoscope_simulators.specimen_writer import SpecimenWriter, write_specimen
from autoscope_simulators.spectra import ClassSpectrum, SpectrumImage
from autoscope_simulators.spectrometer import spectrum_problems
from autoscope_simulators.timing import Timing

if TYPE_CHECKING:
    from autoscope_simulators.importing import excluded_fraction, import_specimen
    from autoscope_simulators.importing_spectra import import_spectrum_image

__all__ = [
    "ClassSpectrum",
    "Imperfections",
    "Inclusion",
    "SimulatedMicroscope",
    "SpecimenData",
    "SpecimenFile",
    "SpecimenWriter",
    "SpectrumImage",
    "Timing",
    "excluded_fraction",
    "import_specimen",
    "import_spectrum_image",
    "spectrum_problems",
    "write_specimen",
]


def __getattr__(name: str) -> Any:
    """Importing reads every image format there is; its libraries wait until it is asked for."""
    if name in {"excluded_fraction", "import_specimen"}:
        from autoscope_simulators import importing

        return getattr(importing, name)
    if name == "import_spectrum_image":
        from autoscope_simulators.importing_spectra import import_spectrum_image

        return import_spectrum_image
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
