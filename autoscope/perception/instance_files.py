"""Instances of image files: a table, a numbered picture, and an overlay to look at."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from autoscope.core import ConfigurationError
from autoscope.images import read_micrograph, write_png
from autoscope.perception.devices import Device
from autoscope.perception.instance_measures import Instance, measure
from autoscope.perception.instances import Instances, InstanceSettings, find_instances
from autoscope.perception.library import load_segmenter
from autoscope.perception.output_files import prepare_outputs
from autoscope.perception.overlay import instance_overlay
from autoscope.perception.segmentation import Segmenter
from autoscope.perception.settings import Settings

ENDINGS = (".csv", ".json", "-instances.png", "-overlay.png")
_MOST_NUMBERED = int(np.iinfo(np.uint16).max)


class InstanceImage(Settings):
    """What was found in one image and written for it.

    Attributes:
        image: the image file.
        table: the CSV file, one line for each instance.
        numbered: 16-bit PNG; the value of a pixel is the number of its instance, 0 is none.
        overlay: PNG to look at.
        pixel_nm: edge of a pixel; null where the image does not say.
        notes: what is to be said of the result.
        instances: one entry for each, by number.
    """

    image: Path
    table: Path
    numbered: Path
    overlay: Path
    pixel_nm: float | None
    notes: tuple[str, ...]
    instances: tuple[Instance, ...]


def write_instances(
    model: Path,
    images: Sequence[Path],
    output: Path,
    settings: InstanceSettings,
    *,
    pixel_nm: float | None = None,
    device: Device = "auto",
    progress: Callable[[int, int], None] | None = None,
) -> tuple[InstanceImage, ...]:
    """Finds, measures and draws the instances of a class in image files.

    Args:
        model: a segmentation model's ``.safetensors`` file.
        images: the files.
        output: folder for the results, made where it is missing.
        settings: which class, and how things that touch are taken apart.
        pixel_nm: pixel size of images that do not say theirs.
        device: where the model runs.
        progress: hears how many images are done, and of how many.

    Raises:
        ModelError: the model cannot be used.
        ConfigurationError: the model has no such class, or names or folder do not fit.
        ImageError: an image is missing or damaged; the images before it are done.
    """
    images = [Path(image) for image in images]
    names = [settings.class_name, *([] if settings.rim is None else [settings.rim])]
    segmenter = load_segmenter(model, classes=names, device=device)
    prepare_outputs(images, output, ENDINGS)
    written = []
    for done, image in enumerate(images):
        written.append(_one(segmenter, image, output, settings, pixel_nm))
        if progress is not None:
            progress(done + 1, len(images))
    return tuple(written)


def _one(
    segmenter: Segmenter, image: Path, output: Path, settings: InstanceSettings, pixel_nm: float | None
) -> InstanceImage:
    micrograph = read_micrograph(image)
    size_nm = micrograph.pixel_nm if micrograph.pixel_nm is not None else pixel_nm
    known = float("nan") if size_nm is None else size_nm
    segmentation = segmenter.segment(micrograph.pixels, known, probability=True)
    found = find_instances(segmentation, settings)
    _check_count(found, image)
    table, content, numbered, overlay = (output / f"{image.stem}{ending}" for ending in ENDINGS)
    measured = InstanceImage(
        image=image, table=table, numbered=numbered, overlay=overlay, pixel_nm=size_nm,
        notes=segmentation.notes, instances=measure(found, settings.class_name, size_nm),
    )  # fmt: skip
    write_png(numbered, found.numbered.astype(np.uint16))
    write_png(overlay, instance_overlay(micrograph.pixels, found.numbered))
    table.write_text(_as_csv(measured.instances), encoding="utf-8")
    content.write_text(json.dumps(measured.model_dump(mode="json"), indent=2), encoding="utf-8")
    return measured


def _as_csv(instances: Sequence[Instance]) -> str:
    """One line for each instance, under a line of names; the box in four columns."""
    boxes = ("box_top_px", "box_left_px", "box_bottom_px", "box_right_px")
    names = [name for name in Instance.model_fields if name != "box_px"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, *boxes])
    for one in instances:
        writer.writerow([*(_cell(getattr(one, name)) for name in names), *one.box_px])
    return text.getvalue()


def _cell(value: object) -> object:
    return f"{value:.6g}" if isinstance(value, float) else value


def _check_count(found: Instances, image: Path) -> None:
    if len(found) > _MOST_NUMBERED:
        raise ConfigurationError(
            f"{image}: {len(found)} instances are more than a 16-bit picture can number, {_MOST_NUMBERED}:"
            " raise the smallest diameter, or cut the image into tiles"
        )
