"""Whether a frame is put to the experts: by chance, with more chance where the model is less sure.

The chance of every frame is known and never zero, so that the answers correct the estimate
(``estimation.two_phase``), and what the strategy believes to be informative is asked for more often
(Zrnic & Candès, arXiv 2403.03208).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

FrameStrategy = Literal["uncertainty", "margin", "uniform"]
"""What makes a frame worth asking about: its mean entropy, its mean closeness of the best two classes, or
nothing."""
PRIOR_FRAMES = 5.0
"""Frames' worth of the first score in the running mean that scores are compared with."""


def uncertainty_map(probability: NDArray[np.floating]) -> NDArray[np.float32]:
    """Entropy of the class probabilities, ``height x width``, from 0 (sure) to 1 (all classes alike).

    Args:
        probability: ``classes x height x width``.
    """
    p = np.asarray(probability, np.float32)
    entropy = -(p * np.log(np.maximum(p, 1e-12))).sum(axis=0) / math.log(len(p))
    return np.asarray(np.minimum(np.maximum(entropy, 0), 1), np.float32)


def frame_score(
    probability: NDArray[np.floating] | None,
    strategy: FrameStrategy,
    unsure: NDArray[np.floating] | None = None,
) -> float:
    """How unsure a model is of a whole frame, from 0; 0 where it gives no probabilities.

    Args:
        probability: ``classes x height x width``.
        strategy: what to measure it by.
        unsure: ``height x width``, the uncertainty as the model itself tells it; None: the entropy of
            ``probability``.
    """
    if unsure is not None and strategy == "uncertainty":
        return float(unsure.mean(dtype=np.float64))
    if probability is None or strategy == "uniform":
        return 0.0
    if strategy == "uncertainty":
        return float(uncertainty_map(probability).mean())
    p = np.sort(np.asarray(probability, np.float32), axis=0)
    return float(np.mean(1.0 - (p[-1] - p[-2])))


@dataclass(slots=True)
class Chances:
    """The chance of each frame of a session to be asked for, from its score and those before it.

    Attributes:
        share: expected share of the frames that are asked for, in (0, 1].
        floor: share of it that does not look at the score, in (0, 1].
    """

    share: float
    floor: float
    _sum: float = 0.0
    _count: float = 0.0

    def chance(self, score: float) -> float:
        """Share (floor + (1 - floor) score / mean score so far), at most 1; then learns the score."""
        if self._count == 0:
            self._sum, self._count = PRIOR_FRAMES * score, PRIOR_FRAMES
        relative = score * self._count / self._sum if self._sum > 0 else 1.0
        self._sum += score
        self._count += 1
        return min(1.0, self.share * (self.floor + (1 - self.floor) * relative))
