"""Class maps of image files: index PNGs, and probabilities on request."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoscope.images import Micrograph, read_micrograph, write_index_png, write_png
from autoscope.perception.devices import Device
from autoscope.perception.evaluation import area_intervals
from autoscope.perception.library import load_segmenter
from autoscope.perception.output_files import prepare_outputs
from autoscope.perception.reliability import AreaInterval
from autoscope.perception.segmentation import Segmentation, Segmenter
from autoscope.perception.settings import Settings


class PredictedImage(Settings):
    """What was written for one image.

    Attributes:
        image: the image file.
        labels: the index PNG.
        probabilities: the ``.npz`` file with ``probability`` (``classes x height x width`` float16) and
            ``class_names``; None unless asked for.
        area_fractions: share of the image of each class.
        area_intervals: 90 % interval of each; empty unless asked for and the model was calibrated.
        score: mean entropy of the pixels, nats; None unless asked for.
        uncertainty: PNG of the total entropy, 255 where all classes are equally probable; likewise.
        epistemic: PNG of its part from not knowing the weights, on the same scale; likewise.
        errors: PNG of the probability that a pixel's label is wrong, in 255ths; likewise, and only where the
            calibration found how to tell.
        notes: what is to be said of the result.
    """

    image: Path
    labels: Path
    probabilities: Path | None
    area_fractions: dict[str, float]
    notes: tuple[str, ...]
    area_intervals: tuple[AreaInterval, ...] = ()
    score: float | None = None
    uncertainty: Path | None = None
    epistemic: Path | None = None
    errors: Path | None = None


def predict(
    model: Path,
    images: Sequence[Path],
    output: Path,
    *,
    probabilities: bool = False,
    uncertainty: bool = False,
    device: Device = "auto",
    views: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[PredictedImage, ...]:
    """Segments image files with a stored model.

    Args:
        model: its ``.safetensors`` file.
        images: the files.
        output: folder for the results, made where it is missing; a class map has its image's name.
        probabilities: whether to write class probabilities too.
        uncertainty: whether to write maps of the uncertainty, into ``uncertainty/``, ``epistemic/`` and
            ``errors/``, and to find intervals of the area fractions.
        device: where the model runs.
        views: whether to average over mirrored and turned views.
        progress: hears how many images are done, and of how many.

    Raises:
        ModelError: the model cannot be used.
        ConfigurationError: two images have the same name, a result would overwrite its image, or the
            folder cannot be made.
        ImageError: an image is missing or damaged; the images before it are done.
    """
    images = [Path(image) for image in images]
    prepare_outputs(images, output, (".png",))
    segmenter = load_segmenter(model, device=device, views=views)
    return tuple(
        predict_with(
            segmenter, images, output, probabilities=probabilities, uncertainty=uncertainty, progress=progress
        )
    )


def predict_with(
    segmenter: Segmenter,
    images: Sequence[Path],
    output: Path,
    *,
    probabilities: bool = False,
    uncertainty: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[PredictedImage]:
    """As `predict`, with any segmenter. Reading and writing happen while the segmenter works."""
    with ThreadPoolExecutor(1, "reading") as reading, ThreadPoolExecutor(1, "writing") as writing:
        written: Future[PredictedImage] | None = None
        for done, (path, micrograph) in enumerate(_read_ahead(images, reading)):
            pixel_nm = float("nan") if micrograph.pixel_nm is None else micrograph.pixel_nm
            found = segmenter.segment(
                micrograph.pixels, pixel_nm, probability=probabilities, uncertainty=uncertainty
            )
            if written is not None:
                yield written.result()
            written = writing.submit(_write, path, found, output)
            if progress is not None:
                progress(done + 1, len(images))
        if written is not None:
            yield written.result()


def _read_ahead(images: Iterable[Path], reading: ThreadPoolExecutor) -> Iterator[tuple[Path, Micrograph]]:
    """Reads the next image while the present one is used."""
    waiting: tuple[Path, Future[Micrograph]] | None = None
    for path in images:
        following = (path, reading.submit(read_micrograph, path))
        if waiting is not None:
            yield waiting[0], waiting[1].result()
        waiting = following
    if waiting is not None:
        yield waiting[0], waiting[1].result()


def _write(path: Path, found: Segmentation, output: Path) -> PredictedImage:
    labels = output / f"{path.stem}.png"
    write_index_png(labels, found.labels)
    probabilities = None
    if found.probability is not None:
        probabilities = output / f"{path.stem}.npz"
        np.savez_compressed(
            probabilities, probability=found.probability, class_names=np.array(found.class_names)
        )
    unsure = found.uncertainty
    largest = math.log(len(found.class_names))
    maps: dict[str, tuple[NDArray[np.float16] | None, float]] = {}
    if unsure is not None:
        maps = {
            "uncertainty": (unsure.total, largest),
            "epistemic": (unsure.epistemic, largest),
            "errors": (unsure.error, 1.0),
        }
    written = {name: _write_map(output / name, path, *values) for name, values in maps.items()}
    counts = np.bincount(found.labels.ravel(), minlength=len(found.class_names)) / found.labels.size
    return PredictedImage(
        image=path,
        labels=labels,
        probabilities=probabilities,
        area_fractions=dict(zip(found.class_names, counts.tolist(), strict=True)),
        notes=found.notes,
        area_intervals=area_intervals(found),
        score=None if unsure is None else unsure.score,
        **written,
    )


def _write_map(folder: Path, image: Path, values: NDArray[np.float16] | None, largest: float) -> Path | None:
    if values is None:
        return None
    folder.mkdir(exist_ok=True)
    path = folder / f"{image.stem}.png"
    write_png(path, np.clip(np.rint(values.astype(np.float32) * (255.0 / largest)), 0, 255).astype(np.uint8))
    return path
