"""Images and their masks, paired by file name and checked together before any work begins."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, ImageError, nearest
from autoscope.images import Micrograph, read_mask, read_micrograph

ENDINGS = frozenset({".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp"})
_LISTED = 5


@dataclass(frozen=True, slots=True)
class Pair:
    """An image file and the mask file of the same name.

    Attributes:
        name: file name without its ending.
        image: the micrograph.
        mask: the class of every pixel.
    """

    name: str
    image: Path
    mask: Path


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image with the class of every pixel.

    Attributes:
        name: file name without its ending.
        micrograph: the image.
        labels: ``height x width`` class indices.
    """

    name: str
    micrograph: Micrograph
    labels: NDArray[np.uint8]


def find_pairs(images: Path, masks: Path) -> tuple[Pair, ...]:
    """Pairs the images of one folder with the masks of another by name; the endings may differ.

    Raises:
        ConfigurationError: a folder is missing or has no images, an image has no mask or a mask no image,
            or two files of a folder have the same name.
    """
    image_files, mask_files = _files(images, "images"), _files(masks, "masks")
    problems = []
    if lonely := sorted(image_files.keys() - mask_files.keys()):
        problems.append(f"{_listed(lonely)} in {images}: no mask of that name in {masks}")
    if lonely := sorted(mask_files.keys() - image_files.keys()):
        problems.append(f"{_listed(lonely)} in {masks}: no image of that name in {images}")
    if problems:
        raise ConfigurationError(*problems)
    return tuple(Pair(name, image_files[name], mask_files[name]) for name in sorted(image_files))


def find_images(folder: Path) -> tuple[Path, ...]:
    """The images of a folder, by name.

    Raises:
        ConfigurationError: the folder is missing or has no images, or two have the same name.
    """
    return tuple(_files(folder, "images").values())


def select(pairs: Sequence[Pair], names: Sequence[str]) -> tuple[Pair, ...]:
    """The pairs of these names; a name may carry its file's ending.

    Raises:
        ConfigurationError: there is no pair of a name.
    """
    known = {pair.name: pair for pair in pairs}
    chosen = []
    for name in names:
        stem = name if name in known else Path(name).stem
        if stem not in known:
            raise ConfigurationError(
                f"there is no image {name!r} among the images{nearest(name, list(known))}"
            )
        chosen.append(known[stem])
    return tuple(chosen)


def read_pair(pair: Pair, classes: Sequence[str]) -> LabelledImage:
    """Reads an image and its mask.

    A mask of 0 and 255 is one of two classes.

    Raises:
        ImageError: a file is damaged, the sizes differ, or the mask has a value that is no class.
    """
    micrograph, labels = read_micrograph(pair.image), read_mask(pair.mask)
    if labels.shape != micrograph.pixels.shape:
        raise ImageError(
            f"{pair.mask}: the mask is {_size(labels)} px, its image {pair.image.name} is"
            f" {_size(micrograph.pixels)} px: they must be of one size"
        )
    return LabelledImage(pair.name, micrograph, class_indices(labels, classes, pair.mask))


def class_indices(labels: NDArray[np.uint8], classes: Sequence[str], path: Path) -> NDArray[np.uint8]:
    """Mask values as indices into the classes.

    Raises:
        ImageError: a value has no class.
    """
    present = np.flatnonzero(np.bincount(labels.ravel(), minlength=256))
    if len(classes) == 2 and set(present.tolist()) <= {0, 255}:
        halved: NDArray[np.uint8] = (labels != 0).astype(np.uint8)
        return halved
    unknown = present[present >= len(classes)]
    if len(unknown):
        raise ImageError(
            f"{path}: the mask has the value {unknown[0]}, the {len(classes)} classes"
            f" {', '.join(classes)} are 0 to {len(classes) - 1}"
        )
    return labels


def file_sha256(path: Path) -> str:
    """Hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files(folder: Path, what: str) -> dict[str, Path]:
    if not folder.is_dir():
        raise ConfigurationError(f"{folder}: there is no such folder of {what}")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in ENDINGS:
            continue
        if path.stem in found:
            raise ConfigurationError(
                f"{folder}: {found[path.stem].name} and {path.name} have the same name: keep one of them"
            )
        found[path.stem] = path
    if not found:
        raise ConfigurationError(f"{folder}: the folder has no {what} (TIFF, PNG, JPEG or BMP files)")
    return found


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return ", ".join(names[:_LISTED]) + more


def _size(array: NDArray[np.generic]) -> str:
    return f"{array.shape[1]} x {array.shape[0]}"
