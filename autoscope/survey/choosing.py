"""A draw in two phases: slots are drawn from a base design, then one of the fields in them is chosen.

A policy that looks at a few candidates at a time, as a network does, keeps exact propensities this way:
field i is offered with its inclusion probability pi_i, and taken from the offer S with probability p(i | S),
so that

    E[ a_i (y_i - f_i) / (pi_i p(i | S)) ] = sum over the remaining fields of a (y - f),

first over p given S, then over S (two-phase sampling: Särndal, Swensson, Wretman, Model Assisted Survey
Sampling, 1992, section 9.3). Everything about the slots and about p is fixed before the frame is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError
from autoscope.estimation import Draw
from autoscope.survey.batching import inclusion_probabilities, systematic_choice
from autoscope.survey.drawing import TINY, floored, inverse
from autoscope.survey.protocols import Offer, Proposal, Slots, Target
from autoscope.survey.remaining import Remaining, RunningSums


class Offered(NamedTuple):
    """The first phase of a draw: what is offered, and with which chance.

    Attributes:
        fields: ``k``, of the slots, along the path.
        places: ``k``, where they are among the ``r`` fields that remain.
        inclusion: ``r``, pi; one number where it is the same for all.
        slots: what the policy asked for.
    """

    fields: NDArray[np.intp]
    places: NDArray[np.intp]
    inclusion: NDArray[np.float64] | float
    slots: Slots

    def chances(self) -> NDArray[np.float64]:
        """``k``, with which chance each of the slots' fields was to be offered."""
        if isinstance(self.inclusion, float):
            return np.full(len(self.places), self.inclusion)
        return self.inclusion[self.places]

    def chance(self, slot: int) -> float:
        """The same of one of them."""
        if isinstance(self.inclusion, float):
            return self.inclusion
        return float(self.inclusion[self.places[slot]])

    def offer(self, left: Remaining, cost_s: NDArray[np.float64]) -> Offer:
        """What the policy is shown; ``cost_s`` is of the ``k`` fields of the slots."""
        at, places = self.fields, self.places
        if isinstance(self.inclusion, float):
            known = left.prediction
            predicted, spread = known.value.take(at, axis=1), known.spread.take(at, axis=1)
        else:
            predicted, spread = left.believed.value[:, places], left.believed.spread[:, places]
        return Offer(at, self.chances(), predicted, spread, cost_s)


def offered(proposal: Proposal, left: Remaining, exploration: float, start: float, step: int) -> Offered:
    """Draws the slots, systematically along the path of the proposal.

    Args:
        proposal: of the policy.
        left: the fields that remain.
        exploration: the floor.
        start: uniform on [0, 1).
        step: number of the draw, counted from 1.

    Raises:
        EstimationError: the proposal has groups or a batch beside the slots, fewer than one slot, an order or
            probabilities that do not fit the remaining fields, or a spread beside even slots.
    """
    slots = proposal.slots
    if slots is None or proposal.groups is not None or proposal.batch is not None:
        raise EstimationError(f"draw {step}: slots come alone, without groups or a batch", step=step)
    if slots.number < 1:
        raise EstimationError(f"draw {step}: {slots.number} slots; 1 or more are needed", step=step)
    if slots.even and proposal.spread is not None:
        raise EstimationError(f"draw {step}: even slots reckon with the predictor's spread", step=step)
    count = len(left)
    path = count if slots.order is None else len(slots.order)
    found = count if slots.even else len(proposal.probability)
    for name, entries in (("path", path), ("probabilities", found)):
        if entries != count:
            raise EstimationError(
                f"draw {step}: the policy's {name} have {entries} entries for {count} remaining fields",
                step=step,
            )
    if slots.even:
        inclusion = min(slots.number / count, 1.0)
        places = ((start + np.arange(min(slots.number, count))) / inclusion).astype(np.intp)
        np.minimum(places, count - 1, out=places)  # rounding took the last beyond the end
        if slots.order is not None:
            places = slots.order[places]
        return Offered(left.at(places), places, inclusion, slots)
    base = floored(proposal.probability, exploration, step)
    chances = inclusion_probabilities(base, slots.number)
    places = systematic_choice(chances, slots.order, start)
    return Offered(left.at(places), places, chances, slots)


def fix_choice(
    step: int,
    first: Offered,
    probability: NDArray[np.float64],
    chosen: int,
    exploration: float,
    left: Remaining,
    sums: RunningSums | None,
    targets: tuple[Target, ...],
    bounded: tuple[bool, ...],
) -> tuple[Draw, ...]:
    """Everything of a draw in two phases that the estimates need; nothing of it may change later.

    What depends on the offer must not decide the weight of the draw in the estimate, since the offer moves
    the pseudo-value; so the variance is predicted as if every slot were as likely as any other, and the
    bounds take the least chance that the floor leaves a slot.

    Args:
        step: number of the draw, counted from 1.
        first: the first phase.
        probability: ``k``, p(i | S) after the floor.
        chosen: which slot was drawn.
        exploration: the floor.
        left: the fields that remain.
        sums: over them; only even slots need them.
        targets: what is asked.
        bounded: as for :func:`autoscope.survey.drawing.fix_draw`.
    """
    least = exploration / len(first.places) if len(first.places) > 1 else 1.0
    phase = _first_phase(first, least, left, sums, any(bounded))
    field = int(first.fields[chosen])
    here = slice(field, field + 1)
    propensity = first.chance(chosen) * float(probability[chosen])
    draws = []
    for k, target in enumerate(targets):
        down = up = np.inf
        if bounded[k] and phase.covering and phase.burden is not None:
            value = left.prediction.value[k].take(left.fields)
            down = float((phase.burden * (value - target.low)).max()) / least
            up = float((phase.burden * (target.high - value)).max()) / least
        draws.append(
            Draw(
                step=step,
                fields=np.array([field]),
                weight=left.grid_weight[here],
                predicted=left.prediction.value[k, here],
                propensity=propensity,
                predicted_rest=phase.rest[k],
                remaining=len(left),
                down=down,
                up=up,
                variance=max(phase.variance[k], TINY),
                covering=phase.covering,
                fairness=least / phase.heaviest if phase.covering else 0.0,
            )
        )
    return tuple(draws)


class _FirstPhase(NamedTuple):
    """What a draw owes to its first phase alone.

    Attributes:
        rest: ``targets``, predicted total of the fields that remain.
        variance: ``targets``, predicted variance of the pseudo-value with all slots equally likely.
        heaviest: largest weight of a field over its chance of being offered.
        burden: ``fields``, each one's; None where no bounds are wanted.
        covering: whether every field could be offered, and every slot drawn.
    """

    rest: Sequence[float]
    variance: Sequence[float]
    heaviest: float
    burden: NDArray[np.float64] | None
    covering: bool


def _first_phase(
    first: Offered, least: float, left: Remaining, sums: RunningSums | None, bounded: bool
) -> _FirstPhase:
    """From running sums where slots are even, and from all fields where they are not."""
    slots = len(first.places)
    if isinstance(first.inclusion, float) and sums is not None:
        per_chance = 1 / first.inclusion
        variance = [slots * per_chance * squares for squares in sums.squares]
        burden = left.weight * per_chance if bounded else None
        return _FirstPhase(sums.rest, variance, per_chance * sums.largest_weight, burden, least > 0)
    inverses, every = inverse(np.asarray(first.inclusion))
    burden = left.weight * inverses
    spread = left.believed.spread**2 @ (slots * left.weight * burden)
    rest = left.believed.value @ left.weight
    return _FirstPhase(rest.tolist(), spread.tolist(), float(burden.max()), burden, every and least > 0)
