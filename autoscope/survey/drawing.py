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
        start: ``u``, where each group begins in ``fields``; None where each field is a unit.
        places: ``r``, positions of ``fields`` among those that remain; None where each field is a unit.
    """

    fields: NDArray[np.intp]
    start: NDArray[np.intp] | None = None
    places: NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return len(self.fields if self.start is None else self.start)

    def unit(self, index: int) -> slice:
        """Where the fields of one unit are in ``fields``, in visiting order."""
        if self.start is None:
            return slice(index, index + 1)
        end = self.start[index + 1] if index + 1 < len(self.start) else len(self.fields)
        return slice(int(self.start[index]), int(end))

    def ordered(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values ``... x r`` of the remaining fields, in the order of ``fields``."""
        return values if self.places is None else values.take(self.places, axis=-1)

    def totals(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums ``... x r`` in the order of ``fields`` over each unit; returns ``... x u``."""
        return values if self.start is None else np.asarray(np.add.reduceat(values, self.start, axis=-1))


def units_of(proposal: Proposal, remaining: NDArray[np.intp], step: int) -> Units:
    """The units of a proposal.

    Raises:
        EstimationError: the groups are not a partition of the remaining fields, or the number of
            probabilities is not the number of units.
    """
    if proposal.groups is None:
        units = Units(remaining)
    else:
        sizes = np.array([len(group) for group in proposal.groups], np.intp)
        fields = np.concatenate(proposal.groups) if len(sizes) else np.empty(0, np.intp)
        if (sizes == 0).any() or not np.array_equal(np.sort(fields), remaining):
            raise EstimationError(
                f"draw {step}: the policy's groups must hold each of the {len(remaining)} remaining fields"
                " exactly once",
                step=step,
            )
        start = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp)
        units = Units(fields, start, np.searchsorted(remaining, fields))
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
    mixed = (1 - exploration) / check_distribution(probability, step) * probability
    mixed += exploration / len(mixed)
    return mixed


def pick(probability: NDArray[np.float64], uniform: float) -> int:
    """Draws a unit by inversion.

    Args:
        probability: ``u``, none negative.
        uniform: a number that is uniform on [0, 1).
    """
    cumulative = probability.cumsum()
    index = int(cumulative.searchsorted(uniform * cumulative[-1], side="right"))
    if index < len(probability) and probability[index] > 0:
        return index
    return int(np.flatnonzero(probability)[-1])  # rounding took it beyond the last


def reckoned(
    prediction: Prediction, proposal: Proposal, remaining: NDArray[np.intp], step: int
) -> Prediction:
    """What is believed of the ``r`` fields that remain: with the spread that the proposal reckons with.

    Args:
        prediction: of every field.
        proposal: of the policy.
        remaining: ``r``.
        step: number of the draw, counted from 1.

    Raises:
        EstimationError: that spread has the wrong shape, or is not positive and finite.
    """
    value = prediction.value.take(remaining, axis=1)
    if proposal.spread is None:
        return Prediction(value, prediction.spread.take(remaining, axis=1))
    shape = (len(prediction.value), len(remaining))
    if proposal.spread.shape != shape:
        raise EstimationError(
            f"draw {step}: the proposal's spread has shape {proposal.spread.shape}, not {shape}", step=step
        )
    if not (proposal.spread.min() > 0 and proposal.spread.max() < np.inf):
        at = int(np.flatnonzero(~((proposal.spread > 0) & (proposal.spread < np.inf)).all(axis=0))[0])
        raise EstimationError(
            f"draw {step}, field {remaining[at]}: the proposal reckons with a spread of"
            f" {proposal.spread[:, at].tolist()}; it must be positive",
            step=step,
            field=int(remaining[at]),
        )
    return Prediction(value, proposal.spread)


def inverse(chance: NDArray[np.float64]) -> tuple[NDArray[np.float64], bool]:
    """One over each chance, 0 where there is none; and whether every unit has one."""
    covering = bool(chance.min() > 0)
    return (1 / chance if covering else 1 / np.where(chance > 0, chance, np.inf)), covering


def fix_draw(
    step: int,
    units: Units,
    probability: NDArray[np.float64],
    chosen: int,
    weight: NDArray[np.float64],
    believed: Prediction,
    targets: tuple[Target, ...],
    bounded: tuple[bool, ...],
) -> tuple[Draw, ...]:
    """Everything of a draw that the estimates need, for each target; nothing of it may change later.

    Args:
        step: number of the draw, counted from 1.
        units: what was chosen between.
        probability: ``u``, after the floor.
        chosen: which unit was drawn.
        weight: ``r``, a_i of the fields that remain.
        believed: of these fields.
        targets: what is asked.
        bounded: for each target, whether bounds of the pseudo-value are wanted; they cost passes over the
            fields, and only the betting interval looks at them. Infinite where not.
    """
    here = units.unit(chosen)
    a, value, spread = units.ordered(weight), units.ordered(believed.value), units.ordered(believed.spread)
    per_chance, covering = inverse(probability)
    variance = units.totals((a * spread) ** 2) @ per_chance
    rest = value @ a
    fairness = 1 / float((units.totals(a) * per_chance).max())
    draws = []
    for k, target in enumerate(targets):
        least, most = target.measured_bounds
        down = up = np.inf
        if bounded[k]:
            down = float((units.totals(a * (value[k] - least)) * per_chance).max())
            up = float((units.totals(a * (most - value[k])) * per_chance).max())
        draws.append(
            Draw(
                step=step,
                fields=units.fields[here],
                weight=a[here],
                predicted=value[k, here],
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
