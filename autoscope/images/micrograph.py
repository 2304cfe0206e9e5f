"""Reading micrographs: TIFF through tifffile, PNG, JPEG and BMP through Pillow, always to grey."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from autoscope.images.grey import Pixels, to_grey
from autoscope.images.metadata import EMPTY, Calibration, from_resolution, from_sidecar, from_tiff
from autoscope.images.raster import is_tiff, read_raster
from autoscope.images.tiff import read_tiff


@dataclass(frozen=True, slots=True)
class Micrograph:
    """One grey image and what its file says about it.

    Attributes:
        pixels: ``height x width`` uint8 or uint16, grey, as stored in the file.
        pixel_nm: edge of a pixel, nm; None where the file does not say, or where pixels are not square.
        vendor: who made the microscope, where the file tells (``"zeiss"``, ``"fei"``, ``"tescan"``,
            ``"jeol"``, ``"hitachi"``, ``"olympus"``).
        metadata: the vendor's own keys and values, and what was done to the pixels or noticed about
            them, under ``note.colour``, ``note.depth``, ``note.pixel_size`` and ``note.data_bar``.
    """

    pixels: Pixels
    pixel_nm: float | None
    vendor: str | None
    metadata: Mapping[str, str]


def read_micrograph(path: Path) -> Micrograph:
    """Reads one micrograph. The format is told by the file's first bytes, not by its name.

    Colour is turned to grey by the weights of ITU-R BT.601, unless the three channels are equal;
    ``metadata["note.colour"]`` says which. 16 bits stay 16 bits. The pixel size comes, in this order,
    from the vendor's tags, from a text file of the vendor's beside the image, from OME or ImageJ
    metadata, and from the resolution tags where they cannot be a printer's.

    Raises:
        ImageError: the file is missing, empty, damaged, larger than `MAX_PIXELS`, of another format, has
            several pages, or holds pixels for which grey 8 or 16 bit would need a choice of brightness.
    """
    path = Path(path)
    if is_tiff(path):
        tiff = read_tiff(path)
        samples, notes = tiff.samples, tiff.notes
        calibration = from_tiff(tiff)
    else:
        raster = read_raster(path)
        samples, notes = raster.samples, raster.notes
        calibration = from_resolution(raster.pixel_nm)
    pixels, colour_note = to_grey(samples, path)
    beside = from_sidecar(path) if calibration.vendor is None else EMPTY
    calibration = beside if beside.pixel_nm is not None else calibration
    metadata = _metadata(calibration, {**notes, **colour_note}, pixels)
    return Micrograph(pixels, calibration.pixel_nm, calibration.vendor, metadata)


def _metadata(calibration: Calibration, notes: Mapping[str, str], pixels: NDArray[Any]) -> Mapping[str, str]:
    merged = {**calibration.metadata, **notes}
    if calibration.origin is not None:
        merged["note.pixel_size"] = calibration.origin
    surplus = 0 if calibration.rows is None else pixels.shape[0] - calibration.rows
    if surplus > 0:
        merged["note.data_bar"] = f"the lowest {surplus} rows are the data bar, not specimen: crop them"
    return merged
