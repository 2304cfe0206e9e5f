"""Label Studio's JSON with brush masks, run lengths through its own converter, so nothing is lost.

Images are named by their file; of the address that Label Studio serves them from
(``/data/local-files/?d=images/NAME.png``) only the last part counts. Its export format
"JSON" is what is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.core import LabelError
from autoscope.labels.exchange.documents import damaged, read_json, write_json
from autoscope.labels.exchange.frames import IMAGES, LabelledFrame, class_value, read_image

FILE = "label-studio.json"
LOCAL = f"/data/local-files/?d={IMAGES}/"
CONFIGURATION = "label-studio.xml"
CHANNELS = 4


class LabelStudio:
    """``label-studio.json``, the tasks with their annotations, and the interface that shows them."""

    def write(self, frames: Sequence[LabelledFrame], folder: Path) -> None:
        """Writes the tasks, and the interface's configuration to paste into a project."""
        write_json(folder / FILE, [_task(number, one) for number, one in enumerate(frames, start=1)])
        names = dict.fromkeys(name for one in frames for name in one.class_names)
        labels = "".join(f'\n    <Label value="{_escaped(name)}"/>' for name in names)
        text = (
            '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
            f'  <BrushLabels name="mask" toName="image">{labels}\n  </BrushLabels>\n</View>\n'
        )
        (folder / CONFIGURATION).write_text(text, encoding="utf-8")

    def read(self, folder: Path, class_names: tuple[str, ...]) -> Iterator[LabelledFrame]:
        """Reads the tasks; of a task that was annotated several times the last annotation counts.

        Raises:
            LabelError: the file is missing or damaged, or its converter is not installed.
            MaskError: a label is no class.
        """
        path = folder / FILE
        document = read_json(path)
        try:
            for task in document:
                name = str(task["data"]["image"]).rpartition("=")[2]
                frame = read_image(folder, name)
                mask = np.zeros((frame.shape[0], frame.shape[1]), np.uint8)
                given = [a for a in task.get("annotations", []) if not a.get("was_cancelled")]
                for result in given[-1]["result"] if given else ():
                    if result["type"] == "brushlabels":
                        _paint(mask, result, class_names, path)
                facts = task.get("meta", {}).get("autoscope", {})
                yield LabelledFrame(Path(name).stem, frame, mask, class_names, dict(facts))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise damaged(path, error) from error


def _task(number: int, one: LabelledFrame) -> dict[str, Any]:
    height, width = one.mask.shape
    results = [
        {
            "id": f"{number}-{value}",
            "type": "brushlabels",
            "from_name": "mask",
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "format": "rle",
                "rle": _encoded(one.mask == value),
                "brushlabels": [one.class_names[value]],
            },
        }
        for value in np.unique(one.mask)
    ]
    return {
        "id": number,
        "data": {"image": f"{LOCAL}{one.name}.png"},
        "meta": {"autoscope": dict(one.facts)},
        "annotations": [{"id": number, "was_cancelled": False, "result": results}],
    }


def _paint(
    mask: NDArray[np.uint8], result: Mapping[str, Any], class_names: tuple[str, ...], path: Path
) -> None:
    size = (int(result["original_height"]), int(result["original_width"]))
    if size != mask.shape:
        raise LabelError(f"{path}: a brush mask of {size[1]} x {size[0]} px is not of its image's size")
    value = result["value"]
    flat = np.asarray(_brush().decode_rle(value["rle"]))
    painted = flat.reshape(*size, CHANNELS)[..., CHANNELS - 1] > 0
    mask[painted] = class_value(value["brushlabels"][0], class_names, path)


def _encoded(mask: NDArray[np.bool_]) -> list[int]:
    channels = np.repeat(mask.astype(np.uint8).ravel() * np.uint8(255), CHANNELS)
    return [int(byte) for byte in _brush().encode_rle(channels)]


def _brush() -> Any:
    try:
        from label_studio_converter import brush
    except ModuleNotFoundError as error:
        raise LabelError(
            f"Label Studio's converter is not installed ({error}): pip install 'autoscope[label-studio]'"
        ) from error
    return brush


def _escaped(text: str) -> str:
    from xml.sax.saxutils import escape

    return escape(text, {'"': "&quot;"})
