"""COCO's ``annotations.json``: run-length masks through pycocotools, so nothing is lost.

Written is one annotation for each class that occurs in an image (``iscrowd`` 1, compressed run lengths). Read
are also polygons and uncompressed run lengths, by pycocotools' own rasteriser.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.core import LabelError
from autoscope.labels.exchange.documents import damaged, read_json, write_json
from autoscope.labels.exchange.frames import LabelledFrame, class_value, read_image

FILE = "annotations.json"


class Coco:
    """``annotations.json`` beside ``images/``."""

    def write(self, frames: Sequence[LabelledFrame], folder: Path) -> None:
        """Writes one file for all frames."""
        names = list(dict.fromkeys(name for one in frames for name in one.class_names))
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for number, one in enumerate(frames, start=1):
            height, width = one.mask.shape
            images.append(
                {
                    "id": number, "file_name": f"{one.name}.png", "height": height, "width": width,
                    "autoscope": dict(one.facts),
                }
            )  # fmt: skip
            for value in np.unique(one.mask):
                category = names.index(one.class_names[value]) + 1
                annotations.append(
                    {"id": len(annotations) + 1, "image_id": number, "category_id": category}
                    | _encoded(one.mask == value)
                )
        categories = [{"id": i, "name": name, "supercategory": ""} for i, name in enumerate(names, start=1)]
        document = {"info": {"description": "autoscope labels"}, "images": images}
        write_json(folder / FILE, document | {"categories": categories, "annotations": annotations})

    def read(self, folder: Path, class_names: tuple[str, ...]) -> Iterator[LabelledFrame]:
        """Reads the file; of annotations that overlap the later one counts.

        Raises:
            LabelError: it is missing or damaged.
            MaskError: a category is no class.
        """
        path = folder / FILE
        document = read_json(path)
        try:
            names = {entry["id"]: str(entry["name"]) for entry in document["categories"]}
            for image in document["images"]:
                frame = read_image(folder, str(image["file_name"]))
                mask = np.zeros((frame.shape[0], frame.shape[1]), np.uint8)
                for annotation in document["annotations"]:
                    if annotation["image_id"] == image["id"]:
                        value = class_value(names[annotation["category_id"]], class_names, path)
                        mask[_decoded(annotation["segmentation"], mask, path)] = value
                name = Path(str(image["file_name"])).stem
                yield LabelledFrame(name, frame, mask, class_names, dict(image.get("autoscope", {})))
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, error) from error


def _encoded(mask: NDArray[np.bool_]) -> dict[str, Any]:
    from pycocotools import mask as rle

    encoded = rle.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {
        "segmentation": {"size": list(mask.shape), "counts": encoded["counts"].decode("ascii")},
        "area": int(mask.sum()),
        "bbox": [float(v) for v in rle.toBbox(encoded)],
        "iscrowd": 1,
    }


def _decoded(segmentation: Any, mask: NDArray[np.uint8], path: Path) -> NDArray[np.bool_]:
    from pycocotools import mask as rle

    height, width = mask.shape
    if isinstance(segmentation, Mapping):
        if list(segmentation["size"]) != [height, width]:
            raise LabelError(f"{path}: a mask of {segmentation['size']} px is not of its image's size")
        packed = segmentation["counts"]
        encoded = rle.frPyObjects(segmentation, height, width) if isinstance(packed, list) else segmentation
    else:
        encoded = rle.merge(rle.frPyObjects(segmentation, height, width))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its arrays know nothing of NumPy 2's copy=False
        return np.asarray(rle.decode(encoded), np.bool_)
