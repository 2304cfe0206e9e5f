"""Average precision of instances, as COCO defines it.

Source: the evaluation of the COCO data set (Lin et al. 2014, arXiv:1405.0312; pycocotools): detections in
order of confidence each take the free true instance that they overlap most, if by at least the threshold;
precision is made monotone and averaged over 101 recalls. Unlike COCO's default there is no limit of 100
detections an image.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbered = NDArray[np.int32]

THRESHOLDS = tuple(0.5 + 0.05 * step for step in range(10))
"""COCO's overlaps: 0.5, 0.55, ... 0.95."""
_RECALLS = np.linspace(0.0, 1.0, 101)


@dataclass(frozen=True, slots=True)
class AveragePrecision:
    """How well instances were found.

    Attributes:
        ap50: average precision at an overlap (IoU) of 0.5.
        ap75: at 0.75.
        ap: mean over the overlaps 0.5, 0.55, ... 0.95.
        recall50: share of the true instances that were found at an overlap of 0.5.
        precision50: share of what was found that is true at an overlap of 0.5.
        true: number of true instances.
        found: number of detections.
    """

    ap50: float | None
    ap75: float | None
    ap: float | None
    recall50: float | None
    precision50: float | None
    true: int
    found: int


@dataclass(frozen=True, slots=True)
class FramePair:
    """Truth and detections of one frame.

    Attributes:
        truth: ``height x width`` numbered true instances, 0 where there is none.
        found: likewise, numbered from 1.
        confidence: of each detection.
    """

    truth: Numbered
    found: Numbered
    confidence: NDArray[np.float64]


def average_precision(frames: Iterable[FramePair]) -> AveragePrecision:
    """Scores the detections of many frames together."""
    scores: list[NDArray[np.float64]] = []
    hits: list[NDArray[np.bool_]] = []
    true = 0
    for frame in frames:
        overlap = overlaps(frame.truth, frame.found, len(frame.confidence))
        order = np.argsort(-frame.confidence, kind="stable")
        hits.append(np.stack([matches(overlap[order], threshold) for threshold in THRESHOLDS]))
        scores.append(frame.confidence[order])
        true += overlap.shape[1]
    score = np.concatenate(scores) if scores else np.zeros(0)
    hit = np.concatenate(hits, axis=1) if hits else np.zeros((len(THRESHOLDS), 0), bool)
    hit = hit[:, np.argsort(-score, kind="stable")]
    if not true:
        return AveragePrecision(None, None, None, None, None, 0, len(score))
    by_threshold = [interpolated_precision(row, true) for row in hit]
    found_true = int(hit[0].sum())
    return AveragePrecision(
        by_threshold[0], by_threshold[5], float(np.mean(by_threshold)),
        found_true / true, found_true / len(score) if len(score) else None, true, len(score),
    )  # fmt: skip


def overlaps(truth: Numbered, found: Numbered, n_found: int) -> NDArray[np.float64]:
    """Intersection over union of every detection with every true instance, ``found x true``."""
    values, position = np.unique(truth, return_inverse=True)
    pairs = found.ravel().astype(np.int64) * len(values) + position.ravel()
    together = np.bincount(pairs, minlength=(n_found + 1) * len(values)).reshape(n_found + 1, -1)
    union = together.sum(axis=1)[:, None] + together.sum(axis=0)[None, :] - together
    result: NDArray[np.float64] = (together / np.maximum(union, 1))[1:, values > 0]
    return result


def matches(overlap: NDArray[np.float64], threshold: float) -> NDArray[np.bool_]:
    """Which detections, in order of confidence, take a true instance for themselves."""
    free = np.ones(overlap.shape[1], bool)
    hit = np.zeros(len(overlap), bool)
    for row, shares in enumerate(overlap):
        open_shares = np.where(free, shares, -1.0)
        best = int(open_shares.argmax()) if len(open_shares) else -1
        if best >= 0 and open_shares[best] >= threshold:
            free[best], hit[row] = False, True
    return hit


def interpolated_precision(hit: Sequence[bool] | NDArray[np.bool_], true: int) -> float:
    """Mean over 101 recalls of the best precision at that recall or above.

    Args:
        hit: whether each detection is right, in order of confidence.
        true: number of true instances, at least 1.
    """
    right = np.cumsum(np.asarray(hit, dtype=np.int64))
    if not len(right):
        return 0.0
    precision = right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(right / true, _RECALLS, side="left")
    reached = np.append(envelope, 0.0)[np.minimum(place, len(envelope))]
    return float(reached.mean())
