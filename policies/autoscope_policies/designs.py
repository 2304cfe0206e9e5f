"""The designs that every other policy is measured against: raster, uniform, systematic, proportional."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError
from autoscope.survey import Proposal, SurveyView
from autoscope_policies.fingerprint import fingerprint

INFORMATIVE_SPREAD = 1e-3
"""Relative variation of the predictions below which they are no better than a constant."""


class Raster:
    """Every field in serpentine order from the corner nearest to where the stage stands at the start.

    The order is certain, so nothing can be said about the rest before the census is complete.
    """

    name = "raster"
    floored = False

    def __init__(self) -> None:
        self.sha256 = fingerprint(self.name, {})

    def propose(self, view: SurveyView) -> Proposal:
        """Puts all probability on the next field of the serpentine."""
        cost_s = np.full(len(view.grid), np.inf)
        cost_s[view.remaining] = view.cost_s
        following = [order[view.drawn] for order in _begun(view)]
        chosen = min(following, key=lambda field: float(cost_s[field]))
        probability = (view.remaining == chosen).astype(float)
        return Proposal(probability, "next field of the raster")


class Uniform:
    """Every remaining field with the same probability."""

    name = "uniform"
    floored = True

    def __init__(self) -> None:
        self.sha256 = fingerprint(self.name, {})

    def propose(self, view: SurveyView) -> Proposal:
        """One over the number of remaining fields."""
        count = len(view.remaining)
        return Proposal(np.full(count, 1 / count), f"one of {count} remaining fields, all equally likely")


class Proportional:
    """Fields in proportion to what the overview predicts there (the proportionator).

    q is proportional to a_i times the prediction above the lowest possible value, averaged over the
    targets after scaling each to its mean. Where the predictions do not differ it is uniform.
    Source: Gardi, Nyengaard, Gundersen, J. Microsc. 230 (2008) 108.
    """

    name = "proportional"
    floored = True

    def __init__(self) -> None:
        self.sha256 = fingerprint(self.name, {})

    def propose(self, view: SurveyView) -> Proposal:
        """Proportional to area weight times predicted value."""
        weight = view.grid.weight[view.remaining]
        share = np.zeros(len(weight))
        for target, predicted in zip(view.targets, view.prediction.value, strict=True):
            size = predicted[view.remaining] - target.low
            if np.ptp(size) > INFORMATIVE_SPREAD * size.mean():
                share += size / size.mean()
        if not share.any():
            reason = "the prediction does not distinguish fields yet: all are equally likely"
            return Proposal(weight / weight.sum(), reason)
        share *= weight
        return Proposal(share / share.sum(), "proportional to the predicted value")


def serpentine(
    row: NDArray[np.intp], column: NDArray[np.intp], *, upward: bool, leftward: bool
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Sort keys of a path that runs along the rows, every other row backwards.

    Args:
        row: ``n``, row of each field.
        column: ``n``, its column.
        upward: begin at the highest row.
        leftward: run along the first row from its highest column.

    Returns:
        ``n`` keys within the row (minor) and ``n`` keys of the row (major), as ``numpy.lexsort`` takes them.
    """
    rank = row.max() - row if upward else row - row.min()
    along = np.where((rank % 2 == 0) ^ leftward, column, -column)
    return along, rank


def _begun(view: SurveyView) -> list[NDArray[np.intp]]:
    """The serpentines, one from each corner, that what was visited so far is the beginning of."""
    orders = [
        np.lexsort(serpentine(view.grid.row, view.grid.column, upward=upward, leftward=leftward))
        for upward in (False, True)
        for leftward in (False, True)
    ]
    free = np.zeros(len(view.grid), bool)
    free[view.remaining] = True
    return [order for order in orders if free[order[view.drawn :]].all()]


class Systematic:
    """Replicated systematic grids: random starts of a coarse square lattice, each drawn as a whole.

    A lattice of every s-th row and column has s² possible starts, which partition the population. A
    replicate is one start, drawn without replacement; the spread between replicates gives a
    design-unbiased variance, so the survey may stop only between them (METHODS section 2).

    Args:
        fields_per_grid: how many fields a replicate should have, about.
        least_replicates: how many replicates must exist at least.

    Raises:
        ConfigurationError: either is below 1.
    """

    name = "systematic"
    floored = False

    def __init__(self, fields_per_grid: int = 10, least_replicates: int = 8) -> None:
        for name, value in (("fields_per_grid", fields_per_grid), ("least_replicates", least_replicates)):
            if value < 1:
                raise ConfigurationError(f"policy.options.{name} = {value} must be 1 or more")
        self._size, self._least = fields_per_grid, least_replicates
        self.sha256 = fingerprint(
            self.name, {"fields_per_grid": fields_per_grid, "least_replicates": least_replicates}
        )

    def propose(self, view: SurveyView) -> Proposal:
        """Every remaining replicate with the same probability."""
        step = self.step(len(view.grid))
        row, column = view.grid.row, view.grid.column
        starts = (row % step) * step + column % step
        fields = view.remaining
        near = int(np.argmin(view.cost_s))
        upward = bool(2 * row[fields[near]] > row[fields].min() + row[fields].max())
        leftward = bool(2 * column[fields[near]] > column[fields].min() + column[fields].max())
        path = serpentine(row[fields] // step, column[fields] // step, upward=upward, leftward=leftward)
        ordered = fields[np.lexsort((*path, starts[fields]))]
        groups = tuple(np.split(ordered, np.flatnonzero(np.diff(starts[ordered])) + 1))
        probability = np.full(len(groups), 1 / len(groups))
        reason = f"systematic grid, every {step} rows and columns, one of {len(groups)} starts that remain"
        return Proposal(probability, reason, groups, inclusion=1 / len(np.unique(starts)))

    def step(self, n_fields: int) -> int:
        """Lattice step: replicates of about the wanted size, but never fewer than the least number."""
        wanted = round(math.sqrt(n_fields / self._size))
        return max(wanted, math.ceil(math.sqrt(self._least)))
