"""What experts' answers on a probability sample of the measured frames say of the model's error.

The first phase draws fields, and the model measures them: y. The second tosses a coin with known probability
phi for each frame that came back, and asks an expert about it where it falls so: e. With d = e - y, the
quantity that the experts would have found is theta_e = theta_y + delta, delta = sum a_i d_i. For draw t, with
a running mean g_t of the differences seen before it, and R_t the fields that remained,

    D_t = sum_{drawn before t} a (g + (xi / phi) (d - g))  +  g_t sum_{R_t} a
          + sum_{i in draw t} (xi_i / phi_i) a_i (d_i - g_t) / pi_i

has expectation delta, whatever the model's errors, the policy and the choice of phi: the two propensities
multiply. The running mean only makes it scatter less. A frame from which the model itself has learnt says
nothing on its error elsewhere: what is known of it, d, is added as it is, with phi = 1, and the running mean
leaves it out; phi of the others is then their chance of an answer given that they were not learnt from
(docs/decisions/0009). Draws without a second phase, for instance after
the last request, say nothing on delta and all they say on theta_y.

Sources: Särndal, Swensson, Wretman, Model Assisted Survey Sampling (1992), sections 9.3 and 9.7 (two phases
with a difference estimator); Zrnic & Candès, arXiv 2403.03208 (labels chosen by uncertainty).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError
from autoscope.estimation.difference import combine
from autoscope.estimation.intervals import STOPPING_ALLOWANCE

MINIMUM_ANSWERS = 20
"""Answers that the corrected interval wants before it trusts a central limit theorem."""
MINIMUM_CORRECTED = 10
"""How many of them must differ from what the model found: where experts agree with it on all frames but a
few, the spread of the differences that was seen says little about the spread there is."""


@dataclass(frozen=True, slots=True)
class FirstPhase:
    """What the draws alone say of theta_y: the ``n`` pseudo-values and their weights.

    Attributes:
        value: ``n``, Z_t; all the same where the census is complete and nothing is left to chance.
        weight: ``n``, w_t, each fixed before its draw.
        below: what fields that could not be measured may take away from the estimate.
        above: what they may add to it.
    """

    value: NDArray[np.float64]
    weight: NDArray[np.float64]
    below: float = 0.0
    above: float = 0.0


@dataclass(frozen=True, slots=True)
class SecondPhase:
    """The ``m`` frames on which a coin was tossed and whose answer, where one was asked, is in.

    Attributes:
        draw: ``m``, index of each frame's draw in the first phase, ascending; whole draws from the first on.
        weight: ``m``, a_i.
        propensity: ``m``, pi_i, the chance of the field in its draw.
        chance: ``m``, phi_i, of being asked; 1 for a field without a frame, which has no difference.
        difference: ``m``, e - y; NaN where nobody was asked.
        low: ``m``, lowest possible e - y of a frame that was asked for and that no expert could answer; equal
            to the difference otherwise.
        high: ``m``, likewise.
        learnt: ``m``, True for frames that the model has learnt from; their chance is 1. None: from none.
    """

    draw: NDArray[np.intp]
    weight: NDArray[np.float64]
    propensity: NDArray[np.float64]
    chance: NDArray[np.float64]
    difference: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    learnt: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True)
class Corrected:
    """theta_e.

    Attributes:
        estimate: the corrected estimate.
        below: what fields and frames that nobody could read may take away from it.
        above: what they may add to it.
        standard_error: of the estimate, both phases together.
        drawing_error: standard error of theta_y, of the first phase alone.
        shift: delta alone: what the answers changed.
        shift_error: standard error of the shift alone.
        answers: frames with an answer that the model has not learnt from.
        effective: degrees of freedom plus one that the standard error has.
    """

    estimate: float
    below: float
    above: float
    standard_error: float
    drawing_error: float
    shift: float
    shift_error: float
    answers: int
    effective: float


def two_phase(first: FirstPhase, second: SecondPhase) -> Corrected:
    """Adds the difference that the answers show to what the draws show.

    The variance of the shares w_t (Z_t - theta_y) + v_t (D_t - delta) over the draws covers the draws and
    the coin of each draw's own frames; the second term adds what the coins of earlier frames leave in all
    later D_t.

    Raises:
        EstimationError: a chance is not in (0, 1], or there are no whole draws.
    """
    _check(first, second)
    asked = ~np.isnan(second.difference)
    answers = int(np.count_nonzero(asked if second.learnt is None else asked & ~second.learnt))
    shift = _shift(first, second, np.where(asked, second.difference, 0.0), asked)
    low = _shift(first, second, np.where(asked, second.low, 0.0), asked)
    high = _shift(first, second, np.where(asked, second.high, 0.0), asked)
    z = combine(first.value, first.weight)
    share = first.weight / first.weight.sum()
    away = share * (first.value - z.estimate)
    away[: len(shift.away)] += shift.away
    effective = min(z.effective_draws, float(answers))
    alone, error = (_error(each, effective, shift.lingering) for each in (shift.away, away))
    return Corrected(
        z.estimate + shift.value,
        first.below + shift.value - low.value,
        first.above + high.value - shift.value,
        error,
        z.standard_error,
        shift.value,
        alone,
        answers,
        effective,
    )


def corrected_half_width(corrected: Corrected, confidence: float) -> float:
    """T SE, in which the first phase's part is widened by the allowance for stopping by width.

    What the session's end depends on is mostly the width of the first phase's interval, and its price is
    paid there (``STOPPING_ALLOWANCE``); the answers are as many as the experts gave.
    """
    from scipy.special import stdtrit

    if not corrected.effective > 1 or not np.isfinite(corrected.standard_error):
        return float("inf")
    allowance = (STOPPING_ALLOWANCE**2 - 1) * corrected.drawing_error**2
    quantile = float(stdtrit(corrected.effective - 1, 0.5 + confidence / 2))
    return quantile * float(np.sqrt(corrected.standard_error**2 + allowance))


def _error(away: NDArray[np.float64], effective: float, lingering: float) -> float:
    """A standard error from the departures of draws; infinite where one alone says nothing of the spread."""
    if effective <= 1:
        return math.inf
    return math.sqrt(effective / (effective - 1) * float(away @ away) + lingering)


@dataclass(frozen=True, slots=True)
class _Shift:
    value: float
    away: NDArray[np.float64]  # share of each draw's departure
    lingering: float  # variance of the coins of earlier frames in later draws


def _shift(
    first: FirstPhase, second: SecondPhase, difference: NDArray[np.float64], asked: NDArray[np.bool_]
) -> _Shift:
    draws = int(second.draw[-1]) + 1
    v = first.weight[:draws] / first.weight[:draws].sum()
    start = np.searchsorted(second.draw, np.arange(draws + 1))
    a, pi, phi = second.weight, second.propensity, second.chance
    telling = asked if second.learnt is None else asked & ~second.learnt
    mean = _running_mean(difference, np.where(telling, 1 / phi, 0.0))[start[:-1]][second.draw]
    surprise = np.where(asked, (difference - mean) / phi, 0.0)
    before = np.concatenate([[0.0], np.cumsum(a * (mean + surprise))])[start[:-1]]
    rest = 1.0 - np.concatenate([[0.0], np.cumsum(a)])[start[:-1]]
    own = np.bincount(second.draw, a * surprise / pi, draws)
    values = before + mean[start[:-1]] * rest + own
    value = float(v @ values)
    later = np.concatenate([np.cumsum(v[::-1])[::-1], [0.0]])[1:]  # v of the draws after each
    at_draw, after = v[second.draw] / pi, later[second.draw]
    coin = np.where(asked, (1 - phi) * (a * surprise) ** 2, 0.0)
    return _Shift(value, v * (values - value), float(coin @ ((after + at_draw) ** 2 - at_draw**2)))


def _running_mean(difference: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of the differences before each frame, ``m + 1``; one more of 0 stands for knowing nothing yet."""
    total = np.concatenate([[0.0], np.cumsum(weight * difference)])
    return np.asarray(total / (1.0 + np.concatenate([[0.0], np.cumsum(weight)])))


def _check(first: FirstPhase, second: SecondPhase) -> None:
    if len(second.draw) == 0 or int(second.draw[-1]) >= len(first.value):
        raise EstimationError(
            f"expert correction: {len(second.draw)} frames of the second phase do not fit {len(first.value)}"
            " draws of the first"
        )
    bad = ~((second.chance > 0) & (second.chance <= 1))
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise EstimationError(
            f"expert correction: frame {at + 1} had the chance {second.chance[at]:g} of being asked for; it"
            " must lie in (0, 1]: frames that could never be asked for cannot be corrected for",
            step=int(second.draw[at]) + 1,
        )
    if second.learnt is not None and (second.learnt & (second.chance < 1)).any():
        raise EstimationError("expert correction: a frame that the model has learnt from has the chance 1")
