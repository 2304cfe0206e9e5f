"""A stored spectrum image to a specimen on which spectra can be taken."""

from __future__ import annotations

from pathlib import Path

from autoscope.core import ImageError
from autoscope.images import read_spectrum_image
from autoscope.xray import EnergyAxis
from autoscope_simulators.specimen_data import DETECTORS, SpecimenData
from autoscope_simulators.spectra import SpectrumImage


def import_spectrum_image(
    path: Path,
    *,
    pixel_nm: float | None = None,
    name: str | None = None,
    source: str | None = None,
    licence: str = "unknown",
    beam_current_pa: float | None = None,
) -> SpecimenData:
    """Reads a spectrum image with its electron images into a specimen.

    The microscope thins the stored counts to the live time that is asked for. Where the file does not tell
    the live time, its real time is taken, which is longer by the dead time.

    Args:
        path: a Bruker ``.bcf``.
        pixel_nm: edge of a pixel, nm; goes before what the file says.
        name: name of the specimen; the file's by default.
        source: where it comes from; the file's name by default.
        licence: under which terms.
        beam_current_pa: the current that the map was taken with, which files do not tell; the session's
            current where it is unknown.

    Raises:
        ImageError: the file is missing or damaged, or tells no time or has no electron image.
        ConfigurationError: rosettasciio is not installed.
    """
    stored = read_spectrum_image(Path(path))
    images = {key: stored.images[key] for key in DETECTORS if key in stored.images}
    if not images:
        raise ImageError(f"{path} holds no electron image (BSE or SE) beside its spectra")
    if stored.live_s is None:
        raise ImageError(f"{path} does not say how long the map took: its counts cannot be thinned to a time")
    height, width, channels = stored.counts.shape
    size_nm = stored.pixel_nm if pixel_nm is None else pixel_nm
    cube = SpectrumImage(
        stored.counts,
        EnergyAxis(channels, stored.ev_per_channel, stored.offset_ev),
        size_nm,
        stored.live_s / (height * width),
        stored.kv,
        beam_current_pa,
    )
    return SpecimenData(
        name=name or Path(path).stem,
        pixel_nm=size_nm,
        synthetic=False,
        source=source or Path(path).name,
        licence=licence,
        detectors=images,
        cube=cube,
    )
