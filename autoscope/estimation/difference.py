"""The difference estimator for fields drawn by any policy with known propensities.

A population of N fields has weights a_i (they sum to 1) and values y_i; the quantity is
theta = sum a_i y_i. At draw t the policy fixes, from the past only, a distribution over the fields
(or groups of fields) that remain, R_t, and a prediction f_t of every one of them. The pseudo-value

    Z_t = sum_{drawn before t} a y  +  sum_{R_t} a f_t  +  sum_{i in draw t} a_i (y_i - f_t(i)) / pi_i

has expectation theta given the past, whatever the policy and however bad the predictions are, because
pi_i is the probability that field i belongs to draw t given the past. Estimates average the
pseudo-values with weights that are fixed from the past as well.

Sources: Des Raj, J. Am. Stat. Assoc. 51 (1956) 269; Farquhar, Gal, Rainforth, ICLR 2021 (the weights;
with f = 0 the estimate is their LURE); Shekhar et al., arXiv 2305.06884 (difference form).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autoscope.core import EstimationError

DISTRIBUTION_TOLERANCE = 1e-9
"""By how much the probabilities of a distribution may miss 1 in sum (rounding)."""
_NO_WEIGHT = "the draw that completes the census has no weight: the census is exact"


class Combined(NamedTuple):
    """Pseudo-values averaged.

    Attributes:
        estimate: the weighted mean.
        standard_error: its standard error; NaN with fewer than two effective draws.
        effective_draws: K = (sum w)² / sum w², the number of equally weighted draws that weigh as much.
    """

    estimate: float
    standard_error: float
    effective_draws: float


def pseudo_value(
    measured_before: float,
    predicted_rest: float,
    weight: ArrayLike,
    value: ArrayLike,
    predicted: ArrayLike,
    propensity: ArrayLike,
) -> float:
    """Z_t of one draw of ``k`` fields: an unbiased guess of theta given everything before the draw.

    Args:
        measured_before: sum of a_i y_i over the fields of all earlier draws.
        predicted_rest: sum of a_i f_t(i) over the fields that remained when the draw was made, those of
            the draw included.
        weight: ``k``, a_i of the fields of the draw.
        value: ``k``, their measured values.
        predicted: ``k``, their predictions, fixed at the draw.
        propensity: ``k`` (or one number), probability that each belongs to the draw, given the past.

    Raises:
        EstimationError: a propensity is not in (0, 1].
    """
    a, y, f, pi = _listed(weight), _listed(value), _listed(predicted), _listed(propensity)
    for chance in pi:
        if not 0 < chance <= 1:
            raise EstimationError(
                f"a draw has propensity {chance:g}; propensities lie in (0, 1]: a field that could not have"
                " been drawn, or whose chance is unknown, says nothing about the rest"
            )
    chances = pi * len(a) if len(pi) == 1 else pi
    surprise = sum(a_i * (y_i - f_i) / p for a_i, y_i, f_i, p in zip(a, y, f, chances, strict=True))
    return float(measured_before + predicted_rest + surprise)


def _listed(values: ArrayLike) -> list[float]:
    """Few numbers are summed sooner without numpy."""
    if isinstance(values, float):
        return [values]
    if isinstance(values, np.ndarray) and values.ndim == 1 and values.dtype == float:
        return list(values.tolist())
    return [float(value) for value in np.atleast_1d(values)]


def draw_weights(remaining: ArrayLike, variance: ArrayLike | None = None) -> NDArray[np.float64]:
    """Predictable weights of draws, each fixed before its draw.

    Without predicted variances they are w_t = 1 / ((N - t)(N - t + 1)) of METHODS section 2 (LURE). With
    them they are r / (r - 1) / V_t (variance stabilising, Hadad et al., PNAS 118 (2021) e2014602118), which
    is the same up to a factor while the spread of the fields about their predictions is constant, for then
    V_t grows as r², r = N - t + 1.

    Args:
        remaining: ``n``, r: units (fields, or groups that are drawn as a whole) that remained when each
            draw was made; at least 2, for the last unit completes a census.
        variance: ``n``, predicted variances of the pseudo-values, from the past of each draw alone.

    Raises:
        EstimationError: a draw had fewer than two units left.
    """
    left = np.asarray(remaining, float)
    if left.min(initial=2) < 2:
        raise EstimationError(_NO_WEIGHT)
    if variance is None:
        return np.asarray(1.0 / (left * (left - 1.0)))
    return np.asarray(left / (left - 1.0) / np.asarray(variance, float))


def draw_weight(remaining: int, variance: float) -> float:
    """The same of one draw, with its predicted variance.

    Raises:
        EstimationError: it had fewer than two units left.
    """
    if remaining < 2:
        raise EstimationError(_NO_WEIGHT)
    return remaining / (remaining - 1.0) / variance


def combine(pseudo_values: ArrayLike, weights: ArrayLike, *, deviations: ArrayLike | None = None) -> Combined:
    """Weighted mean of ``n`` pseudo-values with its standard error.

    SE² = K/(K-1) sum w² (Z - mean)² / (sum w)², K = (sum w)² / sum w² (METHODS section 2).

    Args:
        pseudo_values: ``n``, Z.
        weights: ``n``, positive, each fixed before its draw.
        deviations: ``n``, to be used for |Z - mean| where Z is known only within bounds.
    """
    z, w = np.asarray(pseudo_values, float), np.asarray(weights, float)
    total = float(w.sum())
    estimate = float(w @ z) / total
    effective = total**2 / float(w @ w)
    if len(z) < 2 or effective <= 1:
        return Combined(estimate, float("nan"), effective)
    away = w * (z - estimate if deviations is None else np.asarray(deviations, float))
    variance = effective / (effective - 1) * float(away @ away) / total**2
    return Combined(estimate, math.sqrt(variance), effective)


def check_distribution(probability: NDArray[np.float64], step: int) -> float:
    """Refuses a distribution that is not one; returns its sum, which is 1 but for rounding.

    Args:
        probability: one for each candidate.
        step: the draw it is for, counted from 1.

    Raises:
        EstimationError: it has a NaN, a negative value, or does not sum to 1.
    """
    if not probability.min(initial=0.0) >= 0:
        at = int(np.flatnonzero(~(probability >= 0))[0])
        raise EstimationError(
            f"draw {step}: candidate {at} has probability {probability[at]:g};"
            " a policy must return probabilities of 0 or more",
            step=step,
        )
    total = float(probability.sum())
    if not abs(total - 1.0) <= DISTRIBUTION_TOLERANCE * max(1, len(probability)) ** 0.5:
        raise EstimationError(
            f"draw {step}: the probabilities of {len(probability)} candidates sum to {total:.12g}, not to 1;"
            " a policy must return a distribution",
            step=step,
        )
    return total


def check_values(
    values: NDArray[np.float64],
    low: Sequence[float],
    high: Sequence[float],
    *,
    step: int,
    field: int,
    names: tuple[str, ...],
) -> None:
    """Refuses measurements that the quantities' declared bounds exclude.

    Args:
        values: ``targets``, measured on one field.
        low: lowest possible value of each target.
        high: highest possible value of each target.
        step: the field visit, counted from 1.
        field: index of the field.
        names: ``targets``, what each value is, for the message.

    Raises:
        EstimationError: the number of values is wrong, or one is NaN or out of bounds.
    """
    if values.shape != (len(names),):
        raise EstimationError(
            f"step {step}, field {field}: {values.size} values were measured for {len(names)} targets",
            step=step, field=field,
        )  # fmt: skip
    for name, value, least, most in zip(names, values.tolist(), low, high, strict=True):
        if not least <= value <= most:
            raise EstimationError(
                f"step {step}, field {field}: {name} = {value:g} lies outside its bounds"
                f" [{least:g}, {most:g}]; the measurement is wrong, or the bounds declared for it are",
                step=step,
                field=field,
            )
