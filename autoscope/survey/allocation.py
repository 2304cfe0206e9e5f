"""Where a field's measurement is worth most: residual spread, several targets, and what came true of both.

The variance of one draw is sum (a_i s_i)² / q_i with s_i the root-mean-square of (measured - predicted)
that field i is to have. Nobody knows s. A shape is a guess of how it differs between fields; several
compete, and the residuals of past draws, weighted by the inverse of their propensities, decide.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autoscope.survey.protocols import SurveyView

LEAST_LEVEL = 0.1
"""What is added to a predicted value, in units of its mean, where it stands for a spread: an empty field
may be a wrong prediction."""
EXPONENTS = (0.5, 1.0)
"""Powers of a shape that compete with each other and with no shape at all, power 0 (METHODS section 2)."""

DOUBT = 10.0
"""Fields' worth of trust in the predictor's own overall spread against the residuals that were seen."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How residual spread is thought to differ between fields.

    Attributes:
        name: for the reason that the report gives.
        size: ``n``, positive, root-mean-square 1.
    """

    name: str
    size: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Squares:
    """Squares of a prediction, the same until it changes.

    Attributes:
        spread: ``targets x n``.
        overall: ``targets``, mean of ``spread``.
        level: ``targets x n``, of the predicted value where it stands for a spread; ``overall`` in the mean.
    """

    spread: NDArray[np.float64]
    overall: NDArray[np.float64]
    level: NDArray[np.float64]


def _squares(view: SurveyView) -> _Squares:
    found: _Squares | None = view.kept.get("squares")
    if found is None:
        low = np.array([target.low for target in view.targets])
        level = view.prediction.value - low[:, None]
        level = (level + LEAST_LEVEL * level.mean(axis=1, keepdims=True)) ** 2
        spread = view.prediction.spread**2
        overall = spread.mean(axis=1)
        level *= (overall / np.maximum(level.mean(axis=1), 1e-300))[:, None]
        found = view.kept["squares"] = _Squares(spread, overall, level)
    return found


def importance(view: SurveyView, urgency: float = 2.0) -> NDArray[np.float64]:
    """``targets`` multipliers lambda_k of the targets' variances in the joint one; they sum to 1 when scaled.

    lambda_k = (h_k / H_k)^urgency / H_k², with h the present and H the wanted half-width: variances count in
    units of what is wanted, and the target that is furthest from done, which decides when the survey ends,
    counts most. A target that is met counts nothing while others are not. Before there are intervals, all
    count alike, in units of their predicted spread.

    Args:
        view: what is known.
        urgency: 0: all targets that are not met count alike.
    """
    scale: NDArray[np.float64] = 1 / np.maximum(_squares(view).overall, 1e-300)
    if len(view.targets) == 1:
        return scale
    wanted = view.wanted if len(view.wanted) == len(view.targets) else np.full(len(view.targets), np.nan)
    known = np.isfinite(wanted) & (wanted > 0) & np.isfinite(view.half_width)
    if not known.all():
        return scale
    lag = view.half_width / wanted
    if (lag > 1).any():
        lag = np.where(lag > 1, lag, 0.0)
    return np.asarray((lag > 0) * lag**urgency / wanted**2)


def shapes(view: SurveyView, multipliers: NDArray[np.float64]) -> tuple[Shape, ...]:
    """The shapes that compete with none: the predictor's spread and the predicted value, each at two powers.

    The predicted value stands for the spread where counts or areas scatter the more the more there is
    (Poisson: power one half; gamma: one).
    """
    squared = _squares(view)
    found = [Shape("all fields alike", np.ones(len(view.grid)))]
    for name, squares in (
        ("predicted spread", multipliers @ squared.spread),
        ("predicted value", multipliers @ squared.level),
    ):
        highest = squares.max()
        if highest - squares.min() <= 1e-6 * highest:
            continue
        root = np.sqrt(squares)
        sizes = (np.sqrt(root), root.mean()), (root, squares.mean())
        for power, (size, mean_square) in zip(EXPONENTS, sizes, strict=True):
            label = name if power == 1 else f"{name} to the power {power:g}"
            found.append(Shape(label, size / np.sqrt(mean_square)))
    return tuple(found)


@dataclass(frozen=True)  # without slots, for what is worked out once
class _Candidate:
    """A shape, and the draws that it would make of all fields.

    Attributes:
        shape: the shape.
        worth: ``n``, a s.
        total: their sum.
        exploration: share of each draw that is uniform.
    """

    shape: Shape
    worth: NDArray[np.float64]
    total: float
    exploration: float

    def chance(self, fields: NDArray[np.intp] | slice) -> NDArray[np.float64]:
        """Of fields, in a draw from all of them."""
        chance = (1 - self.exploration) / self.total * self.worth[fields]
        chance += self.exploration / len(self.worth)
        return np.asarray(chance)

    @cached_property
    def variance(self) -> float:
        """Of such a draw, in units of the overall spread, if the shape is right."""
        return float(self.worth @ (self.worth / self.chance(slice(None))))


def _candidates(view: SurveyView, multipliers: NDArray[np.float64]) -> tuple[_Candidate, ...]:
    """The shapes that compete; kept while neither the prediction nor the multipliers change."""
    key = multipliers.tobytes(), view.exploration
    last, found = view.kept.get("candidates", (None, ()))
    if last != key:
        a = view.grid.weight
        worth = [(shape, a * shape.size) for shape in shapes(view, multipliers)]
        found = tuple(_Candidate(shape, w, float(w.sum()), view.exploration) for shape, w in worth)
        view.kept["candidates"] = key, found
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Choice:
    """The shape that is followed.

    Attributes:
        shape: the shape.
        level: what its size is to be multiplied by for a residual spread, in units of the predictor's
            overall spread.
    """

    shape: Shape
    level: float


def best_shape(view: SurveyView, pilot: int, urgency: float = 2.0) -> Choice:
    """The shape whose distribution would have had the smallest variance on what came back.

    For each shape, the variance of a draw from it is estimated from the past draws by inverse propensities:
    mean of (a r)² / (q_shape q_drawn), with residuals r of one step ahead where the predictor had learned
    something, and against the present prediction for the fields of the pilot.

    Args:
        view: what is known.
        pilot: how many first fields were drawn before the predictor had learned.
        urgency: how much more a target counts that is further from done, see :func:`importance`.
    """
    multipliers = importance(view, urgency)
    past, a = view.past, view.grid.weight
    predicted = past.predicted.copy()
    predicted[:, :pilot] = view.prediction.value[:, past.fields[:pilot]]
    squared = multipliers @ (past.measured - predicted) ** 2
    known = np.isfinite(squared)
    fields = past.fields[known]
    burden = a[fields] ** 2 * squared[known] / past.propensity[known]
    candidates = _candidates(view, multipliers)
    seen = [float((burden / candidate.chance(fields)).sum()) for candidate in candidates]
    least = min(seen)
    best = candidates[seen.index(least)]
    reckoned = float(multipliers @ _squares(view).overall) * best.variance
    variance = (DOUBT * reckoned + least) / (DOUBT + len(fields))
    return Choice(best.shape, float(np.sqrt(variance / reckoned)))


def reckoned_spread(view: SurveyView, choice: Choice) -> NDArray[np.float64]:
    """``targets x r``: the overall spread, at the level that came true, shaped over the fields."""
    overall = choice.level * np.sqrt(_squares(view).overall)
    return np.asarray(overall[:, None] * choice.shape.size.take(view.remaining))
