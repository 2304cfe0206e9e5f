"""Sampling: from a policy's proposal to the fields that are drawn, and what the estimates need of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError, StepNumbers
from autoscope.estimation import Draw
from autoscope.survey.batching import (
    batch_of,
    fix_batch,
    inclusion_probabilities,
    short_tour,
    systematic_choice,
)
from autoscope.survey.choosing import Offered, fix_choice, offered
from autoscope.survey.drawing import fix_draw, floored, pick, units_of
from autoscope.survey.grid import FieldGrid
from autoscope.survey.protocols import Offer, Proposal, SurveyView, Target
from autoscope.survey.remaining import Left, Remaining, RunningSums


class Prepared(NamedTuple):
    """A draw up to the point where the policy has said all it says before chance comes in.

    Attributes:
        step: number of the draw, counted from 1.
        proposal: of the policy.
        left: the fields that may be drawn.
        first: what is offered, where the proposal has slots.
        offer: the same as the policy sees it; None where the proposal has no slots.
    """

    step: int
    proposal: Proposal
    left: Remaining
    first: Offered | None
    offer: Offer | None


class Sampled(NamedTuple):
    """A draw that is made.

    Attributes:
        draws: for each target, what was fixed.
        candidates: how many units had a chance.
        logged: ``k``, the propensities that the decision documents carry.
        actual: ``k``, the probabilities given the past.
        reason: why.
        refocus: whether to focus before its first field.
        eds_price: of spectra on its fields.
        together: how many fields it was to have: one, those of a group, a batch's expected size.
    """

    draws: tuple[Draw, ...]
    candidates: int
    logged: NDArray[np.float64]
    actual: NDArray[np.float64]
    reason: str
    refocus: bool = False
    eds_price: float = 1.0
    together: int = 1


class Sampler:
    """Makes draws; the same arguments give the same draw, whatever the process.

    Args:
        grid: the population.
        targets: what is asked.
        exploration: the floor.
        seed: seed of the draws.
    """

    def __init__(self, grid: FieldGrid, targets: tuple[Target, ...], exploration: float, seed: int) -> None:
        self._grid, self._targets, self._exploration, self._seed = grid, targets, exploration, seed
        self._sums: RunningSums | None = None
        self._number_of_draw, self._number_of_offer = StepNumbers(seed, "draw"), StepNumbers(seed, "offer")

    def prepare(self, step: int, left: Left, view: SurveyView, proposal: Proposal) -> Prepared:
        """Checks a proposal and, where it has slots, draws what is offered.

        Args:
            step: number of the draw, counted from 1.
            left: the fields that remain.
            view: what the policy was shown.
            proposal: of the policy.

        Raises:
            EstimationError: the proposal would make the estimate wrong.
        """
        remaining = Remaining(step, left, view, proposal)
        if proposal.slots is None:
            return Prepared(step, proposal, remaining, None, None)
        first = offered(proposal, remaining, self._exploration, self._number_of_offer(step), step)
        return Prepared(
            step, proposal, remaining, first, first.offer(remaining, view.seconds_to(first.fields))
        )

    def drawn(self, field: int) -> None:
        """Takes note that a field does not remain."""
        if self._sums is not None:
            self._sums.take(field)

    def _running_sums(self, left: Remaining) -> RunningSums:
        """Sums over the fields that remain, of the present prediction."""
        if self._sums is None or self._sums.prediction is not left.prediction or self._sums.worn:
            self._sums = RunningSums(left.grid_weight, left.prediction, left.fields)
        return self._sums

    def sample(self, prepared: Prepared, xy_um: tuple[float, float], bounded: tuple[bool, ...]) -> Sampled:
        """Makes a draw.

        Args:
            prepared: by :meth:`prepare`.
            xy_um: where the stage will stand.
            bounded: for each target, whether bounds of the pseudo-value are wanted.

        Raises:
            EstimationError: the proposal, or the choice between slots, would make the estimate wrong.
        """
        proposal = prepared.proposal
        if prepared.first is not None and prepared.offer is not None:
            draws, actual, candidates = self._slot(prepared, prepared.first, prepared.offer, bounded)
        elif proposal.batch is not None:
            draws, actual, candidates = self._batch(prepared, xy_um, bounded)
        else:
            draws, actual, candidates = self._unit(prepared, bounded)
        logged = actual if proposal.inclusion is None else np.full(len(actual), proposal.inclusion)
        together = len(actual)
        if proposal.batch is not None:  # systematic: to within one of this
            together = min(proposal.batch.size, len(prepared.left))
        return Sampled(
            draws, candidates, logged, actual, proposal.reason, proposal.refocus, proposal.eds_price, together
        )

    def _unit(
        self, prepared: Prepared, bounded: tuple[bool, ...]
    ) -> tuple[tuple[Draw, ...], NDArray[np.float64], int]:
        """Draws a field, or a group; returns it, its fields' probabilities, and how many had a chance."""
        step, proposal = prepared.step, prepared.proposal
        left = prepared.left
        units = units_of(proposal, left.fields, step)
        probability = floored(proposal.probability, self._exploration, step)
        chosen = pick(probability, self._number_of_draw(step))
        draws = fix_draw(step, units, probability, chosen, left.weight, left.believed, self._targets, bounded)
        actual = np.full(len(draws[0].fields), probability[chosen])
        return draws, actual, _candidates(draws, probability)

    def _batch(
        self, prepared: Prepared, xy_um: tuple[float, float], bounded: tuple[bool, ...]
    ) -> tuple[tuple[Draw, ...], NDArray[np.float64], int]:
        """Draws a batch; returns it, its fields' inclusion probabilities, and how many had a chance."""
        step, proposal, left = prepared.step, prepared.proposal, prepared.left
        batch = batch_of(proposal, len(left), step)
        probability = floored(proposal.probability, self._exploration, step)
        inclusion = inclusion_probabilities(probability, batch.size)
        chosen = systematic_choice(inclusion, batch.order, self._number_of_draw(step))
        at = left.fields[chosen]
        chosen = chosen[short_tour(self._grid.x_um[at], self._grid.y_um[at], xy_um)]
        draws = fix_batch(
            step, left.fields, inclusion, batch.order, chosen, left.weight, left.believed,
            self._targets, bounded,
        )  # fmt: skip
        return draws, inclusion[chosen], _candidates(draws, inclusion)

    def _slot(
        self, prepared: Prepared, first: Offered, offer: Offer, bounded: tuple[bool, ...]
    ) -> tuple[tuple[Draw, ...], NDArray[np.float64], int]:
        """Chooses between the slots; returns the draw, its probability, and how many were offered."""
        step, slots = prepared.step, len(offer)
        weights = np.asarray(first.slots.weigh(offer), float)
        if weights.shape != (slots,):
            raise EstimationError(
                f"draw {step}: the policy returned {weights.size} probabilities for {slots} slots",
                step=step,
            )
        probability = floored(weights, self._exploration, step)
        chosen = pick(probability, self._number_of_draw(step))
        sums = self._running_sums(prepared.left) if first.slots.even else None
        draws = fix_choice(
            step, first, probability, chosen, self._exploration, prepared.left, sums, self._targets,
            bounded,
        )  # fmt: skip
        return draws, np.array([draws[0].propensity]), slots


def _candidates(draws: tuple[Draw, ...], chances: NDArray[np.float64]) -> int:
    """How many units had a chance to be drawn."""
    return len(chances) if draws[0].covering else int(np.count_nonzero(chances))
