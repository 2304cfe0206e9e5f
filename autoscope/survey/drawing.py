"""One draw: from a policy's proposal to fields with a known propensity, everything fixed beforehand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError, Prediction
from autoscope.estimation import Draw, check_distribution
from autoscope.survey.protocols import Proposal, Target

TINY = 1e-30
"""Keeps a predicted variance above zero; nothing is measured to this precision."""


@dataclass(frozen=True, slots=True)
class Units:
    """What a draw chooses between: fields, or groups of fields that are drawn as a whole.

    Attributes:
        fields: ``r``, every remaining field, group after group.
        start: ``u``, where each unit begins in ``fields``.
    """

    fields: NDArray[np.intp]
    start: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.start)

    def unit(self, index: int) -> NDArray[np.intp]:
        """Fields of one unit, in visiting order."""
        end = self.start[index + 1] if index + 1 < len(self.start) else len(self.fields)
        return self.fields[self.start[index] : end]

    def totals(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums ``... x r`` over each unit; returns ``... x u``."""
        if len(self.start) == len(self.fields):
            return values
        return np.asarray(np.add.reduceat(values, self.start, axis=-1))


def units_of(proposal: Proposal, remaining: NDArray[np.intp], step: int) -> Units:
    """The units of a proposal.

    Raises:
        EstimationError: the groups are not a partition of the remaining fields, or the number of
            probabilities is not the number of units.
    """
    if proposal.groups is None:
        units = Units(remaining, np.arange(len(remaining)))
    else:
        sizes = np.array([len(group) for group in proposal.groups], np.intp)
        fields = np.concatenate(proposal.groups) if len(sizes) else np.empty(0, np.intp)
        if (sizes == 0).any() or not np.array_equal(np.sort(fields), remaining):
            raise EstimationError(
                f"draw {step}: the policy's groups must hold each of the {len(remaining)} remaining fields"
                " exactly once",
                step=step,
            )
        units = Units(fields, np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp))
    if proposal.probability.shape != (len(units),):
        raise EstimationError(
            f"draw {step}: the policy returned {proposal.probability.size} probabilities for {len(units)}"
            " candidates",
            step=step,
        )
    return units


def floored(probability: NDArray[np.float64], exploration: float, step: int) -> NDArray[np.float64]:
    """Mixes in the floor: (1 - eps) q + eps / number of candidates.

    Raises:
        EstimationError: ``probability`` is not a distribution.
    """
    check_distribution(probability, step)
    share = probability / probability.sum()
    return np.asarray((1 - exploration) * share + exploration / len(share))


def pick(probability: NDArray[np.float64], rng: np.random.Generator) -> int:
    """Draws a unit by inversion; one random number, whatever the number of units."""
    cumulative = np.cumsum(probability)
    index = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
    return min(index, int(np.flatnonzero(probability)[-1]))


def reckoned(
    prediction: Prediction, proposal: Proposal, remaining: NDArray[np.intp], step: int
) -> Prediction:
    """The prediction with the residual spread that the proposal reckons with.

    Raises:
        EstimationError: that spread has the wrong shape, or is not positive and finite.
    """
    if proposal.spread is None:
        return prediction
    shape = (len(prediction.value), len(remaining))
    if proposal.spread.shape != shape:
        raise EstimationError(
            f"draw {step}: the proposal's spread has shape {proposal.spread.shape}, not {shape}", step=step
        )
    bad = ~((proposal.spread > 0) & (proposal.spread < np.inf)).all(axis=0)
    if bad.any():
        at = int(np.flatnonzero(bad)[0])
        raise EstimationError(
            f"draw {step}, field {remaining[at]}: the proposal reckons with a spread of"
            f" {proposal.spread[:, at].tolist()}; it must be positive",
            step=step,
            field=int(remaining[at]),
        )
    spread = prediction.spread.copy()
    spread[:, remaining] = proposal.spread
    return Prediction(prediction.value, spread)


def fix_draw(
    step: int,
    units: Units,
    probability: NDArray[np.float64],
    chosen: int,
    weight: NDArray[np.float64],
    prediction: Prediction,
    targets: tuple[Target, ...],
    bounded: tuple[bool, ...],
) -> tuple[Draw, ...]:
    """Everything of a draw that the estimates need, for each target; nothing of it may change later.

    Args:
        step: number of the draw, counted from 1.
        units: what was chosen between.
        probability: ``u``, after the floor.
        chosen: which unit was drawn.
        weight: ``n``, a_i of the whole population.
        prediction: of every field.
        targets: what is asked.
        bounded: for each target, whether bounds of the pseudo-value are wanted; they cost a pass over the
            fields, and only the betting interval looks at them.
    """
    fields = units.unit(chosen)
    a = weight[units.fields]
    value, spread = prediction.value[:, units.fields], prediction.spread[:, units.fields]
    covering = bool(probability.min() > 0)
    chance = np.where(probability > 0, probability, np.inf)
    rest = value @ a
    variance = (units.totals((a * spread) ** 2) / chance).sum(axis=1)
    fairness = 1 / float((units.totals(a) / chance).max())
    draws = []
    for k, target in enumerate(targets):
        least, most = target.measured_bounds
        down = up = np.inf
        if bounded[k]:
            down = float((units.totals(a * (value[k] - least)) / chance).max())
            up = float((units.totals(a * (most - value[k])) / chance).max())
        draws.append(
            Draw(
                step=step,
                fields=fields,
                weight=weight[fields],
                predicted=prediction.value[k, fields],
                propensity=float(probability[chosen]),
                predicted_rest=float(rest[k]),
                remaining=len(units),
                down=down,
                up=up,
                variance=max(float(variance[k]), TINY),
                covering=covering,
                fairness=fairness,
            )
        )
    return tuple(draws)


def check_prediction(prediction: Prediction, targets: tuple[Target, ...], n_fields: int, step: int) -> None:
    """Refuses predictions that are not finite, out of bounds, or of the wrong shape.

    Raises:
        EstimationError: naming the draw and the first bad field.
    """
    shape = (len(targets), n_fields)
    for name, values in (("value", prediction.value), ("spread", prediction.spread)):
        if values.shape != shape:
            raise EstimationError(
                f"draw {step}: the predictor's {name} has shape {values.shape}, not {shape}", step=step
            )
    for k, target in enumerate(targets):
        value, spread = prediction.value[k], prediction.spread[k]
        good = (value >= target.low) & (value <= target.high) & (spread > 0) & (spread < np.inf)
        if not good.all():
            field = int(np.flatnonzero(~good)[0])
            raise EstimationError(
                f"draw {step}, field {field}: {target.quantity} of {target.class_name} is predicted as"
                f" {value[field]:g} with spread {spread[field]:g}; it must lie in"
                f" [{target.low:g}, {target.high:g}] with a positive spread",
                step=step,
                field=field,
            )
