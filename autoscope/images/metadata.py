"""The pixel size and the vendor's own notes, out of tags and out of text files beside the image.

tifffile parses the tags of Zeiss, FEI/Thermo and Olympus. TESCAN's tag and the text files that JEOL,
Hitachi and TESCAN write beside an image are lines of ``key = value`` or ``$KEY value``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from autoscope.images.tiff import Tiff

PRINTER_PIXEL_NM = 10_000.0
"""A resolution tag that makes pixels larger than this (2540 dpi) is taken for a printer's or a screen's."""

_SQUARE = 5e-3
_NM_PER_UNIT = {
    "nm": 1.0, "um": 1e3, "µm": 1e3, "μm": 1e3, "\\u00b5m": 1e3, "micron": 1e3, "microns": 1e3,
    "micrometer": 1e3, "mm": 1e6, "cm": 1e7, "m": 1e9, "inch": 25.4e6, "pm": 1e-3, "å": 0.1,
}  # fmt: skip
_RESOLUTION_UNIT = {2: "inch", 3: "cm"}
_MAX_SIDECAR_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a file says about its scale.

    Attributes:
        pixel_nm: edge of a pixel, nm, or None.
        vendor: who made the microscope, or None.
        origin: where the pixel size comes from, or why there is none; None where nothing was found.
        rows: rows of specimen in the image, where a data bar lies below them; None where not known.
        metadata: the vendor's keys and values.
    """

    pixel_nm: float | None = None
    vendor: str | None = None
    origin: str | None = None
    rows: int | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


EMPTY = Calibration()


def from_tiff(tiff: Tiff) -> Calibration:
    """The calibration of a TIFF: vendor's tags first, then OME, ImageJ, and the resolution tags."""
    found = EMPTY
    for vendor, value in tiff.vendor_tags.items():
        found = _READERS[vendor](value, tiff)
        if found.origin is not None:
            return found
    candidates = (_ome(tiff), _imagej(tiff), _resolution(tiff))
    general = next((other for other in candidates if other != EMPTY), EMPTY)
    return replace(general, vendor=found.vendor, rows=found.rows, metadata=found.metadata)


def from_resolution(pixel_nm: float | None) -> Calibration:
    """A pixel size by a file's resolution, where it can be a microscope's."""
    if pixel_nm is None or not 0 < pixel_nm <= PRINTER_PIXEL_NM:
        return EMPTY
    return Calibration(pixel_nm, origin="resolution tag")


def from_sidecar(image: Path) -> Calibration:
    """The calibration in a text file beside an image: JEOL and Hitachi ``.txt``, TESCAN ``.hdr``."""
    names = (
        image.with_suffix(".txt"), image.with_suffix(".hdr"),
        image.with_name(f"{image.stem}-{image.suffix[1:]}.hdr"),
    )  # fmt: skip
    for path in names:
        if path == image or not path.is_file() or path.stat().st_size > _MAX_SIDECAR_BYTES:
            continue
        found = _text(path.read_bytes(), path.name)
        if found.pixel_nm is not None:
            return found
    return EMPTY


# -- vendors' tags --------------------------------------------------------------------------------


def _zeiss(tags: Mapping[str, Any], tiff: Tiff) -> Calibration:
    """CZ_SEM: entry 3 of the unnamed block is the pixel edge in m on a raster of 1024 columns.

    The printed ``ap_image_pixel_size`` has four digits; it decides where the two are not the same.
    """
    metadata = {key: _words(value[1:]) for key, value in tags.items() if key and isinstance(value, tuple)}
    block, printed = tags.get("", ()), _quantity_nm(tags.get("ap_image_pixel_size"))
    exact = float(block[3]) * 1e9 * 1024 / tiff.samples.shape[1] if len(block) > 3 else None
    usable = (
        exact is not None and exact > 0 and (printed is None or math.isclose(exact, printed, rel_tol=1e-2))
    )
    return _calibration(exact if usable else printed, "zeiss", "Zeiss tag", metadata)


def _fei(tags: Mapping[str, Any], tiff: Tiff) -> Calibration:
    metadata = {
        f"{section}.{key}": str(value)
        for section, entries in tags.items() if isinstance(entries, Mapping)
        for key, value in entries.items()
    }  # fmt: skip
    x, y = _number(metadata.get("Scan.PixelWidth")), _number(metadata.get("Scan.PixelHeight"))
    if x is None:
        width, columns = _number(metadata.get("IRBeam.HFW")), _number(metadata.get("Image.ResolutionX"))
        x = width / columns if width and columns else None
    rows = _number(metadata.get("Image.ResolutionY"))
    return _calibration(
        None if x is None else x * 1e9, "fei", "FEI/Thermo tag", metadata,
        other_nm=None if y is None else y * 1e9, rows=None if rows is None else int(rows),
    )  # fmt: skip


def _tescan(tag: bytes | str, tiff: Tiff) -> Calibration:
    raw = tag if isinstance(tag, bytes) else str(tag).encode("latin-1", "replace")
    found = _text(raw, "TESCAN tag")
    strip = _number(found.metadata.get("ImageStripSize"))
    rows = None if strip is None else tiff.samples.shape[0] - int(strip)
    return Calibration(found.pixel_nm, "tescan", found.origin, rows, found.metadata)


def _olympus(tags: Mapping[str, Any], tiff: Tiff) -> Calibration:
    metadata = {key: str(value) for key, value in tags.items() if not isinstance(value, Mapping)}
    x, y = _number(metadata.get("pixelsizex")), _number(metadata.get("pixelsizey"))
    return _calibration(
        None if x is None else x * 1e9, "olympus", "Olympus tag", metadata,
        other_nm=None if y is None else y * 1e9,
    )  # fmt: skip


# -- text of the form key = value -------------------------------------------------------------------


def _text(raw: bytes, name: str) -> Calibration:
    """JEOL, Hitachi or TESCAN lines; nothing where the text is of none of them."""
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
    entries = dict(_entries(raw.decode(encoding, "replace")))
    bar_px, bar = _number(entries.get("$$SM_MICRON_BAR")), _quantity_nm(entries.get("$$SM_MICRON_MARKER"))
    if bar_px and bar:
        size = entries.get("$CM_IMAGE_SIZE", "").split()
        rows = int(size[1]) if len(size) == 2 and size[1].isdigit() else None
        return _calibration(bar / bar_px, "jeol", f"JEOL text {name}", entries, rows=rows)
    x, y = _number(entries.get("PixelSizeX")), _number(entries.get("PixelSizeY"))
    if x:
        other = None if y is None else y * 1e9
        return _calibration(x * 1e9, "tescan", f"TESCAN text {name}", entries, other_nm=other)
    nm = _number(entries.get("PixelSize"))
    if nm and "InstructName" in entries:
        return _calibration(nm, "hitachi", f"Hitachi text {name}", entries)
    return EMPTY


def _entries(text: str) -> Iterator[tuple[str, str]]:
    for line in re.split(r"[\r\n]+", text):
        match = re.search(r"(\$+\w+)\s+(.*)|(\w+)\s*=\s*(.*)", line)
        if match:
            key, value = match[1] or match[3], match[2] if match[1] else match[4]
            yield key, value.strip(" \t\x00")


# -- general formats ----------------------------------------------------------------------------------


def _ome(tiff: Tiff) -> Calibration:
    if not tiff.ome:
        return EMPTY
    try:
        root = ElementTree.fromstring(tiff.ome)
    except ElementTree.ParseError:
        return EMPTY
    pixels = next((node for node in root.iter() if node.tag.endswith("}Pixels")), None)
    if pixels is None:
        return EMPTY
    x, y = (
        _quantity_nm(f"{pixels.get(f'PhysicalSize{axis}', '')} {pixels.get(f'PhysicalSize{axis}Unit', 'µm')}")
        for axis in "XY"
    )
    return EMPTY if x is None else _calibration(x, None, "OME metadata", {}, other_nm=y)


def _imagej(tiff: Tiff) -> Calibration:
    unit = _NM_PER_UNIT.get(str(tiff.imagej.get("unit", "")).lower())
    if unit is None or tiff.resolution is None:
        return EMPTY
    x, y = tiff.resolution
    return _calibration(unit / x, None, "ImageJ metadata", {}, other_nm=unit / y)


def _resolution(tiff: Tiff) -> Calibration:
    unit = _NM_PER_UNIT.get(_RESOLUTION_UNIT.get(tiff.resolution_unit, ""))
    if unit is None or tiff.resolution is None or unit / tiff.resolution[0] > PRINTER_PIXEL_NM:
        return EMPTY
    x, y = tiff.resolution
    return _calibration(unit / x, None, "resolution tag", {}, other_nm=unit / y)


_READERS: Mapping[str, Callable[[Any, Tiff], Calibration]] = {
    "zeiss": _zeiss,
    "fei": _fei,
    "tescan": _tescan,
    "olympus": _olympus,
}

# -- numbers ------------------------------------------------------------------------------------------


def _calibration(
    pixel_nm: float | None, vendor: str | None, origin: str, metadata: Mapping[str, str], *,
    other_nm: float | None = None, rows: int | None = None,
) -> Calibration:  # fmt: skip
    """A calibration, without a pixel size where it is not positive or the pixels are not square."""
    if pixel_nm is None or not (math.isfinite(pixel_nm) and pixel_nm > 0):
        return Calibration(None, vendor, None, rows, metadata)
    if other_nm is not None and not math.isclose(pixel_nm, other_nm, rel_tol=_SQUARE):
        origin = f"none: the pixels are not square ({pixel_nm:g} x {other_nm:g} nm by the {origin})"
        return Calibration(None, vendor, origin, rows, metadata)
    return Calibration(float(f"{pixel_nm:.9g}"), vendor, origin, rows, metadata)


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _quantity_nm(value: object) -> float | None:
    """A length with its unit in nm: ``"10um"``, ``"111.6 nm"``, or tifffile's ``(name, number, unit)``."""
    text = _words(value[1:]) if isinstance(value, tuple) else str(value)
    match = re.fullmatch(r"\s*([0-9.eE+-]+)\s*(\S+)\s*", text)
    unit = None if match is None else _NM_PER_UNIT.get(match[2].lower())
    number = None if match is None else _number(match[1])
    return None if unit is None or number is None else number * unit


def _words(values: tuple[object, ...]) -> str:
    return " ".join(str(value) for value in values)
