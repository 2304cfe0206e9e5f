"""Whether probabilities mean what they say, and whether uncertainty finds errors; gathered frame by frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field

from autoscope.perception.settings import Settings

BINS = 15
_FINE = 4096
"""Bins of entropy: the area under the curve is exact but for errors and hits in the same bin."""
_SMALLEST = float(np.finfo(np.float16).smallest_subnormal)


class ConfidenceBin(Settings):
    """Pixels whose label was given about the same probability.

    Attributes:
        confidence: mean probability of the label; None in an empty bin.
        accuracy: share of these pixels whose label is right; likewise.
        share: of all pixels.
    """

    confidence: float | None
    accuracy: float | None
    share: float


class Reliability(Settings):
    """How far probabilities and uncertainty can be trusted.

    Attributes:
        ece: expected calibration error of the label's probability, 15 bins of equal width (Guo et al. 2017).
        brier: mean squared distance of the probabilities from the truth, summed over classes (Brier 1950).
        nll: mean negative log-probability of the true class, nats; probabilities below 6e-8 count as that.
        error_auroc: area under the receiver operating characteristic at finding wrong pixels, of the error
            map where the model has one, else of the entropy; None where none or all are wrong.
        error_auroc_softmax: likewise of the entropy of the plain softmax; None where that was not computed.
        area_coverage: share of the images and classes whose true area fraction lies in the 90 % interval;
            None without a calibration.
        bins: of the reliability diagram.
    """

    ece: float
    brier: float
    nll: float
    error_auroc: float | None
    error_auroc_softmax: float | None
    area_coverage: float | None
    bins: tuple[ConfidenceBin, ...]


class AreaInterval(Settings):
    """The 90 % interval of an area fraction on one image.

    Attributes:
        class_name: the class.
        mean: expected area fraction.
        low: lower end.
        high: upper end.
        covered: whether the truth lies inside; None where the truth is not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)
    class_name: str = Field(alias="class")
    mean: float
    low: float
    high: float
    covered: bool | None = None


def rank_auroc(values: NDArray[Any], positive: NDArray[np.bool_]) -> float | None:
    """Probability that a positive has the larger value than another (Mann & Whitney 1947); ties count half.

    Args:
        values: ``n``.
        positive: ``n``, which they are.

    Returns:
        None where all or none are positive.
    """
    from scipy.stats import rankdata

    ranks, count = rankdata(values), int(positive.sum())
    pairs = count * (len(positive) - count)
    return float((ranks[positive].sum() - count * (count + 1) / 2) / pairs) if pairs else None


class ReliabilityCounter:
    """Adds up frames.

    Args:
        classes: number of classes.
    """

    def __init__(self, classes: int) -> None:
        self._classes, self._pixels = classes, 0
        self._brier = self._nll = 0.0
        self._bins = np.zeros((3, BINS))
        self._entropy: dict[str, NDArray[np.int64]] = {}
        self._covered: list[bool] = []

    def add(self, truth: NDArray[np.uint8], labels: NDArray[np.uint8], probability: NDArray[Any]) -> None:
        """Adds a frame's labels and ``classes x height x width`` probabilities."""
        chance = probability.reshape(self._classes, -1).astype(np.float32)
        true, label = truth.ravel(), labels.ravel()
        columns = np.arange(true.size)
        of_true, of_label = chance[true, columns], chance[label, columns]
        self._pixels += true.size
        self._nll -= float(np.log(np.maximum(of_true, _SMALLEST)).sum(dtype=np.float64))
        # sum (p - y)^2 = sum p^2 - 2 p_true + 1
        squares = np.einsum("cn,cn->", chance, chance, dtype=np.float64)
        self._brier += float(squares) - 2.0 * float(of_true.sum(dtype=np.float64)) + true.size
        chosen = np.clip(np.ceil(of_label * BINS).astype(np.intp) - 1, 0, BINS - 1)
        for row, weights in enumerate((None, of_label, label == true)):
            self._bins[row] += np.bincount(chosen, weights=weights, minlength=BINS)

    def add_entropy(self, name: str, entropy: NDArray[Any], wrong: NDArray[np.bool_]) -> None:
        """Adds a frame's entropies, nats, and which of its pixels are wrong."""
        self.add_suspicion(name, entropy.astype(np.float32) / math.log(self._classes), wrong)

    def add_suspicion(self, name: str, suspicion: NDArray[Any], wrong: NDArray[np.bool_]) -> None:
        """Adds how much a frame's pixels are suspected, from 0 to 1, and which of them are wrong."""
        # fine where most pixels are: close to zero
        scaled = np.sqrt(np.maximum(suspicion.ravel().astype(np.float32), 0.0)) * (_FINE - 1)
        bins = np.clip(scaled.astype(np.intp), 0, _FINE - 1) + _FINE * wrong.ravel()
        counts = np.bincount(bins, minlength=2 * _FINE).reshape(2, _FINE)
        self._entropy[name] = self._entropy.get(name, np.zeros((2, _FINE), np.int64)) + counts

    def add_coverage(self, intervals: Sequence[AreaInterval]) -> None:
        """Adds a frame's intervals."""
        self._covered += [bool(one.covered) for one in intervals if one.covered is not None]

    def result(self) -> Reliability:
        """Of all frames so far."""
        count, confidence, right = self._bins
        total = max(self._pixels, 1)
        gaps = np.abs(confidence - right) / total
        bins = tuple(
            ConfidenceBin(
                confidence=float(c / n) if n else None, accuracy=float(r / n) if n else None, share=n / total
            )
            for n, c, r in zip(count.tolist(), confidence.tolist(), right.tolist(), strict=True)
        )
        return Reliability(
            ece=float(gaps.sum()),
            brier=self._brier / total,
            nll=self._nll / total,
            error_auroc=self._auroc("total"),
            error_auroc_softmax=self._auroc("softmax"),
            area_coverage=float(np.mean(self._covered)) if self._covered else None,
            bins=bins,
        )

    def _auroc(self, name: str) -> float | None:
        """Probability that a wrong pixel has a larger entropy than a right one; ties count half."""
        right, wrong = self._entropy.get(name, np.zeros((2, _FINE), np.int64)).astype(np.float64)
        if not (right.sum() and wrong.sum()):
            return None
        below = np.cumsum(right) - right
        return float((wrong * (below + 0.5 * right)).sum() / (right.sum() * wrong.sum()))
