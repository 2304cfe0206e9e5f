"""Stored micrographs to a specimen: several images become tiles of one canvas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, ImageError
from autoscope.images import Micrograph, read_mask, read_micrograph
from autoscope_simulators.gaps import find_gaps
from autoscope_simulators.specimen_data import SpecimenData

TILE_GAP_PX = 32
"""Black pixels between the tiles of a canvas."""

PIXEL_SIZE_TOLERANCE = 1e-3
"""Relative difference of pixel sizes that counts as none: metadata are rounded."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One image with everything that belongs to it; rasters are ``height x width``."""

    path: Path
    micrograph: Micrograph
    valid: NDArray[np.bool_]
    classes: NDArray[np.uint8] | None


def import_specimen(
    images: Sequence[Path],
    masks: Sequence[Path] = (),
    *,
    pixel_nm: float | None = None,
    class_names: Sequence[str] = (),
    valid_masks: Sequence[Path] = (),
    detect_gaps: bool = True,
    detector: str = "bse",
    name: str | None = None,
    source: str | None = None,
    licence: str = "unknown",
) -> SpecimenData:
    """Reads micrographs, and the masks of their classes, into one specimen.

    Several images become tiles side by side, with black between them; no field ever straddles two.
    Large patches of exactly black pixels (:func:`find_gaps`) are taken for missing image and are no
    specimen; :func:`excluded_fraction` says how much that is.

    Args:
        images: TIFF, PNG, JPEG or BMP, one or more, all of the same pixel size and depth.
        masks: one for each image in the images' order: values index ``class_names``; 0 and 255 alone are
            the first and the second class.
        pixel_nm: edge of a pixel, nm; needed where the images do not say; goes before what they say.
        class_names: names of the classes in the order of the masks' values.
        valid_masks: one for each image: nonzero where there is specimen.
        detect_gaps: whether to look for missing image; False takes every pixel for specimen.
        detector: ``"bse"`` or ``"se"``.
        name: name of the specimen; the first file's by default.
        source: where it comes from; the files' names by default.
        licence: under which terms.

    Raises:
        ConfigurationError: the number of masks, the class names or the pixel size do not fit.
        ImageError: a file is missing or damaged, or a mask does not fit its image.
    """
    _check_request(images, masks, valid_masks, class_names, pixel_nm)
    pieces = [
        _read_piece(
            Path(path),
            Path(masks[i]) if masks else None,
            Path(valid_masks[i]) if valid_masks else None,
            detect_gaps,
        )
        for i, path in enumerate(images)
    ]
    if masks:
        pieces = _index_classes(pieces, masks, class_names)
    size_nm = pixel_nm if pixel_nm is not None else _common_pixel_nm(pieces)
    names = ", ".join(piece.path.name for piece in pieces)
    return _assemble(
        pieces, size_nm, tuple(class_names), detector, name or pieces[0].path.stem, source or names, licence
    )


def excluded_fraction(data: SpecimenData) -> float:
    """Share of the imported pixels that was taken for missing image; what lies between tiles not counted."""
    if data.valid is None:
        return 0.0
    height, width = data.shape
    tiles = data.tiles or ((0, 0, width, height),)
    excluded = sum(int(np.count_nonzero(~data.valid[y : y + h, x : x + w])) for x, y, w, h in tiles)
    return excluded / sum(w * h for _, _, w, h in tiles)


def _check_request(
    images: Sequence[Path],
    masks: Sequence[Path],
    valid_masks: Sequence[Path],
    class_names: Sequence[str],
    pixel_nm: float | None,
) -> None:
    problems = []
    if not images:
        problems.append("there is no image to import")
    for kind, given in (("masks", masks), ("valid masks", valid_masks)):
        if given and len(given) != len(images):
            problems.append(
                f"there are {len(images)} images but {len(given)} {kind}: give one for each image, in order"
            )
    if masks and not class_names:
        problems.append("masks need the names of their classes, in the order of the masks' values")
    if class_names and not masks:
        problems.append(f"class names {', '.join(class_names)} were given without masks")
    if len(set(class_names)) != len(class_names) or not all(name.strip() for name in class_names):
        problems.append(f"class names must be different and not empty: {', '.join(map(repr, class_names))}")
    if pixel_nm is not None and not (math.isfinite(pixel_nm) and pixel_nm > 0):
        problems.append(f"the pixel size is {pixel_nm:g} nm: it must be positive")
    if problems:
        raise ConfigurationError(*problems)


def _read_piece(path: Path, mask: Path | None, valid_mask: Path | None, detect_gaps: bool) -> Piece:
    micrograph = read_micrograph(path)
    valid = np.ones(micrograph.pixels.shape, bool)
    if detect_gaps:
        valid = ~find_gaps(micrograph.pixels, jpeg=path.suffix.lower() in {".jpg", ".jpeg"})
    if valid_mask is not None:
        valid &= _read_fitting(valid_mask, path, micrograph) != 0
    classes = None if mask is None else _read_fitting(mask, path, micrograph)
    return Piece(path, micrograph, valid, classes)


def _read_fitting(mask: Path, path: Path, micrograph: Micrograph) -> NDArray[np.uint8]:
    labels = read_mask(mask)
    if labels.shape != micrograph.pixels.shape:
        (mask_height, mask_width), (height, width) = labels.shape, micrograph.pixels.shape
        raise ImageError(
            f"the mask {mask} is {mask_width} x {mask_height} px, its image {path} is {width} x {height} px"
        )
    return labels


def _index_classes(pieces: list[Piece], masks: Sequence[Path], class_names: Sequence[str]) -> list[Piece]:
    """Turns masks of 0 and 255 into 0 and 1, and refuses values without a class name."""
    labels = [piece.classes for piece in pieces if piece.classes is not None]
    found = [set(np.unique(values).tolist()) for values in labels]
    everything = set().union(*found)
    two_valued = 255 in everything and everything <= {0, 255}
    indexed = []
    for piece, raw, mask, values in zip(pieces, labels, masks, found, strict=True):
        unknown = sorted(v for v in ({1} if two_valued else values) if v >= len(class_names))
        if unknown:
            listed = ", ".join(map(str, unknown[:8])) + (", ..." if len(unknown) > 8 else "")
            raise ImageError(
                f"the mask {mask} holds values without a class name: {listed}; the {len(class_names)} names"
                f" ({', '.join(class_names)}) are for the values 0 to {len(class_names) - 1}"
            )
        classes = (raw != 0).astype(np.uint8) if two_valued else raw
        indexed.append(Piece(piece.path, piece.micrograph, piece.valid, classes))
    return indexed


def _common_pixel_nm(pieces: Sequence[Piece]) -> float:
    sizes = {piece.path: piece.micrograph.pixel_nm for piece in pieces}
    silent = [str(path) for path, size in sizes.items() if size is None]
    if silent:
        raise ConfigurationError(
            f"the pixel size is not in the metadata of {', '.join(silent)}: give it with --pixel-nm"
        )
    known = {path: float(size) for path, size in sizes.items() if size is not None}
    low, high = min(known.values()), max(known.values())
    if not low > 0 or high > low * (1 + PIXEL_SIZE_TOLERANCE):
        listed = ", ".join(f"{path}: {size:g} nm" for path, size in known.items())
        raise ConfigurationError(
            f"the images of one specimen need one positive pixel size, but their metadata say {listed};"
            " import them by themselves, or give --pixel-nm if the metadata are wrong"
        )
    return low


def _assemble(
    pieces: Sequence[Piece],
    pixel_nm: float,
    class_names: tuple[str, ...],
    detector: str,
    name: str,
    source: str,
    licence: str,
) -> SpecimenData:
    dtypes = {piece.micrograph.pixels.dtype for piece in pieces}
    if len(dtypes) > 1:
        listed = ", ".join(f"{piece.path}: {piece.micrograph.pixels.dtype}" for piece in pieces)
        raise ConfigurationError(f"the images of one specimen need one depth, but they have {listed}")
    tiles = _lay_out([piece.micrograph.pixels.shape for piece in pieces])
    shape = max(y + h for _, y, _, h in tiles), max(x + w for x, _, w, _ in tiles)
    pixels = np.zeros(shape, dtypes.pop())
    valid = np.zeros(shape, bool)
    classes = np.zeros(shape, np.uint8) if class_names else None
    for piece, (x, y, width, height) in zip(pieces, tiles, strict=True):
        where = np.s_[y : y + height, x : x + width]
        pixels[where], valid[where] = piece.micrograph.pixels, piece.valid
        if classes is not None and piece.classes is not None:
            classes[where] = piece.classes
    return SpecimenData(
        name=name,
        pixel_nm=pixel_nm,
        synthetic=False,
        source=source,
        licence=licence,
        detectors={detector: pixels},
        valid=None if valid.all() else valid,
        tiles=tuple(tiles) if len(tiles) > 1 else (),
        classes=classes,
        class_names=class_names,
    )


def _lay_out(shapes: Sequence[tuple[int, ...]]) -> list[tuple[int, int, int, int]]:
    """``(x0, y0, width, height)`` of every image: in rows from left to right, about as wide as high."""
    widest = max(shape[1] for shape in shapes)
    limit = max(widest, math.isqrt(sum(height * width for height, width in shapes)))
    tiles, x, y, row_height = [], 0, 0, 0
    for height, width in shapes:
        if x and x + width > limit:
            x, y, row_height = 0, y + row_height + TILE_GAP_PX, 0
        tiles.append((x, y, width, height))
        x, row_height = x + width + TILE_GAP_PX, max(row_height, height)
    return tiles
