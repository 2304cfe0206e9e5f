"""Offsets of the classes' scores that make the labels' area fractions right on the average.

Training draws rare classes more often than they are, and a network may then find too much of them. Offsets
that maximise the likelihood of pixels would do away with rare classes altogether, since no pixel is more
probably a crack than not; offsets that balance areas keep precision and recall equal, and pixels' labels are
still those of the largest probability.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from autoscope.perception.area_distribution import log_odds
from autoscope.perception.evaluation import class_scores, confusion_matrix, mean_iou
from autoscope.perception.held_out import HeldOutImage

FEWEST_IMAGES = 3
"""Fewer say nothing about how much images differ."""
_STEPS = 25
_STEP = 0.8
_LARGEST = 5.0
_TOLERATED_IOU = 0.002
_STANDARD_ERRORS = 2.0
"""Two rather than one, since images of one specimen resemble each other."""


def balanced_offsets(images: Sequence[HeldOutImage]) -> NDArray[np.float64]:
    """Offsets of the scores, zero where the images do not show that labels are better with them.

    The mean error of the log-odds of area fractions is taken away as far as it exceeds two standard errors
    (positive-part shrinkage in the manner of James and Stein), and only where images that had no say keep
    their mean intersection over union and come closer to their true area fractions.
    """
    zero: NDArray[np.float64] = np.zeros(len(images[0].scores))
    if len(images) < FEWEST_IMAGES:
        return zero
    offsets = _fit(images)
    if not offsets.any():
        return zero
    parts = [list(range(start, len(images), FEWEST_IMAGES)) for start in range(FEWEST_IMAGES)]
    plain, moved = [], []
    for part in parts:
        rest = [image for number, image in enumerate(images) if number not in part]
        others = _fit(rest) if len(rest) >= 2 else zero
        plain += [_quality(images[number], zero) for number in part]
        moved += [_quality(images[number], others) for number in part]
    iou_before, error_before = np.mean(plain, axis=0)
    iou_after, error_after = np.mean(moved, axis=0)
    better = error_after < error_before and iou_after > iou_before - _TOLERATED_IOU
    return offsets if better else zero


def _fit(images: Sequence[HeldOutImage]) -> NDArray[np.float64]:
    errors = np.stack([_errors(image, None) for image in images])
    mean = errors.mean(axis=0)
    square_error = _STANDARD_ERRORS**2 * errors.var(axis=0, ddof=1) / len(images)
    share = np.where(mean**2 > square_error, 1.0 - square_error / np.maximum(mean**2, 1e-12), 0.0)
    left = (1.0 - share) * mean
    offsets: NDArray[np.float64] = np.zeros_like(mean)
    if not share.any():
        return offsets
    for _ in range(_STEPS):
        now = np.stack([_errors(image, offsets) for image in images]).mean(axis=0)
        offsets += _STEP * np.where(share > 0.0, now - left, 0.0)
        offsets = np.clip(offsets - offsets.mean(), -_LARGEST, _LARGEST)
    return offsets


def _labels(image: HeldOutImage, offsets: NDArray[np.float64] | None) -> NDArray[np.uint8]:
    scores = image.scores.float()
    if offsets is not None:
        scores = scores + torch.from_numpy(offsets).float()[:, None, None]
    labels: NDArray[np.uint8] = scores.argmax(dim=0).to(torch.uint8).numpy()
    return labels


def _errors(image: HeldOutImage, offsets: NDArray[np.float64] | None) -> NDArray[np.float64]:
    """Log-odds of the true area fractions minus those of the labels."""
    classes, size = len(image.scores), image.labels.size
    true = np.bincount(image.labels.ravel(), minlength=classes) / size
    found = np.bincount(_labels(image, offsets).ravel(), minlength=classes) / size
    return log_odds(true) - log_odds(found)


def _quality(image: HeldOutImage, offsets: NDArray[np.float64]) -> tuple[float, float]:
    """Mean intersection over union, and root mean square error of the log-odds of area fractions."""
    classes = len(image.scores)
    confusion = confusion_matrix(image.labels, _labels(image, offsets), classes)
    score = mean_iou(class_scores(confusion, [str(n) for n in range(classes)])) or 0.0
    return score, float(np.sqrt((_errors(image, offsets) ** 2).mean()))
