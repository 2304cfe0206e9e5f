"""What is exchanged: a frame with its mask and its history, and the formats that can hold it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from autoscope.core import LabelError, nearest
from autoscope.images import read_mask, read_micrograph, write_png
from autoscope.labels.errors import MaskError

IMAGES = "images"
"""Folder of the frames beside every format's own files."""


@dataclass(frozen=True, slots=True)
class LabelledFrame:
    """A frame and what an expert said of it.

    Attributes:
        name: file name without its ending; unique in an exchange.
        frame: ``height x width`` uint8 or uint16.
        mask: ``height x width`` class indices.
        class_names: names of the classes, by mask value.
        facts: what else is known: request, session, field, expert, seconds, tool, pixel_nm and the like.
    """

    name: str
    frame: NDArray[Any]
    mask: NDArray[np.uint8]
    class_names: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


class Format(Protocol):
    """Writes and reads one program's files; frames lie as PNGs in ``images/`` beside them."""

    def write(self, frames: Sequence[LabelledFrame], folder: Path) -> None:
        """Writes the masks; the frames are there already."""

    def read(self, folder: Path, class_names: tuple[str, ...]) -> Iterator[LabelledFrame]:
        """Reads what :meth:`write` or the program itself has written; pixels without a label are class 0."""


FORMATS = {
    "png": "index_png:IndexPng",
    "labelme": "labelme:LabelMe",
    "coco": "coco:Coco",
    "label-studio": "label_studio:LabelStudio",
}


def format_of(name: str) -> Format:
    """A format by its name.

    Raises:
        LabelError: there is none of this name.
    """
    if name not in FORMATS:
        known = ", ".join(FORMATS)
        raise LabelError(f"{name!r} is no format{nearest(name, list(FORMATS))}; the formats are {known}")
    module, _, kind = FORMATS[name].partition(":")
    made: Format = getattr(import_module(f"autoscope.labels.exchange.{module}"), kind)()
    return made


def write_images(frames: Sequence[LabelledFrame], folder: Path) -> None:
    """Writes the frames themselves.

    Raises:
        LabelError: there are none, or the folder cannot be made.
    """
    if not frames:
        raise LabelError("there is no answered request to export: nothing was written")
    try:
        (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabelError(f"{folder}: {error.strerror or error}") from error
    for one in frames:
        write_png(folder / IMAGES / f"{one.name}.png", one.frame)


def read_image(folder: Path, file_name: str) -> NDArray[Any]:
    """A frame by the name that a label file gives it: only its last part counts, and only inside the folder.

    Raises:
        LabelError: there is no such image.
        ImageError: it cannot be read.
    """
    name = Path(file_name.replace("\\", "/")).name
    for path in (folder / IMAGES / name, folder / name):
        if name and path.is_file():
            return read_micrograph(path).pixels
    raise LabelError(f"{folder}: there is no image {name!r}, neither there nor in {IMAGES}/")


def read_index_mask(path: Path) -> NDArray[np.uint8]:
    """An index mask.

    Raises:
        ImageError: it is missing, damaged, or not one.
    """
    return read_mask(path)


def class_value(name: str, class_names: Sequence[str], where: Path) -> int:
    """Mask value of a class by its name.

    Raises:
        MaskError: it is not one of the classes.
    """
    if name not in class_names:
        known = ", ".join(class_names)
        raise MaskError(
            f"{where}: label {name!r} is no class{nearest(name, class_names)}; these are: {known}"
        )
    return list(class_names).index(name)
