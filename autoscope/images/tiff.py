"""Decoding TIFF files through tifffile."""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from autoscope.core import ImageError
from autoscope.images.grey import check_size
from autoscope.images.raster import first_bytes

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what it finds wrong becomes an ImageError

TESCAN_TAG = 50431
_ORIENTATION_TOP_LEFT = 1
_DECODER_ERRORS = (
    tifffile.TiffFileError, OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, EOFError,
    OverflowError, ZeroDivisionError, RuntimeError, MemoryError, struct.error, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Tiff:
    """A decoded TIFF of one page.

    Attributes:
        samples: ``height x width`` or ``height x width x channels``.
        path: the file.
        vendor_tags: what tifffile parsed of the vendors' tags, by vendor; ``"tescan"`` holds raw bytes.
        imagej: ImageJ's metadata, empty without.
        ome: OME-XML, empty without.
        resolution: pixels per unit in x and y, None without.
        resolution_unit: 1 none, 2 inch, 3 centimetre (TIFF 6.0, section 8).
        notes: what was done to the samples.
    """

    samples: NDArray[Any]
    path: Path
    vendor_tags: Mapping[str, Any]
    imagej: Mapping[str, Any]
    ome: str
    resolution: tuple[float, float] | None
    resolution_unit: int
    notes: Mapping[str, str]


def read_tiff(path: Path, *, indices: bool = False) -> Tiff:
    """Decodes the one full-size page of a TIFF; thumbnails beside it are passed over.

    Args:
        path: the file.
        indices: keep the numbers that are stored: no palette applied, nothing inverted.

    Raises:
        ImageError: the file is missing, damaged, too large, holds several pages or a kind of pixel that
            is not read.
    """
    first_bytes(path, 1)
    try:
        with tifffile.TiffFile(path) as tif:
            page = _only_page(tif, path)
            check_size(page.imagewidth, page.imagelength, path)
            _check_complete(page, path)
            samples, notes = _samples(page, path, indices=indices)
            return Tiff(
                samples, path, _vendor_tags(tif, page), tif.imagej_metadata or {}, tif.ome_metadata or "",
                *_resolution(page), notes,
            )  # fmt: skip
    except _DECODER_ERRORS as error:
        raise ImageError(f"{path}: the TIFF is damaged or cut short ({error}): copy it again") from error


def _only_page(tif: tifffile.TiffFile, path: Path) -> tifffile.TiffPage:
    pages = [page for page in tif.pages if not (isinstance(page, tifffile.TiffPage) and page.is_reduced)]
    planes = max(len(pages), int((tif.imagej_metadata or {}).get("images", 1)))
    if planes != 1:
        raise ImageError(f"{path}: the TIFF holds {planes} pages, one is needed: save the page by itself")
    page = pages[0]
    if not isinstance(page, tifffile.TiffPage) or page.imagedepth != 1:
        raise ImageError(f"{path}: the TIFF holds a volume, one image is needed: save one slice by itself")
    return page


def _check_complete(page: tifffile.TiffPage, path: Path) -> None:
    """Refuses a file that ends before its pixels do; decoders would fill the rest with black."""
    ends = (offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True))
    needed, there = max(ends, default=0), page.parent.filehandle.size
    if needed > there or not page.dataoffsets:
        raise ImageError(
            f"{path}: the TIFF is cut short: it has {there} of {needed} bytes: copy it again from its source"
        )


def _samples(page: tifffile.TiffPage, path: Path, *, indices: bool) -> tuple[NDArray[Any], dict[str, str]]:
    samples: NDArray[Any] = page.asarray()
    if samples.size != page.imagewidth * page.imagelength * page.samplesperpixel:
        raise ImageError(f"{path}: the TIFF is damaged: its tags and its {samples.shape} pixels do not agree")
    if page.axes == "SYX":
        samples = np.moveaxis(samples, 0, -1)
    elif page.axes not in {"YX", "YXS"}:
        raise ImageError(f"{path}: the TIFF has axes {page.axes}, not one grey or RGB image")
    notes = {}
    if page.tags.valueof("Orientation", _ORIENTATION_TOP_LEFT) != _ORIENTATION_TOP_LEFT:
        notes["note.orientation"] = "the orientation tag is not applied: rows and columns are as stored"
    if indices:
        return samples, notes
    kind = tifffile.PHOTOMETRIC(page.photometric)
    if kind == tifffile.PHOTOMETRIC.MINISWHITE:
        notes["note.colour"] = "stored with zero as white, inverted"
        samples = _inverted(samples)
    elif kind == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None:
        samples = (np.moveaxis(page.colormap[:, samples], 0, -1) >> 8).astype(np.uint8)
    elif kind not in {
        tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR,
    }:  # fmt: skip
        raise ImageError(f"{path}: TIFF pixels of kind {kind.name} are not read: convert the image to grey")
    return samples, notes


def _inverted(samples: NDArray[Any]) -> NDArray[Any]:
    unsigned = samples.dtype.kind in "bu"
    return np.asarray(np.invert(samples)) if unsigned else samples


def _vendor_tags(tif: tifffile.TiffFile, page: tifffile.TiffPage) -> dict[str, Any]:
    tags = {
        "zeiss": tif.sem_metadata,
        "fei": tif.fei_metadata,
        "olympus": tif.sis_metadata,
        "tescan": page.tags.valueof(TESCAN_TAG),
    }
    return {vendor: value for vendor, value in tags.items() if value}


def _resolution(page: tifffile.TiffPage) -> tuple[tuple[float, float] | None, int]:
    x, y = page.tags.valueof("XResolution"), page.tags.valueof("YResolution")
    if not (x and y and x[0] and x[1] and y[0] and y[1]):
        return None, 1
    return (x[0] / x[1], y[0] / y[1]), int(page.tags.valueof("ResolutionUnit", 2))
