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
from autoscope.perception.reliability import AreaInterval, Reliability, ReliabilityCounter
from autoscope.perception.segmentation import Segmentation, Segmenter
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
        area_intervals: likewise; empty where the model was not calibrated or nobody asked.
        score: mean entropy of the pixels, nats; None where nobody asked.
    """

    image: str
    mean_iou: float | None
    accuracy: float
    per_class: tuple[ClassScore, ...]
    area_fractions: tuple[AreaFraction, ...]
    area_intervals: tuple[AreaInterval, ...] = ()
    score: float | None = None


class Evaluation(Settings):
    """Scores over all images, pixels pooled, and on each.

    Attributes:
        classes: names, by label value.
        mean_iou: over the classes that occur.
        accuracy: share of the pixels that are right.
        per_class: one entry for each class.
        confusion: pixels; rows are the truth, columns the prediction.
        images: scores of each image.
        reliability: of probabilities and uncertainty; None where nobody asked or the segmenter has none.
    """

    classes: tuple[str, ...]
    mean_iou: float | None
    accuracy: float
    per_class: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    images: tuple[ImageScores, ...]
    reliability: Reliability | None = None

    @property
    def worst_first(self) -> tuple[ImageScores, ...]:
        """The images, that of the smallest mean intersection over union first."""
        return tuple(sorted(self.images, key=lambda one: (one.mean_iou is None, one.mean_iou or 0.0)))


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
    """Evaluates a stored model on the images of a folder, with its reliability.

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

    return evaluate_segmenter(segmenter, read(), plain=segmenter.plain())


def evaluate_segmenter(
    segmenter: Segmenter, labelled: Iterable[LabelledImage], *, plain: Segmenter | None = None
) -> Evaluation:
    """Evaluates any segmenter on labelled images, one after the other.

    Args:
        segmenter: what is evaluated.
        labelled: the images.
        plain: the same without calibration, to compare its entropy; reliability is found only with it.
    """
    names = segmenter.class_names
    pooled = np.zeros((len(names), len(names)), dtype=np.int64)
    images = []
    counter = None if plain is None else ReliabilityCounter(len(names))
    for one in labelled:
        pixel_nm = float("nan") if one.micrograph.pixel_nm is None else one.micrograph.pixel_nm
        wanted = counter is not None
        found = segmenter.segment(one.micrograph.pixels, pixel_nm, probability=wanted, uncertainty=wanted)
        confusion = confusion_matrix(one.labels, found.labels, len(names))
        scores = image_scores(one.name, confusion, names)
        if plain is not None and counter is not None and found.uncertainty is not None:
            scores = _with_reliability(scores, found, one, plain, counter)
        images.append(scores)
        pooled += confusion
    evaluation = pooled_scores(pooled, names, images)
    if counter is None or all(image.score is None for image in images):
        return evaluation
    return evaluation.model_copy(update={"reliability": counter.result()})


def area_intervals(
    found: Segmentation, truth: Sequence[float] | None = None, *, level: float = 0.9
) -> tuple[AreaInterval, ...]:
    """The intervals of a frame's area fractions, and whether they hold the truth where it is known."""
    areas = () if found.uncertainty is None else found.uncertainty.areas
    made = []
    for number, area in enumerate(areas):
        low, high = area.interval(level)
        covered = None if truth is None else bool(low <= truth[number] <= high)
        made.append(
            AreaInterval(class_name=area.class_name, mean=area.mean, low=low, high=high, covered=covered)
        )
    return tuple(made)


def _with_reliability(
    scores: ImageScores,
    found: Segmentation,
    image: LabelledImage,
    plain: Segmenter,
    counter: ReliabilityCounter,
) -> ImageScores:
    """Adds a frame to the counter, and to its scores what is known of their uncertainty."""
    if found.uncertainty is None or found.probability is None:
        return scores
    wrong = found.labels != image.labels
    counter.add(image.labels, found.labels, found.probability)
    if found.uncertainty.error is None:
        counter.add_entropy("total", found.uncertainty.total, wrong)
    else:
        counter.add_suspicion("total", found.uncertainty.error, wrong)
    softmax = plain.segment(image.micrograph.pixels, found.pixel_nm, uncertainty=True).uncertainty
    if softmax is not None:
        counter.add_entropy("softmax", softmax.total, wrong)
    intervals = area_intervals(found, [area.truth for area in scores.area_fractions])
    counter.add_coverage(intervals)
    return scores.model_copy(update={"area_intervals": intervals, "score": found.uncertainty.score})


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
