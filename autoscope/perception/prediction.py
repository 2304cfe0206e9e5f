"""Class maps of image files: index PNGs, and probabilities on request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from autoscope.images import Micrograph, read_micrograph, write_index_png
from autoscope.perception.devices import Device
from autoscope.perception.library import load_segmenter
from autoscope.perception.output_files import prepare_outputs
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
        notes: what is to be said of the result.
    """

    image: Path
    labels: Path
    probabilities: Path | None
    area_fractions: dict[str, float]
    notes: tuple[str, ...]


def predict(
    model: Path,
    images: Sequence[Path],
    output: Path,
    *,
    probabilities: bool = False,
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
    return tuple(predict_with(segmenter, images, output, probabilities=probabilities, progress=progress))


def predict_with(
    segmenter: Segmenter,
    images: Sequence[Path],
    output: Path,
    *,
    probabilities: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[PredictedImage]:
    """As `predict`, with any segmenter. Reading and writing happen while the segmenter works."""
    with ThreadPoolExecutor(1, "reading") as reading, ThreadPoolExecutor(1, "writing") as writing:
        written: Future[PredictedImage] | None = None
        for done, (path, micrograph) in enumerate(_read_ahead(images, reading)):
            pixel_nm = float("nan") if micrograph.pixel_nm is None else micrograph.pixel_nm
            found = segmenter.segment(micrograph.pixels, pixel_nm, probability=probabilities)
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
    counts = np.bincount(found.labels.ravel(), minlength=len(found.class_names)) / found.labels.size
    return PredictedImage(
        image=path,
        labels=labels,
        probabilities=probabilities,
        area_fractions=dict(zip(found.class_names, counts.tolist(), strict=True)),
        notes=found.notes,
    )
