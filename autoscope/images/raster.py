"""PNG, JPEG and BMP through Pillow."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from autoscope.core import ImageError
from autoscope.images.grey import check_size

_TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_PNG_MAGIC = b"\x89PNG\r\n\x1a\n"
_FORMATS = ("PNG", "JPEG", "BMP")
_NM_PER_INCH = 25.4e6
_SIXTEEN_BIT = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, OverflowError)


@dataclass(frozen=True, slots=True)
class Raster:
    """A decoded PNG, JPEG or BMP.

    Attributes:
        samples: ``height x width`` or ``height x width x channels``, bool, uint8 or uint16.
        indexed: whether the samples index a palette (only where the reader was asked for indices).
        format: ``"PNG"``, ``"JPEG"`` or ``"BMP"``.
        pixel_nm: edge of a pixel by the file's resolution, which may be a printer's; None without one.
        notes: what was done to the samples.
    """

    samples: NDArray[Any]
    indexed: bool
    format: str
    pixel_nm: float | None
    notes: Mapping[str, str] = field(default_factory=dict)


def is_tiff(path: Path) -> bool:
    """Whether a file begins like a TIFF.

    Raises:
        ImageError: the file is missing, unreadable, empty, or a folder.
    """
    return first_bytes(path, 4) in _TIFF_MAGIC


def first_bytes(path: Path, count: int) -> bytes:
    """The first bytes of a file.

    Raises:
        ImageError: the file is missing, unreadable, empty, or a folder.
    """
    try:
        with path.open("rb") as file:
            first = file.read(count)
    except FileNotFoundError:
        raise ImageError(f"{path}: there is no such image file") from None
    except IsADirectoryError:
        raise ImageError(
            f"{path}: this is a folder, an image file is needed: name the images in it"
        ) from None
    except OSError as error:
        raise ImageError(f"{path}: the image cannot be read: {error.strerror or error}") from error
    if not first:
        raise ImageError(f"{path}: the image file is empty (0 bytes)")
    return first


def read_raster(path: Path, *, indices: bool = False) -> Raster:
    """Decodes a PNG, JPEG or BMP.

    Args:
        path: the file.
        indices: keep palette indices, and grey of fewer than 8 bits as the numbers that are stored,
            instead of colours and brightness.

    Raises:
        ImageError: the file is missing, damaged, too large, or of another format.
    """
    first = first_bytes(path, 26)
    try:
        with _large_images(), Image.open(path, formats=_FORMATS) as image:
            check_size(*image.size, path)
            frames = getattr(image, "n_frames", 1)
            if frames > 1:
                raise ImageError(f"{path}: the file holds {frames} frames: save one of them by itself")
            image.load()
            samples = _samples(image, path, indices=indices)
            kind = image.format or "PNG"
            pixel_nm = _pixel_nm(image)
            indexed = indices and image.mode == "P"
    except UnidentifiedImageError:
        raise ImageError(
            f"{path}: this is not a TIFF, PNG, JPEG or BMP image, or its header is damaged"
        ) from None
    except _DECODER_ERRORS as error:
        raise ImageError(f"{path}: the image is damaged or cut short ({error}): copy it again") from error
    bits, colour_type = _png_depth(first)
    notes = {}
    if bits == 16 and colour_type in (2, 6):
        notes["note.depth"] = "16-bit colour, read as 8-bit"
    if indices and bits in (2, 4) and colour_type == 0:
        samples = (samples // (255 // (2**bits - 1))).astype(np.uint8)
    return Raster(samples, indexed, kind, pixel_nm, notes)


def _png_depth(first: bytes) -> tuple[int, int]:
    """Bits in a sample and colour type of a PNG (ISO/IEC 15948, 11.2.2), ``(8, -1)`` for other files."""
    is_png = first.startswith(_PNG_MAGIC) and len(first) >= 26
    return (first[24], first[25]) if is_png else (8, -1)


def _samples(image: Image.Image, path: Path, *, indices: bool) -> NDArray[Any]:
    mode = image.mode
    if mode == "P" and not indices:
        return np.asarray(image.convert("RGBA" if "transparency" in image.info else "RGB"))
    if mode in {"1", "L", "LA", "P", "RGB", "RGBA"}:
        return np.asarray(image)
    if mode in _SIXTEEN_BIT:
        return np.asarray(image).astype(np.uint16)
    if mode == "I":
        wide = np.asarray(image)
        if wide.min() >= 0 and wide.max() <= np.iinfo(np.uint16).max:
            return wide.astype(np.uint16)
    if mode == "YCbCr":
        return np.asarray(image.convert("RGB"))
    raise ImageError(f"{path}: the pixels are of kind {mode!r}: convert the image to 8- or 16-bit grey first")


def _pixel_nm(image: Image.Image) -> float | None:
    """Pixel edge by the resolution that the file states; None where there is none, or it is not square."""
    dpi = image.info.get("dpi")
    if not dpi:
        return None
    x, y = float(dpi[0]), float(dpi[1])
    square = x > 0 and y > 0 and abs(x - y) <= 5e-3 * x
    return _NM_PER_INCH / x if square else None


@contextmanager
def _large_images() -> Iterator[None]:
    """Lifts Pillow's own limit, a twelfth of `MAX_PIXELS`, while `check_size` stands guard in its place."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
