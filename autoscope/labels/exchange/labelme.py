"""LabelMe's JSON, one file for each image.

Written are shapes of the type ``mask`` (LabelMe 5.3 and later): a box and a PNG of what lies in it, so
nothing is lost. Read are also polygons and rectangles, whose pixels are those with their centre inside.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.core import LabelError
from autoscope.labels.errors import MaskError
from autoscope.labels.exchange.documents import damaged, read_json, write_json
from autoscope.labels.exchange.frames import IMAGES, LabelledFrame, class_value, read_image
from autoscope.labels.pictures import mask_from_png, png

VERSION = "5.5.0"


class LabelMe:
    """``NAME.json`` beside ``images/NAME.png``."""

    def write(self, frames: Sequence[LabelledFrame], folder: Path) -> None:
        """Writes one file for each frame, with one shape for each class that occurs."""
        for one in frames:
            height, width = one.mask.shape
            document = {
                "version": VERSION,
                "flags": {},
                "shapes": [_shape(one, int(value)) for value in np.unique(one.mask)],
                "imagePath": f"{IMAGES}/{one.name}.png",
                "imageData": None,
                "imageHeight": height,
                "imageWidth": width,
                "autoscope": dict(one.facts),
            }
            write_json(folder / f"{one.name}.json", document)

    def read(self, folder: Path, class_names: tuple[str, ...]) -> Iterator[LabelledFrame]:
        """Reads every JSON file; of shapes that overlap the later one counts.

        Raises:
            LabelError: there are none, or one is damaged.
            MaskError: a label is no class.
        """
        files = sorted(folder.glob("*.json"))
        if not files:
            raise LabelError(f"{folder}: there is no *.json in it")
        for path in files:
            document = read_json(path)
            try:
                frame = read_image(folder, str(document["imagePath"]))
                mask = np.zeros((frame.shape[0], frame.shape[1]), np.uint8)
                for shape in document["shapes"]:
                    mask[_inside(shape, mask, path)] = class_value(shape["label"], class_names, path)
            except (KeyError, TypeError, ValueError, IndexError, binascii.Error) as error:
                raise damaged(path, error) from error
            yield LabelledFrame(path.stem, frame, mask, class_names, dict(document.get("autoscope", {})))


def _shape(one: LabelledFrame, value: int) -> dict[str, Any]:
    rows, columns = np.nonzero(one.mask == value)
    top, left, bottom, right = int(rows.min()), int(columns.min()), int(rows.max()), int(columns.max())
    part = (one.mask[top : bottom + 1, left : right + 1] == value).astype(np.uint8)
    return {
        "label": one.class_names[value],
        "points": [[left, top], [right, bottom]],
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(png(part * np.uint8(255))).decode(),
    }


def _inside(shape: Mapping[str, Any], mask: NDArray[np.uint8], path: Path) -> NDArray[np.bool_]:
    kind, points = shape.get("shape_type", "polygon"), np.asarray(shape["points"], float)
    if kind == "mask":
        left, top, right, bottom = (round(float(v)) for v in points.ravel())
        inside = np.zeros(mask.shape, bool)
        part = mask_from_png(base64.b64decode(shape["mask"]), bottom - top + 1, right - left + 1) > 0
        if top < 0 or left < 0 or inside[top : bottom + 1, left : right + 1].shape != part.shape:
            raise MaskError(f"{path}: a mask shape reaches beyond its image")
        inside[top : bottom + 1, left : right + 1] = part
        return inside
    if kind == "rectangle":
        (x0, y0), (x1, y1) = points
        points = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    elif kind != "polygon":
        raise MaskError(f"{path}: a shape of the type {kind!r} has no area that could be read: draw polygons")
    from skimage.draw import polygon2mask

    centred = points[:, ::-1] - 0.5  # LabelMe counts from the corner of the first pixel
    drawn: NDArray[np.bool_] = polygon2mask(mask.shape, centred)  # type: ignore[no-untyped-call]
    return drawn
