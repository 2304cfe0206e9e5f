"""With which chance a proposal would visit each field, and what a visit of it would cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.survey.batching import batch_of, inclusion_probabilities, short_tour, systematic_choice
from autoscope.survey.drawing import floored, reckoned
from autoscope.survey.protocols import Batch, Proposal, SurveyView


@dataclass(frozen=True, slots=True)
class VisitChances:
    """A draw that is proposed, taken as visits one by one.

    Attributes:
        share: ``r``, chance of each remaining field at a visit; sums to 1. Of a batch: its inclusion
            probability over the batch's size.
        variance: ``targets``, predicted variance of a pseudo-value of one visit; infinite where a field has
            no chance.
        visit_s: expected seconds of a visit: travel, frame, and what is expected beyond.
    """

    share: NDArray[np.float64]
    variance: NDArray[np.float64]
    visit_s: float


def visit_chances(
    proposal: Proposal, exploration: float, view: SurveyView, xy_um: tuple[float, float], start: float
) -> VisitChances | None:
    """What a policy would do next, as visits.

    Costs of a batch depend on its tour. One batch is drawn for them, which is right on average.

    Args:
        proposal: of the policy.
        exploration: the floor; 0 for a policy that has none.
        view: what the policy was shown.
        xy_um: where the stage stands.
        start: uniform on [0, 1), of the batch that is drawn for its costs.

    Returns:
        None where fields are not drawn by themselves: whole grids, or slots whose offer is random.

    Raises:
        EstimationError: the proposal would make an estimate wrong.
    """
    step = view.drawn + 1
    if proposal.groups is not None or proposal.slots is not None:
        return None
    share = floored(proposal.probability, exploration, step)
    visit_s: float | None = None
    if proposal.batch is not None:
        batch = batch_of(proposal, len(view.remaining), step)
        inclusion = inclusion_probabilities(share, batch.size)
        visit_s = _tour_s(view, batch, inclusion, xy_um, start)
        share = inclusion / inclusion.sum()
    if visit_s is None:
        visit_s = float(share @ view.cost_s)
    return VisitChances(share, _variance(view, proposal, share, step), visit_s)


def _variance(
    view: SurveyView, proposal: Proposal, share: NDArray[np.float64], step: int
) -> NDArray[np.float64]:
    if not (share > 0).all():
        return np.full(len(view.targets), np.inf)
    spread = reckoned(view.prediction, proposal, view.remaining, step).spread
    return np.asarray(((view.grid.weight[view.remaining] * spread) ** 2 / share).sum(axis=1))


def _tour_s(
    view: SurveyView,
    batch: Batch,
    inclusion: NDArray[np.float64],
    xy_um: tuple[float, float],
    start: float,
) -> float | None:
    """Mean seconds of the visits of one batch along its tour; None for a batch of nothing."""
    chosen = systematic_choice(inclusion, batch.order, start)
    if not len(chosen):
        return None
    x, y = (axis[view.remaining[chosen]] for axis in (view.grid.x_um, view.grid.y_um))
    from_here = np.hypot(x - xy_um[0], y - xy_um[1])
    tour = short_tour(x, y, xy_um)
    way = np.hypot(np.diff(x[tour], prepend=xy_um[0]), np.diff(y[tour], prepend=xy_um[1]))
    travel_s = view.prices.travel_s
    return float(np.mean(view.cost_s[chosen] - travel_s(from_here)) + np.mean(travel_s(way)))
