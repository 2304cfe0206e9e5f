"""Hard limits on what a session may spend, and the account of what it has spent."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from autoscope.core import BudgetError, ConfigurationError, Rectangle

SLIVER_UM = 1e-6
"""Overlaps of exposed fields thinner than this are rounding: a picometre is no place."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits; ``None`` is no limit.

    Attributes:
        beam_time_s: the microscope's clock from the first to the last action, travel included.
        dose_e_per_nm2: the largest dose that any place may receive.
        eds_live_s: EDS live time in all.
        frames: frames in all, the overview's included.

    Raises:
        ConfigurationError: a limit is not positive and finite.
    """

    beam_time_s: float | None = None
    dose_e_per_nm2: float | None = None
    eds_live_s: float | None = None
    frames: int | None = None

    def __post_init__(self) -> None:
        for name in ("beam_time_s", "dose_e_per_nm2", "eds_live_s", "frames"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise ConfigurationError(f"budget.{name} = {value:g} must be positive")


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been spent so far; never decreases."""

    beam_time_s: float = 0.0
    dose_e_per_nm2_max: float = 0.0
    eds_live_s: float = 0.0
    frames: int = 0
    spectra: int = 0
    stage_travel_um: float = 0.0


class DoseMap:
    """Which places received which dose: every exposed rectangle with its dose.

    The dose at a place is the sum over the rectangles that cover it. A sliver thinner than `SLIVER_UM`,
    which rounding leaves between fields that touch, is not a place.
    """

    def __init__(self) -> None:
        self._exposures = np.empty((64, 5))
        self._count = 0

    def peak_with(self, exposed: Rectangle, dose_e_per_nm2: float) -> float:
        """The largest dose inside ``exposed`` if it received ``dose_e_per_nm2`` more."""
        known = self._exposures[: self._count]
        near = (
            (known[:, 0] < exposed.x1_um)
            & (known[:, 2] > exposed.x0_um)
            & (known[:, 1] < exposed.y1_um)
            & (known[:, 3] > exposed.y0_um)
        )
        return dose_e_per_nm2 + _largest_overlap(known[near], exposed)

    def add(self, exposed: Rectangle, dose_e_per_nm2: float) -> None:
        """Records one exposure."""
        if self._count == len(self._exposures):
            self._exposures = np.concatenate([self._exposures, np.empty_like(self._exposures)])
        corners = (exposed.x0_um, exposed.y0_um, exposed.x1_um, exposed.y1_um)
        self._exposures[self._count] = (*corners, dose_e_per_nm2)
        self._count += 1


def _largest_overlap(exposures: NDArray[np.float64], inside: Rectangle) -> float:
    """Largest sum of doses over a place in ``inside``.

    The rectangles' edges cut ``inside`` into cells of constant dose; each rectangle adds its dose at the
    corners of its block of cells, and running sums along both axes give the cells (a summed-area table
    backwards: Crow 1984).

    Args:
        exposures: ``n x 5``, x0, y0, x1, y1 in um and the dose.
        inside: where to look.
    """
    if not len(exposures):
        return 0.0
    xs = np.unique(np.clip(exposures[:, [0, 2]], inside.x0_um, inside.x1_um))
    ys = np.unique(np.clip(exposures[:, [1, 3]], inside.y0_um, inside.y1_um))
    first_x, last_x = (np.searchsorted(xs, np.clip(exposures[:, k], xs[0], xs[-1])) for k in (0, 2))
    first_y, last_y = (np.searchsorted(ys, np.clip(exposures[:, k], ys[0], ys[-1])) for k in (1, 3))
    corners = np.zeros((len(xs), len(ys)))
    for columns, rows, sign in (
        (first_x, first_y, 1), (last_x, last_y, 1), (first_x, last_y, -1), (last_x, first_y, -1),
    ):  # fmt: skip
        np.add.at(corners, (columns, rows), sign * exposures[:, 4])
    doses = corners.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]
    places = (np.diff(xs) > SLIVER_UM)[:, None] & (np.diff(ys) > SLIVER_UM)
    return float(doses[places].max(initial=0.0))


@dataclass(slots=True)
class Account:
    """Budget, what was spent of it, and the dose map."""

    budget: Budget
    spent: Spent = field(default_factory=Spent)
    doses: DoseMap = field(default_factory=DoseMap)

    def check(
        self,
        *,
        time_s: float = 0.0,
        frames: int = 0,
        eds_live_s: float = 0.0,
        exposed: Rectangle | None = None,
        dose_e_per_nm2: float = 0.0,
    ) -> None:
        """Refuses an action that would overspend.

        Raises:
            BudgetError: naming the first budget that the action would break.
        """
        peak = 0.0 if exposed is None else self.doses.peak_with(exposed, dose_e_per_nm2)
        demands = (
            ("beam_time_s", self.spent.beam_time_s + time_s, self.budget.beam_time_s, "s"),
            ("frames", self.spent.frames + frames, self.budget.frames, "frames"),
            ("eds_live_s", self.spent.eds_live_s + eds_live_s, self.budget.eds_live_s, "s"),
            ("dose_e_per_nm2", peak, self.budget.dose_e_per_nm2, "e/nm2"),
        )
        for name, would_be, limit, unit in demands:
            if limit is not None and would_be > limit * (1 + 1e-12):
                raise BudgetError(name, float(would_be), float(limit), unit)

    def time(self, elapsed_s: float) -> None:
        """Sets the beam time to the clock's reading since the first action."""
        self.spent = replace(self.spent, beam_time_s=max(self.spent.beam_time_s, elapsed_s))

    def travel(self, distance_um: float) -> None:
        """Adds stage travel."""
        self.spent = replace(self.spent, stage_travel_um=self.spent.stage_travel_um + distance_um)

    def frame(self, exposed: Rectangle, dose_e_per_nm2: float) -> None:
        """Books one frame and its dose."""
        peak = self.doses.peak_with(exposed, dose_e_per_nm2)
        self.doses.add(exposed, dose_e_per_nm2)
        self.spent = replace(
            self.spent,
            frames=self.spent.frames + 1,
            dose_e_per_nm2_max=max(self.spent.dose_e_per_nm2_max, peak),
        )

    def spectrum(self, live_s: float) -> None:
        """Books one spectrum."""
        self.spent = replace(
            self.spent, spectra=self.spent.spectra + 1, eds_live_s=self.spent.eds_live_s + live_s
        )
