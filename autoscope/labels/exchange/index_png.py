"""Index PNGs: ``masks/NAME.png`` beside ``images/NAME.png``, what ``autoscope segment train`` takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from autoscope.core import LabelError
from autoscope.images import write_index_png
from autoscope.labels.exchange.documents import damaged, read_json, write_json
from autoscope.labels.exchange.frames import LabelledFrame, read_image, read_index_mask
from autoscope.labels.pictures import check_mask

MASKS, MANIFEST = "masks", "labels.json"


class IndexPng:
    """Masks as they are, and a manifest with the classes and the history of every answer."""

    def write(self, frames: Sequence[LabelledFrame], folder: Path) -> None:
        """Writes ``masks/`` and ``labels.json``."""
        (folder / MASKS).mkdir(exist_ok=True)
        for one in frames:
            write_index_png(folder / MASKS / f"{one.name}.png", one.mask)
        listed = [{"name": one.name, "classes": list(one.class_names), **one.facts} for one in frames]
        write_json(folder / MANIFEST, {"schema": "autoscope.labels/1", "frames": listed})

    def read(self, folder: Path, class_names: tuple[str, ...]) -> Iterator[LabelledFrame]:
        """Reads ``masks/``; without a manifest every mask is of the classes that are given.

        Raises:
            LabelError: there are no masks, or the manifest is damaged.
        """
        masks = sorted((folder / MASKS).glob("*.png"))
        if not masks:
            raise LabelError(f"{folder}: there is no {MASKS}/*.png in it")
        facts = _manifest(folder / MANIFEST) if (folder / MANIFEST).exists() else {}
        for path in masks:
            known = dict(facts.get(path.stem, {}))
            classes = class_names or tuple(str(name) for name in known.get("classes", ()))
            mask, frame = read_index_mask(path), read_image(folder, path.name)
            check_mask(mask, frame.shape[0], frame.shape[1], classes)
            yield LabelledFrame(path.stem, frame, mask, classes, known)


def _manifest(path: Path) -> dict[str, dict[str, Any]]:
    document = read_json(path)
    try:
        return {str(entry["name"]): dict(entry) for entry in document["frames"]}
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, error) from error
