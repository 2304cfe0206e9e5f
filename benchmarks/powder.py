"""The powder micrographs: polygons drawn by hand to numbered instances, and masks to train on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from skimage.morphology import disk, erosion

from autoscope.images import read_micrograph, write_index_png, write_png

THINGS = ("particle", "satellite")
"""What was outlined: all particles of four micrographs, and the satellites alone of eight."""
RIM_PX = 2
"""Width of the rim of every thing that is a class of its own, so that touching ones come apart."""
_ANNOTATIONS = "via_powder_{}_masks_training.json"


@dataclass(frozen=True, slots=True)
class PowderImage:
    """One annotated micrograph.

    Attributes:
        name: of the file, without its ending.
        specimen: what comes before ``Tile`` in the name.
        image: the file.
        polygons: of the things, ``points x 2`` (x, y) in pixels of the file.
    """

    name: str
    specimen: str
    image: Path
    polygons: tuple[NDArray[np.float64], ...]


def classes_of(thing: str) -> tuple[str, str, str]:
    """Names of the classes of a mask: the ground, a thing's inside and its rim."""
    return "background", thing, "rim"


def annotated(folder: Path, thing: str) -> tuple[PowderImage, ...]:
    """The micrographs in which one of `THINGS` was outlined."""
    content = json.loads((folder / _ANNOTATIONS.format(thing)).read_text(encoding="utf-8"))
    found = []
    for entry in content["_via_img_metadata"].values():
        name = Path(entry["filename"]).stem
        shapes = [region["shape_attributes"] for region in entry["regions"]]
        polygons = tuple(
            np.column_stack([shape["all_points_x"], shape["all_points_y"]]).astype(np.float64)
            for shape in shapes
        )
        specimen = name.partition("Tile")[0]
        found.append(PowderImage(name, specimen, folder / "images" / entry["filename"], polygons))
    return tuple(found)


def instances(one: PowderImage, shape: tuple[int, int], scale: float) -> NDArray[np.int32]:
    """Numbered things, ``height x width``; a small one lies on top of a larger one."""

    def area(polygon: NDArray[np.float64]) -> float:
        x, y = polygon.T
        return float(abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2)

    canvas = Image.new("I", (shape[1], shape[0]))
    draw = ImageDraw.Draw(canvas)
    for number, polygon in enumerate(sorted(one.polygons, key=area, reverse=True), start=1):
        points = [(float(x), float(y)) for x, y in polygon * scale]
        draw.polygon(points, fill=number, outline=number)
    return np.asarray(canvas, dtype=np.int32)


def classes_with_rim(numbered: NDArray[np.int32]) -> NDArray[np.uint8]:
    """Indices of `classes_of`: a pixel within `RIM_PX` of another thing or the ground is rim."""
    ball = disk(RIM_PX)
    alone = erosion(numbered, ball) == -erosion(-numbered, ball)  # the least and the most around agree
    labels = np.where(alone, 1, 2)
    labels[numbered == 0] = 0
    return labels.astype(np.uint8)


def write_scaled(one: PowderImage, scale: float, images: Path, masks: Path) -> None:
    """Writes a micrograph, made smaller, and its mask."""
    pixels = read_micrograph(one.image).pixels
    height, width = (round(edge * scale) for edge in pixels.shape)
    smaller = Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX)
    write_png(images / f"{one.name}.png", np.asarray(smaller))
    write_index_png(masks / f"{one.name}.png", classes_with_rim(instances(one, (height, width), scale)))
