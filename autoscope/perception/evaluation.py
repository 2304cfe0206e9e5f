"""How good a model is: predicted classes against the masks of labelled images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from autoscope.perception.card import ClassScore, require_classes
from autoscope.perception.devices import Device
from autoscope.perception.library import load_segmenter
from autoscope.perception.pairs import LabelledImage, find_pairs, read_pair
from autoscope.perception.segmentation import Segmenter
from autoscope.perception.settings import Settings

Confusion = NDArray[np.int64]


class AreaFraction(Settings):
    """The area fraction of one class on one image.

    Attributes:
        class_name: the class.
        predicted: by the model.
        truth: by the mask.
        error: predicted minus truth.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    class_name: str = Field(alias="class")
    predicted: float
    truth: float
    error: float


class ImageScores(Settings):
    """Scores on one image.

    Attributes:
        image: its name.
        mean_iou: over the classes that occur.
        accuracy: share of the pixels that are right.
        per_class: one entry for each class.
        area_fractions: likewise.
    """

    image: str
    mean_iou: float | None
    accuracy: float
    per_class: tuple[ClassScore, ...]
    area_fractions: tuple[AreaFraction, ...]


class Evaluation(Settings):
    """Scores over all images, pixels pooled, and on each.

    Attributes:
        classes: names, by label value.
        mean_iou: over the classes that occur.
        accuracy: share of the pixels that are right.
        per_class: one entry for each class.
        confusion: pixels; rows are the truth, columns the prediction.
        images: scores of each image.
    """

    classes: tuple[str, ...]
    mean_iou: float | None
    accuracy: float
    per_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    images: tuple[ImageScores, ...]


def evaluate(
    model: Path,
    images: Path,
    masks: Path,
    *,
    classes: Sequence[str] = (),
    device: Device = "auto",
    views: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Evaluates a stored model on the images of a folder.

    Args:
        model: its ``.safetensors`` file.
        images: folder of images.
        masks: folder of masks of the same names.
        classes: names that the model must know.
        device: where it runs.
        views: whether to average over mirrored and turned views.
        progress: hears how many images are done, and of how many.

    Raises:
        ModelError: the model cannot be used.
        ConfigurationError: the folders do not pair up.
        ImageError: a file is damaged, or a mask does not fit.
    """
    pairs = find_pairs(images, masks)
    segmenter = load_segmenter(model, classes=classes, device=device, views=views)
    require_classes(segmenter.card, classes, model)

    def read() -> Iterable[LabelledImage]:
        for done, pair in enumerate(pairs):
            yield read_pair(pair, segmenter.class_names)
            if progress is not None:
                progress(done + 1, len(pairs))

    return evaluate_segmenter(segmenter, read())


def evaluate_segmenter(segmenter: Segmenter, labelled: Iterable[LabelledImage]) -> Evaluation:
    """Evaluates any segmenter on labelled images, one after the other."""
    names = segmenter.class_names
    pooled = np.zeros((len(names), len(names)), dtype=np.int64)
    images = []
    for one in labelled:
        pixel_nm = one.micrograph.pixel_nm
        found = segmenter.segment(one.micrograph.pixels, float("nan") if pixel_nm is None else pixel_nm)
        confusion = confusion_matrix(one.labels, found.labels, len(names))
        images.append(image_scores(one.name, confusion, names))
        pooled += confusion
    return pooled_scores(pooled, names, images)


def confusion_matrix(truth: NDArray[np.uint8], predicted: NDArray[np.uint8], n_classes: int) -> Confusion:
    """Counts pixels by true class (rows) and predicted class (columns), ``classes x classes``."""
    pairs = truth.ravel().astype(np.intp) * n_classes + predicted.ravel()
    return np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)


def class_scores(confusion: Confusion, names: Sequence[str]) -> tuple[ClassScore, ...]:
    """Intersection over union, precision, recall and F1 (Dice) of each class.

    A score whose denominator is zero is None.
    """
    hits = np.diag(confusion)
    true, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    return tuple(
        ClassScore(
            class_name=name,
            iou=_ratio(hits[i], true[i] + predicted[i] - hits[i]),
            precision=_ratio(hits[i], predicted[i]),
            recall=_ratio(hits[i], true[i]),
            f1=_ratio(2 * hits[i], true[i] + predicted[i]),
        )
        for i, name in enumerate(names)
    )


def mean_iou(scores: Sequence[ClassScore]) -> float | None:
    """Mean over the classes that occur in truth or prediction; None where none does."""
    values = [score.iou for score in scores if score.iou is not None]
    return float(np.mean(values)) if values else None


def image_scores(name: str, confusion: Confusion, names: Sequence[str]) -> ImageScores:
    """Scores of one image."""
    scores, total = class_scores(confusion, names), int(confusion.sum())
    true, predicted = confusion.sum(axis=1) / total, confusion.sum(axis=0) / total
    return ImageScores(
        image=name,
        mean_iou=mean_iou(scores),
        accuracy=float(np.trace(confusion) / total),
        per_class=scores,
        area_fractions=tuple(
            AreaFraction(class_name=n, predicted=float(p), truth=float(t), error=float(p - t))
            for n, p, t in zip(names, predicted, true, strict=True)
        ),
    )


def pooled_scores(confusion: Confusion, names: Sequence[str], images: Sequence[ImageScores]) -> Evaluation:
    """Scores of all images from their pooled confusion."""
    scores = class_scores(confusion, names)
    return Evaluation(
        classes=tuple(names),
        mean_iou=mean_iou(scores),
        accuracy=float(np.trace(confusion) / max(int(confusion.sum()), 1)),
        per_class=scores,
        confusion=tuple(tuple(int(value) for value in row) for row in confusion),
        images=tuple(images),
    )


def _ratio(part: np.int64, whole: np.int64) -> float | None:
    return float(part / whole) if whole else None
