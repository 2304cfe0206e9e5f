"""Which frames of a pool to ask about next: modAL's query strategies behind one interface.

A pool has no chance in it: what a strategy picks teaches a model, and corrects no estimate. For that a
session tosses coins (``asking``), or a strategy is mixed with a probability sample (:func:`with_floor`).

Sources: Settles, Active Learning Literature Survey (2009), sections 3.1 (uncertainty, margin), 3.2
(committees) and 3.6 (information density); Cardoso et al., Inf. Sci. 379 (2017) 313 (ranked batches).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from autoscope.core import LabelError, nearest
from autoscope.labels.randomness import global_generator

StrategyName = Literal["random", "uncertainty", "margin", "entropy", "committee", "density", "batch"]
STRATEGIES: tuple[StrategyName, ...] = get_args(StrategyName)


@dataclass(frozen=True, slots=True)
class Pool:
    """Frames that may be asked about, and what a model makes of them.

    Attributes:
        features: ``frames x d``, what frames are compared by.
        votes: ``members x frames x pixels x classes``, class probabilities on some pixels of each frame by
            each member of a committee; one member where there is no committee.
        labelled: ``answered x d``, features of the frames that have an answer; may be empty.
    """

    features: NDArray[np.floating[Any]]
    votes: NDArray[np.floating[Any]]
    labelled: NDArray[np.floating[Any]]

    @property
    def probability(self) -> NDArray[np.float64]:
        """``frames x pixels x classes``, the committee's mean."""
        return np.asarray(self.votes.mean(axis=0), float)

    def __len__(self) -> int:
        return len(self.features)


class QueryStrategy(Protocol):
    """Ranks the frames of a pool."""

    def choose(self, pool: Pool, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """The ``count`` frames to ask about, the most informative first; equal ones in random order."""


def query_strategy(name: str) -> QueryStrategy:
    """A strategy by its name.

    Raises:
        LabelError: there is none of this name.
    """
    if name == "random":
        return _Random()
    if name == "batch":
        return _RankedBatch()
    if name in STRATEGIES:
        return _Ranked(name)
    raise LabelError(f"{name!r} is no query strategy{nearest(name, STRATEGIES)}: choose one of {STRATEGIES}")


def with_floor(
    scores: NDArray[np.floating[Any]], count: int, floor: float, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """A probability sample of a pool in which better frames have more chance, and none has no chance.

    Args:
        scores: ``frames``, not negative.
        count: expected size of the sample.
        floor: share of every frame's chance that does not look at its score, in (0, 1].
        rng: tosses the coins.

    Returns:
        The frames that were chosen, and the chance of every frame, ``frames``.

    Raises:
        LabelError: the floor is not in (0, 1].
    """
    if not 0 < floor <= 1:
        raise LabelError(f"a floor of {floor:g}: it lies in (0, 1], without it some frames have no chance")
    total = float(scores.sum())
    even = np.full(len(scores), 1 / len(scores))
    shares = floor * even + (1 - floor) * (scores / total if total > 0 else even)
    chance = np.minimum(1.0, count * shares)
    return np.flatnonzero(rng.random(len(scores)) < chance), chance


def frame_scores(pool: Pool, measure: str) -> NDArray[np.float64]:
    """``frames``: the mean over each frame's pixels of modAL's measure, larger where the model is less sure.

    Raises:
        LabelError: there is no such measure, or a committee of one is asked how it disagrees.
    """
    from modAL.disagreement import KL_max_disagreement
    from modAL.uncertainty import classifier_entropy, classifier_margin, classifier_uncertainty

    frames, pixels, classes = pool.votes.shape[1:]
    if measure == "committee":
        if len(pool.votes) < 2:
            raise LabelError("a committee of one cannot disagree: give at least two members")
        rows = pool.votes.reshape(len(pool.votes), -1, classes).astype(float)
        each = KL_max_disagreement(_Committee(rows), rows[0])
    else:
        measures = {
            "uncertainty": classifier_uncertainty,
            "entropy": classifier_entropy,
            "margin": lambda known, rows: 1.0 - classifier_margin(known, rows),
        }
        if measure not in measures:
            raise LabelError(f"{measure!r} is no measure of a frame{nearest(measure, list(measures))}")
        each = measures[measure](_Known(), pool.probability.reshape(-1, classes))
    return np.asarray(np.asarray(each, float).reshape(frames, pixels).mean(axis=1))


class _Known:
    """A classifier to modAL whose "features" are the probabilities that are known already."""

    def predict_proba(self, probability: NDArray[np.float64]) -> NDArray[np.float64]:
        return probability


class _Committee:
    """A committee to modAL whose members' probabilities are known already: ``members x rows x classes``."""

    def __init__(self, votes: NDArray[np.float64]) -> None:
        self._votes = np.maximum(votes, 1e-9)

    def __len__(self) -> int:
        return len(self._votes)

    def __iter__(self) -> Any:
        return iter(self._votes)

    def vote_proba(self, _rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.swapaxes(self._votes, 0, 1))


class _Random:
    def choose(self, pool: Pool, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
        return rng.permutation(len(pool))[:count]


@dataclass(frozen=True, slots=True)
class _Ranked:
    """The frames of the highest scores; density: those that are like many others before all."""

    name: str

    def choose(self, pool: Pool, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
        from modAL.density import information_density
        from modAL.utils.selection import shuffled_argmax

        if self.name == "density":
            scores = frame_scores(pool, "entropy") * information_density(_even(pool.features, pool)[0])
        else:
            scores = frame_scores(pool, self.name)
        with global_generator(rng):
            ascending, _ = shuffled_argmax(scores, n_instances=min(count, len(pool)))
        return np.asarray(ascending[::-1], np.intp)


class _RankedBatch:
    """Unsure frames that are unlike those that were asked about and unlike each other.

    Where nothing was asked about yet the most typical frame comes first. modAL leaves that one in the pool
    and may choose it again, so it is taken out here.
    """

    def choose(self, pool: Pool, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
        from modAL.batch import ranked_batch, select_cold_start_instance

        scores = frame_scores(pool, "entropy")
        spread = float(scores.max() - scores.min())
        unsure = (scores - scores.min()) / spread if spread > 0 else np.ones(len(pool))
        features, seen = _even(pool.features, pool)
        left, first = np.arange(len(pool)), []
        with global_generator(rng):
            if seen is None:
                typical, seen = select_cold_start_instance(features, "euclidean", None)
                left, first = np.delete(left, typical), [int(typical)]
            wanted = min(count, len(pool)) - len(first)
            if wanted <= 0:
                return np.array(first, np.intp)
            ranked, _ = ranked_batch(_Answered(seen), features[left], unsure[left], wanted, "euclidean", None)
        return np.array([*first, *left[ranked]], np.intp)


@dataclass(frozen=True, slots=True)
class _Answered:
    """What modAL's ranked batches want of a learner: what it has seen, None for nothing."""

    X_training: NDArray[np.float64] | None
    on_transformed: bool = False


def _even(
    features: NDArray[np.floating[Any]], pool: Pool
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Features of the pool and of what is labelled, on scales on which distances lie about 1."""
    centre, spread = features.mean(axis=0), features.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0) * np.sqrt(features.shape[1])
    labelled = (pool.labelled - centre) / scale if len(pool.labelled) else None
    return (features - centre) / scale, labelled
