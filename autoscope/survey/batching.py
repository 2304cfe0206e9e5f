"""A batch of fields in one draw: each field's own inclusion probability, a random start, a short tour."""

from __future__ import annotations

from itertools import combinations
from math import dist

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError, Prediction
from autoscope.estimation import Draw
from autoscope.survey.drawing import TINY, inverse
from autoscope.survey.protocols import Batch, Proposal, Target

PLACES = 12
"""Decimals of a path at which a batch's start is told apart; what is nearer is rounding."""
LEAST_GAIN_UM = 1e-9
"""By how much a tour must become shorter for a stretch of it to be turned round: less is rounding."""
SURE = 1e-9
"""What an inclusion probability may lack of 1 and still be certain, or a number of a half: rounding."""


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
    if not inclusion.max() > 1:
        return inclusion
    certain = np.zeros(len(probability), bool)
    while (inclusion[~certain] > 1).any():
        certain |= inclusion >= 1
        rest = probability[~certain]
        inclusion[certain] = 1.0
        inclusion[~certain] = (size - certain.sum()) * rest / rest.sum()
    return inclusion


def systematic_choice(
    inclusion: NDArray[np.float64], order: NDArray[np.intp] | None, start: float
) -> NDArray[np.intp]:
    """Chooses along a path in equal steps: field i if start + k falls on its stretch of length pi_i.

    With a start that is uniform on [0, 1) every field is chosen with exactly its probability, and any
    stretch of the path holds its expected number of fields to within one.
    Source: Madow, Ann. Math. Stat. 20 (1949) 333.

    Args:
        inclusion: ``r``, pi, at most 1.
        order: ``r``, permutation: the path; None: as they come.
        start: in [0, 1).

    Returns:
        Chosen positions in ``inclusion``, along the path.
    """
    ends = np.cumsum(inclusion if order is None else inclusion[order])
    ends -= start
    steps = np.arange(max(1, int(np.ceil(ends[-1]))))
    places = ends.searchsorted(steps, side="right")
    if places[-1] == len(ends) or (places[1:] == places[:-1]).any():  # by rounding no field, or one twice
        places = np.unique(np.minimum(places, len(ends) - 1))
    return places if order is None else order[places]


class Starts:
    """All starts of a batch, told apart by the fields that they choose.

    Between two starts next to each other one field leaves the batch and the next one on the path enters it.

    Args:
        inclusion: ``r``, pi.
        order: ``r``, the path.
    """

    def __init__(self, inclusion: NDArray[np.float64], order: NDArray[np.intp]) -> None:
        reached = np.round(np.concatenate([[0.0], np.cumsum(inclusion[order])]), PLACES)
        self._order, self._certain = order, inclusion[order] >= 1 - SURE  # every start chooses these
        self._wraps = np.floor(reached[1:]) > np.floor(reached[:-1])
        places = reached % 1.0
        self._sorted = np.argsort(places, kind="stable")  # runs that ascend, quickly merged
        ordered = places[self._sorted]
        self._last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)

    def largest_sum(self, values: NDArray[np.float64]) -> float:
        """The largest sum of ``values`` (``r``) over a batch."""
        along = values[self._order]
        always = float(along[self._certain].sum())
        along[self._certain] = 0.0
        first = float(along[self._wraps].sum())  # of the start 1, from which the starts begin again at 0
        changes = np.append(along, 0.0)
        changes[1:] -= along
        return always + first + float(changes[self._sorted].cumsum()[self._last].max())


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
    xs, ys = [start_xy_um[0], *x_um.tolist()], [start_xy_um[1], *y_um.tolist()]
    points = list(zip(xs, ys, strict=True))
    distance = [[dist(one, other) for other in points] for one in points]
    tour, left = [0], set(range(1, len(points)))
    while left:
        way = distance[tour[-1]]
        nearest = min(left, key=lambda point: (way[point], point))
        tour.append(nearest)
        left.remove(nearest)
    while _improved(tour, distance):
        pass
    return np.array(tour[1:], np.intp) - 1


def _improved(tour: list[int], distance: list[list[float]]) -> bool:
    """Turns round every stretch of a tour that makes it shorter; returns whether there was one."""
    found = False
    for first, last in combinations(range(1, len(tour)), 2):
        before, begins, ends = tour[first - 1], tour[first], tour[last]
        gain = distance[before][begins] - distance[before][ends]
        if last + 1 < len(tour):
            after = tour[last + 1]
            gain += distance[ends][after] - distance[begins][after]
        if gain > LEAST_GAIN_UM:
            tour[first : last + 1] = tour[first : last + 1][::-1]
            found = True
    return found


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
    if not _permutes(batch.order, n_remaining):
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


def _permutes(order: NDArray[np.intp], count: int) -> bool:
    """Whether an order holds each of so many positions exactly once."""
    if len(order) != count or order.min(initial=0) < 0 or order.max(initial=0) >= count:
        return False
    held = np.zeros(count, bool)
    held[order] = True
    return bool(held.all())


def fix_batch(
    step: int,
    fields: NDArray[np.intp],
    inclusion: NDArray[np.float64],
    order: NDArray[np.intp],
    chosen: NDArray[np.intp],
    weight: NDArray[np.float64],
    believed: Prediction,
    targets: tuple[Target, ...],
    bounded: tuple[bool, ...],
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
        weight: ``r``, a_i of the fields that remained.
        believed: of these fields.
        targets: what is asked.
        bounded: as for :func:`autoscope.survey.drawing.fix_draw`.
    """
    value, expected = believed.value, float(inclusion.sum())
    per_chance, covering = inverse(inclusion)
    burden = weight * per_chance
    variance, rest = (weight * believed.spread) ** 2 @ per_chance, value @ weight
    steps_left = 1 if inclusion.min() >= 1 else max(2, round(len(fields) / expected - SURE))
    starts = Starts(inclusion, order) if any(bounded) else None
    draws = []
    for k, target in enumerate(targets):
        down = up = np.inf
        if bounded[k] and starts is not None:
            least, most = target.measured_bounds
            down = starts.largest_sum(burden * (value[k] - least))
            up = starts.largest_sum(burden * (most - value[k]))
        draws.append(
            Draw(
                step=step,
                fields=fields[chosen],
                weight=weight[chosen],
                predicted=value[k, chosen],
                propensity=inclusion[chosen],
                predicted_rest=float(rest[k]),
                remaining=steps_left,
                down=down,
                up=up,
                variance=max(float(variance[k]), TINY),
                covering=covering,
                fairness=1 / (float(burden.max()) * expected),
            )
        )
    return tuple(draws)
