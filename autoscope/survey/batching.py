"""A batch of fields in one draw: each field's own inclusion probability, a random start, a short tour."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError, Prediction
from autoscope.estimation import Draw
from autoscope.survey.drawing import TINY
from autoscope.survey.protocols import Batch, Proposal, Target

PLACES = 12
"""Decimals of a path at which a batch's start is told apart; what is nearer is rounding."""
SURE = 1e-9
"""What an inclusion probability may lack of 1 and still be certain: rounding."""


def inclusion_probabilities(probability: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Inclusion probabilities of a batch: size times q, at most 1, with the expected size kept.

    What a field cannot take above 1 goes to the others in proportion (Tillé, Sampling Algorithms, 2006,
    section 2.10).

    Args:
        probability: ``r``, q, a distribution.
        size: expected fields in the batch.

    Returns:
        ``r`` probabilities that sum to ``min(size, r)``.
    """
    if size >= len(probability):
        return np.ones(len(probability))
    inclusion = size * probability
    certain = np.zeros(len(probability), bool)
    while (inclusion[~certain] > 1).any():
        certain |= inclusion >= 1
        rest = probability[~certain]
        inclusion[certain] = 1.0
        inclusion[~certain] = (size - certain.sum()) * rest / rest.sum()
    return inclusion


def systematic_choice(
    inclusion: NDArray[np.float64], order: NDArray[np.intp], start: float
) -> NDArray[np.intp]:
    """Chooses along a path in equal steps: field i if start + k falls on its stretch of length pi_i.

    With a start that is uniform on [0, 1) every field is chosen with exactly its probability, and any
    stretch of the path holds its expected number of fields to within one.
    Source: Madow, Ann. Math. Stat. 20 (1949) 333.

    Args:
        inclusion: ``r``, pi, at most 1.
        order: ``r``, permutation: the path.
        start: in [0, 1).

    Returns:
        Chosen positions in ``inclusion``, along the path.
    """
    reached = np.ceil(np.concatenate([[0.0], np.cumsum(inclusion[order])]) - start)
    chosen = order[np.diff(reached) > 0]
    return chosen if len(chosen) else order[-1:]  # the sum fell short of one by rounding


def largest_sum(
    inclusion: NDArray[np.float64], order: NDArray[np.intp], values: NDArray[np.float64]
) -> float:
    """The largest sum of ``values`` over a batch that any start can choose.

    Args:
        inclusion: ``r``, pi.
        order: ``r``, the path.
        values: ``r``, of each field.
    """
    reached = np.round(np.concatenate([[0.0], np.cumsum(inclusion[order])]), PLACES)
    begins, ends = reached[:-1], reached[1:]
    along, certain = values[order], inclusion[order] >= 1 - SURE
    always = float(along[certain].sum())  # their stretch is a whole step: every start chooses them
    begins, ends, along = begins[~certain], ends[~certain], along[~certain]
    if not len(along):
        return always
    at_the_end = along[np.floor(ends) > np.floor(begins)].sum()  # of the starts, 1, where begins meet ends
    places, which = np.unique(np.concatenate([begins % 1.0, ends % 1.0]), return_inverse=True)
    changes = np.bincount(which, np.concatenate([along, -along]), len(places))
    return always + float((at_the_end + np.cumsum(changes)).max())


def short_tour(
    x_um: NDArray[np.float64], y_um: NDArray[np.float64], start_xy_um: tuple[float, float]
) -> NDArray[np.intp]:
    """A short open tour through ``k`` points: nearest neighbour first, then 2-opt until nothing is gained.

    Source: Croes, Operations Research 6 (1958) 791 (2-opt).

    Args:
        x_um: ``k``.
        y_um: ``k``.
        start_xy_um: where the stage stands.

    Returns:
        ``k`` positions in visiting order.
    """
    points = np.concatenate([[start_xy_um], np.column_stack([x_um, y_um])])
    distance = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1))
    tour, left = [0], set(range(1, len(points)))
    while left:
        nearest = min(left, key=lambda point: (distance[tour[-1], point], point))
        tour.append(nearest)
        left.remove(nearest)
    improved = True
    while improved:
        improved = False
        for first, last in combinations(range(1, len(tour)), 2):
            turned = tour[:first] + tour[first : last + 1][::-1] + tour[last + 1 :]
            if _length(turned, distance) < _length(tour, distance) - 1e-9:
                tour, improved = turned, True
    return np.array(tour[1:], np.intp) - 1


def _length(tour: list[int], distance: NDArray[np.float64]) -> float:
    return float(sum(distance[a, b] for a, b in pairwise(tour)))


def batch_of(proposal: Proposal, n_remaining: int, step: int) -> Batch:
    """The batch of a proposal.

    Raises:
        EstimationError: there is none, it comes with groups, its size is below 1, or its order or its
            probabilities do not fit the remaining fields.
    """
    batch = proposal.batch
    if batch is None or proposal.groups is not None:
        raise EstimationError(f"draw {step}: a batch comes alone, without groups", step=step)
    if batch.size < 1:
        raise EstimationError(f"draw {step}: a batch of {batch.size} fields; 1 or more are needed", step=step)
    if not np.array_equal(np.sort(batch.order), np.arange(n_remaining)):
        raise EstimationError(
            f"draw {step}: the path of the policy's batch must hold each of the {n_remaining} remaining"
            " fields exactly once",
            step=step,
        )
    if proposal.probability.shape != (n_remaining,):
        raise EstimationError(
            f"draw {step}: the policy returned {proposal.probability.size} probabilities for {n_remaining}"
            " candidates",
            step=step,
        )
    return batch


def fix_batch(
    step: int,
    fields: NDArray[np.intp],
    inclusion: NDArray[np.float64],
    order: NDArray[np.intp],
    chosen: NDArray[np.intp],
    weight: NDArray[np.float64],
    prediction: Prediction,
    targets: tuple[Target, ...],
) -> tuple[Draw, ...]:
    """Everything of a batch that the estimates need, for each target; nothing of it may change later.

    The variance is predicted as if fields were chosen independently, which is conservative where
    neighbours on the path are alike.

    Args:
        step: number of the draw, counted from 1.
        fields: ``r`` that remained.
        inclusion: ``r``, pi after the floor.
        order: ``r``, the path.
        chosen: positions in ``fields``, in visiting order.
        weight: ``n``, a_i of the whole population.
        prediction: of every field.
        targets: what is asked.
    """
    a = weight[fields]
    value, spread = prediction.value[:, fields], prediction.spread[:, fields]
    certain = bool((inclusion >= 1).all())
    chance = np.where(inclusion > 0, inclusion, np.inf)
    fairness = 1 / (float((a / chance).max()) * float(inclusion.sum()))
    steps_left = 1 if certain else max(2, round(len(fields) / float(inclusion.sum())))
    draws = []
    for k, target in enumerate(targets):
        draws.append(
            Draw(
                step=step,
                fields=fields[chosen],
                weight=a[chosen],
                predicted=value[k, chosen],
                propensity=inclusion[chosen],
                predicted_rest=float(value[k] @ a),
                remaining=steps_left,
                down=largest_sum(inclusion, order, a * (value[k] - target.measured_bounds[0]) / chance),
                up=largest_sum(inclusion, order, a * (target.measured_bounds[1] - value[k]) / chance),
                variance=max(float(((a * spread[k]) ** 2 / chance).sum()), TINY),
                covering=bool(inclusion.min() > 0),
                fairness=fairness,
            )
        )
    return tuple(draws)
