"""Index masks in, index masks and pictures out. A mask's values are classes and are never scaled."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from autoscope.core import ImageError
from autoscope.images.raster import is_tiff, read_raster
from autoscope.images.tiff import read_tiff

_GOLDEN_ANGLE = 0.381966
_OKABE_ITO = (
    (0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115),
    (240, 228, 66), (0, 114, 178), (213, 94, 0), (204, 121, 167),
)  # fmt: skip


def read_mask(path: Path) -> NDArray[np.uint8]:
    """Reads a mask as the numbers that are stored: palette images give indices, not colours.

    Returns:
        ``height x width`` uint8.

    Raises:
        ImageError: the file is missing, damaged, a JPEG (whose values are not exact), coloured, or has
            values above 255.
    """
    path = Path(path)
    if is_tiff(path):
        samples = read_tiff(path, indices=True).samples
    else:
        raster = read_raster(path, indices=True)
        samples = raster.samples
        if raster.format == "JPEG":
            raise ImageError(f"{path}: a JPEG does not keep a mask's values exactly: save it as PNG or TIFF")
    if samples.ndim == 3:
        samples = _single_channel(samples, path)
    if samples.dtype.kind not in "bu" or int(samples.max()) > 255:
        raise ImageError(
            f"{path}: the mask has {samples.dtype} values up to {float(samples.max()):g}:"
            " class numbers must be whole and lie in [0, 255]"
        )
    return np.ascontiguousarray(samples, dtype=np.uint8)


def _single_channel(samples: NDArray[Any], path: Path) -> NDArray[Any]:
    colours = samples[..., :3] if samples.shape[2] >= 3 else samples[..., :1]
    if bool((colours != colours[..., :1]).any()):
        raise ImageError(
            f"{path}: the mask is coloured: save one class number per pixel (grey or palette) instead"
        )
    return colours[..., 0]


def write_index_png(path: Path, labels: NDArray[np.uint8]) -> None:
    """Writes class numbers as a palette PNG: the values are the indices, the colours are for looking.

    Args:
        path: where to; an existing file is replaced only once the new one is whole.
        labels: ``height x width``.

    Raises:
        ImageError: the labels are not a uint8 image, or the file cannot be written.
    """
    if labels.ndim != 2 or labels.dtype != np.uint8:
        raise ImageError(f"{path}: labels must be height x width uint8, not {labels.shape} {labels.dtype}")
    image = Image.fromarray(np.ascontiguousarray(labels))
    image.putpalette(palette())
    _save(image, path)


def write_png(path: Path, pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> None:
    """Writes a grey or RGB picture.

    Args:
        path: where to; an existing file is replaced only once the new one is whole.
        pixels: ``height x width`` uint8 or uint16, or ``height x width x 3`` uint8.

    Raises:
        ImageError: the pixels are of another shape or kind, or the file cannot be written.
    """
    grey = pixels.ndim == 2 and pixels.dtype in (np.dtype(np.uint8), np.dtype(np.uint16))
    colour = pixels.ndim == 3 and pixels.shape[2] == 3 and pixels.dtype == np.uint8
    if not (grey or colour):
        raise ImageError(
            f"{path}: a picture is height x width of 8 or 16 bit, or height x width x 3 of 8 bit,"
            f" not {pixels.shape} {pixels.dtype}"
        )
    _save(Image.fromarray(np.ascontiguousarray(pixels)), path)


def palette() -> bytes:
    """256 x red, green, blue: Okabe and Ito's colours for eight classes, golden-angle hues for the rest."""
    colours = list(_OKABE_ITO)
    for index in range(len(_OKABE_ITO), 256):
        red, green, blue = colorsys.hsv_to_rgb(index * _GOLDEN_ANGLE % 1.0, 0.65, 0.9)
        colours.append((int(red * 255), int(green * 255), int(blue * 255)))
    return bytes(value for colour in colours for value in colour)


def _save(image: Image.Image, path: Path) -> None:
    partial = path.with_name(path.name + ".tmp")
    try:
        image.save(partial, format="PNG")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ImageError(f"{path}: the image cannot be written: {error.strerror or error}") from error
