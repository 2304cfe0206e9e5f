"""Draws that are made, and what came of their fields."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError
from autoscope.estimation import check_values
from autoscope.estimation.growing import GrowingTable
from autoscope.survey.protocols import Target
from autoscope.survey.sampling import Sampled


@dataclass(slots=True)
class OpenDraw:
    """A draw that is made and not completely observed.

    Attributes:
        sampled: what was drawn.
        values: ``targets x k``, measured so far.
        variance: ``targets x k``, of measured values that are estimates themselves.
        measured: ``k``, False for a field that could not be measured.
        rest: share of the specimen's area that remained when it was made, its own fields included.
        left: share that will probably not have been visited in the end, as foretold when it was made.
        decided: fields handed out.
        observed: fields that came back.
        noisy: whether any value came with a variance.
        fields: its fields, in visiting order.
        weight: a_i of each.
    """

    sampled: Sampled
    values: NDArray[np.float64]
    variance: NDArray[np.float64]
    measured: NDArray[np.bool_]
    rest: float = 1.0
    left: float = 1.0
    decided: int = 0
    observed: int = 0
    noisy: bool = False
    fields: NDArray[np.intp] = dataclasses.field(init=False)
    weight: list[float] = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.fields, self.weight = self.sampled.draws[0].fields, self.sampled.draws[0].weight.tolist()

    def draw_weight(self, place: int) -> float:
        """By how much a field moves the draw's pseudo-value, in units of a uniform draw of as many fields."""
        speaks_for = self.weight[place] / float(self.sampled.actual[place])
        return self.sampled.together * speaks_for / self.rest

    def error_weight(self, place: int) -> float:
        """By how much an error of a field's value will move the estimate, likewise.

        Its own pseudo-value carries it with its draw's weight, all later ones, of which it is a part that was
        measured before, with that of any field. With weights 1 / ((N - t) (N - t + 1)) the coefficient of the
        m-th of n values is ``(1/n) [1 + (N - n) / (N - m) (W_m - 1)]`` (METHODS section 2).
        """
        after = self.rest - sum(self.weight)
        share = 1.0 if self.left >= after else self.left / after
        return 1 + share * (self.draw_weight(place) - 1)


def opened(sampled: Sampled, rest: float = 1.0, left: float = 1.0) -> OpenDraw:
    """A draw of which nothing is observed yet; ``rest`` and ``left`` as :class:`OpenDraw` has them."""
    shape = len(sampled.draws), len(sampled.draws[0].fields)
    return OpenDraw(sampled, np.zeros(shape), np.zeros(shape), np.zeros(shape[1], bool), rest, left)


def known_values(
    came_back: NDArray[np.float64], values: Sequence[NDArray[np.float64] | None], targets: Sequence[Target]
) -> list[tuple[int, NDArray[np.float64]]]:
    """Each field that was measured with its other values, checked.

    Args:
        came_back: as for :func:`with_values`.
        values: likewise.
        targets: what is asked.

    Raises:
        EstimationError: the values are of other fields than came back, or outside their quantity's bounds.
    """
    count = len(came_back)
    lost = np.isnan(came_back[:, -len(targets) :]).any(axis=1).tolist()
    if [value is None for value in values] != lost:
        raise EstimationError(
            f"{len(values)} fields were measured again where {count} came back: each that was measured needs"
            " its value again, and no other",
            step=count,
        )
    fields = came_back[:, 0].astype(int).tolist()
    known = [(f, np.asarray(v, float)) for f, v in zip(fields, values, strict=True) if v is not None]
    low, high = zip(*(t.measured_bounds for t in targets), strict=True)
    names = tuple(f"{t.quantity} of {t.class_name}" for t in targets)
    for field, value in known:
        check_values(value, low, high, step=count, field=field, names=names)
    return known


def with_values(
    draws: Sequence[OpenDraw],
    came_back: NDArray[np.float64],
    values: Sequence[NDArray[np.float64] | None],
) -> GrowingTable:
    """Puts other values into draws; returns the table of the fields that came back with these.

    Args:
        draws: all of them, in order.
        came_back: a row for each field that came back, in order; the values of the targets are its end.
        values: ``targets`` for each, None where it could not be measured.
    """
    table = GrowingTable(came_back.shape[1])
    visits = ((draw, place) for draw in draws for place in range(draw.observed))
    for (draw, place), row, value in zip(visits, came_back, values, strict=True):
        targets = len(draw.values)
        if value is not None:
            draw.values[:, place] = value
        table.append(*row[:-targets], *(np.full(targets, np.nan) if value is None else value))
    return table
