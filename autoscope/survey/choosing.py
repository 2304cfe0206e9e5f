"""A draw in two phases: slots are drawn from a base design, then one of the fields in them is chosen.

A policy that looks at a few candidates at a time, as a network does, keeps exact propensities this way:
field i is offered with its inclusion probability pi_i, and taken from the offer S with probability p(i | S),
so that

    E[ a_i (y_i - f_i) / (pi_i p(i | S)) ] = sum over the remaining fields of a (y - f),

first over p given S, then over S (two-phase sampling: Särndal, Swensson, Wretman, Model Assisted Survey
Sampling, 1992, section 9.3). Everything about the slots and about p is fixed before the frame is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError, Prediction
from autoscope.estimation import Draw
from autoscope.survey.batching import inclusion_probabilities, systematic_choice
from autoscope.survey.drawing import TINY, inverse
from autoscope.survey.protocols import Offer, Proposal, Slots, Target


@dataclass(frozen=True, slots=True)
class Offered:
    """The first phase of a draw: what is offered, and with which chance.

    Attributes:
        fields: ``r`` that remained.
        inclusion: ``r``, pi.
        places: ``k``, positions in ``fields`` of the slots' fields, along the path.
        slots: what the policy asked for.
        reason: of the proposal.
    """

    fields: NDArray[np.intp]
    inclusion: NDArray[np.float64]
    places: NDArray[np.intp]
    slots: Slots
    reason: str

    def offer(self, believed: Prediction, cost_s: NDArray[np.float64]) -> Offer:
        """What the policy is shown; what is believed and ``cost_s`` are of all ``r`` fields."""
        at = self.places
        return Offer(
            self.fields[at], self.inclusion[at], believed.value[:, at], believed.spread[:, at], cost_s[at]
        )


def offered(
    proposal: Proposal,
    probability: NDArray[np.float64],
    fields: NDArray[np.intp],
    start: float,
    step: int,
) -> Offered:
    """Draws the slots, systematically along the path of the proposal.

    Args:
        proposal: of the policy.
        probability: ``r``, base design after the floor.
        fields: ``r`` that remain.
        start: uniform on [0, 1).
        step: number of the draw, counted from 1.

    Raises:
        EstimationError: the proposal has groups or a batch beside the slots, fewer than one slot, or an order
            or probabilities that do not fit the remaining fields.
    """
    slots = proposal.slots
    if slots is None or proposal.groups is not None or proposal.batch is not None:
        raise EstimationError(f"draw {step}: slots come alone, without groups or a batch", step=step)
    if slots.number < 1:
        raise EstimationError(f"draw {step}: {slots.number} slots; 1 or more are needed", step=step)
    path = len(fields) if slots.order is None else len(slots.order)
    for name, found in (("path", path), ("probabilities", len(probability))):
        if found != len(fields):
            raise EstimationError(
                f"draw {step}: the policy's {name} have {found} entries for {len(fields)} remaining fields",
                step=step,
            )
    inclusion = inclusion_probabilities(probability, slots.number)
    return Offered(
        fields, inclusion, systematic_choice(inclusion, slots.order, start), slots, proposal.reason
    )


def fix_choice(
    step: int,
    first: Offered,
    probability: NDArray[np.float64],
    chosen: int,
    exploration: float,
    weight: NDArray[np.float64],
    believed: Prediction,
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
        weight: ``r``, a_i of the fields that remain.
        believed: of these fields.
        targets: what is asked.
        bounded: as for :func:`autoscope.survey.drawing.fix_draw`.
    """
    slots, place = len(first.places), first.places[chosen]
    here = slice(place, place + 1)
    per_chance, covering = inverse(first.inclusion)
    least = exploration / slots if slots > 1 else 1.0
    covering = covering and least > 0
    burden = weight * per_chance
    variance, rest = believed.spread**2 @ (slots * weight * burden), believed.value @ weight
    draws = []
    for k, target in enumerate(targets):
        down = up = np.inf
        if bounded[k] and covering:
            down = float((burden * (believed.value[k] - target.low)).max()) / least
            up = float((burden * (target.high - believed.value[k])).max()) / least
        draws.append(
            Draw(
                step=step,
                fields=first.fields[here],
                weight=weight[here],
                predicted=believed.value[k, here],
                propensity=float(first.inclusion[place] * probability[chosen]),
                predicted_rest=float(rest[k]),
                remaining=len(first.fields),
                down=down,
                up=up,
                variance=max(float(variance[k]), TINY),
                covering=covering,
                fairness=least / float(burden.max()) if covering else 0.0,
            )
        )
    return tuple(draws)
