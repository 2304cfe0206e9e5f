"""What past draws say of another distribution than the one that they were made from.

Field i was drawn with chance q_i and would have been drawn with chance q'_i. Any mean over draws of the
other kind is the mean over the draws that were made with weights w = q'/q (Horvitz and Thompson, J. Am. Stat.
Assoc. 47 (1952) 663; importance sampling: Owen, Monte Carlo theory, methods and examples, chapter 9).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def effective_sample_size(weights: NDArray[np.float64]) -> float:
    """How many equally weighted draws weigh as much: (sum w)² / sum w² (Kish, Survey Sampling, 1965, 11.7).

    Args:
        weights: ``n``, not negative; 0 where all of them are.
    """
    squares = float(weights @ weights)
    return float(weights.sum()) ** 2 / squares if squares > 0 else 0.0


def other_squares(
    base: NDArray[np.float64],
    step: NDArray[np.float64],
    theta: float,
    drawn: NDArray[np.float64],
    other: NDArray[np.float64],
) -> NDArray[np.float64]:
    """``n``, each of expectation E'[(Z' - theta)²]: the variance of a pseudo-value drawn the other way.

    Z' = base + step / q' is what the pseudo-value would have been with the other chances, and w = q'/q makes
    its mean over the draws that were made the mean over those that were not. With ``base`` = theta this is
    the mean of step² / (q' q), by which :func:`autoscope.survey.allocation.best_shape` compares designs.

    Args:
        base: ``n``, what is certain of each pseudo-value: measured before, and predicted of the rest.
        step: ``n``, a (y - f) of the field that was drawn.
        theta: the quantity, or its estimate.
        drawn: ``n``, q of that field, positive.
        other: ``n``, q' of it, positive.
    """
    return np.asarray(other / drawn * (base + step / other - theta) ** 2)


def variance_of_mean(
    squares: NDArray[np.float64], weights: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``b``, variances of the weighted mean of pseudo-values: sum w² (Z - theta)² / (sum w)²; NaN of none.

    Args:
        squares: ``n``, (Z - theta)² or what has its expectation.
        weights: ``n``, of the pseudo-values, fixed before their draws.
        counts: ``b x n``, how often each draw counts: ones, or what a bootstrap drew.
    """
    return _over(counts @ (weights**2 * squares), (counts @ weights) ** 2)


def self_normalised_mean(
    values: NDArray[np.float64], weights: NDArray[np.float64], counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``b``, sum w x / sum w (Hesterberg, Technometrics 37 (1995) 185); NaN where all weights are 0.

    Args:
        values: ``n``, what was seen at each draw.
        weights: ``n``, importance weights q'/q.
        counts: ``b x n``, how often each draw counts.
    """
    return _over(counts @ (weights * values), counts @ weights)


def resampled(groups: NDArray[np.intp], times: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """``times x n``, how often each of ``n`` visits counts in bootstrap samples of whole draws.

    Source: Efron, Ann. Stat. 7 (1979) 1; draws are resampled, since the fields of a batch belong together.

    Args:
        groups: ``n``, the draw of each visit, counted from 0 without gaps.
        times: how many samples.
        rng: where chance comes from.
    """
    draws = int(groups.max()) + 1
    drawn = rng.multinomial(draws, np.full(draws, 1 / draws), size=times)
    return np.asarray(drawn[:, groups], float)


def _over(above: NDArray[np.float64], below: NDArray[np.float64]) -> NDArray[np.float64]:
    """A quotient; NaN where it has no denominator."""
    return np.asarray(np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0))
