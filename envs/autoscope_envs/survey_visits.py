"""Visits to the fields of a table: time passes, the focus drifts, features get spectra."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError
from autoscope.eds import Looked, Trade
from autoscope.estimation import field_values
from autoscope.survey import Decision, FieldGrid, FocusKeeper, Outcome
from autoscope_envs.survey_features import Features
from autoscope_envs.survey_instrument import SurveyInstrument

BLURRED = 0.6
"""Share of its sharpness below which a frame is taken again, focused for its own place."""
SHARPNESS_NOISE = 0.05
"""Relative scatter of the sharpness between fields."""
LEAST_PROBABILITY = 0.05
"""Least chance of a spectrum (METHODS section 5)."""


class TableVisits:
    """A field source on tables, with a clock: what a session on a microscope does and what it takes.

    The same rules act as in a session: focus is renewed when it is old or frames became blurred, whatever the
    policy; a frame that is too blurred is taken again after focusing; each feature of a field gets a spectrum
    with the probability that the trigger gives it, so that the field's value is unbiased whatever the image
    takes it for.

    Args:
        grid: the fields.
        values: ``targets x fields``, what the reference measurement says; of targets that spectra tell, what
            it would say with a spectrum of everything.
        instrument: what actions cost.
        start_xy_um: where the stage stands.
        rng: of drifts, spectra and their live times.
        features: of the fields; None: no spectra.
    """

    def __init__(
        self,
        grid: FieldGrid,
        values: NDArray[np.float64],
        instrument: SurveyInstrument,
        start_xy_um: tuple[float, float],
        rng: np.random.Generator,
        features: Features | None = None,
    ) -> None:
        self._grid, self._values, self._instrument, self._rng = grid, values, instrument, rng
        self._xy_um, self._features = start_xy_um, features
        self._keeper = FocusKeeper(instrument.focus_every_s, instrument.sharpness_drop)
        self._focused_s = self.clock_s = self._focus_all_s = 0.0
        self._taken: Outcome | None = None
        self._looked: Looked | None = None
        self.focus_runs = self.second_looks = self.spectra = 0
        self._trade = None if features is None else self._first_trade(features)

    def travel(self, decision: Decision) -> None:
        """Moves the stage."""
        x, y = float(self._grid.x_um[decision.field]), float(self._grid.y_um[decision.field])
        away = np.array([math.dist((x, y), self._xy_um)])
        self.clock_s += float(self._instrument.costs.travel_s(away)[0])
        self._xy_um = x, y

    def acquire(self, decision: Decision) -> None:
        """Focuses where that is due or asked for, takes the frame and the spectra."""
        if decision.refocus or self._keeper.due(self.clock_s):
            self._focus()
        self.clock_s += self._instrument.costs.visit_s
        age_s = self.clock_s - self._focused_s
        sharp = self._sharpness(age_s)
        self._keeper.saw(sharp)
        began_s = self.clock_s
        if sharp < BLURRED:
            self.second_looks += 1
            self.clock_s += self._instrument.focus_s + self._instrument.costs.visit_s
        value, variance = self._seen(decision)
        extra_s = self.clock_s - began_s
        self._taken = Outcome(value, "", variance, extra_s, self._keeper.relative, age_s)

    def collect(self, decision: Decision) -> Outcome:
        """The values of the decision's field."""
        taken, self._taken = self._taken, None
        if taken is None or taken.value is None:
            raise EstimationError(f"no frame was taken for step {decision.step}", step=decision.step)
        if self._trade is not None and self._features is not None:
            at = self._features.of(decision.field)
            by_image = (self._features.sizes[:, at] * self._features.prior[:, at]).sum(axis=1)
            self._trade.visited(
                decision.draw_weight, by_image - decision.predicted[-len(by_image) :], decision.visit_s,
                decision.error_weight, self._looked,
            )  # fmt: skip
        return taken

    def _first_trade(self, features: Features) -> Trade:
        instrument, hop = self._instrument, np.array([3 * self._grid.hfw_um])
        visit_s = instrument.costs.visit_s + float(instrument.costs.travel_s(hop)[0])
        counts = features.sizes.max(axis=1) if features.sizes.size else np.ones(len(features.sizes))
        return Trade(counts, visit_s, instrument.spectrum_overhead_s, instrument.live_s, LEAST_PROBABILITY)

    def _focus(self) -> None:
        self.focus_runs += 1
        self.clock_s += self._instrument.focus_s
        self._focused_s = self.clock_s
        self._keeper.focused(*self._xy_um, 0.0, self.clock_s)

    def _sharpness(self, age_s: float) -> float:
        sharp = 1 / (1 + (age_s / self._instrument.drift_s) ** 2)
        return float(sharp * (1 + SHARPNESS_NOISE * self._rng.standard_normal()))

    def _seen(self, decision: Decision) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """A field's values and, where they rest on a sample of spectra, their variances."""
        value = self._values[:, decision.field]
        if self._features is None or self._trade is None:
            return value, None
        told, at = len(self._features.sizes), self._features.of(decision.field)
        sizes, prior = self._features.sizes[:, at], self._features.prior[:, at]
        chance = self._trade.probabilities(sizes, prior, decision.error_weight, decision.eds_price)
        taken = self._rng.random(len(chance)) < chance
        self._count(int(taken.sum()))
        self._looked = Looked(sizes, prior, chance, taken, self._features.belongs[:, at])
        told_value, told_variance = field_values(sizes, prior, chance, taken, self._features.belongs[:, at])
        untold = len(value) - told
        return (
            np.concatenate([value[:untold], told_value]),
            np.concatenate([np.zeros(untold), told_variance]),
        )

    def _count(self, number: int) -> None:
        if self._trade is None:
            return
        for live_s in self._rng.exponential(self._instrument.live_s, number):
            self.spectra += 1
            self.clock_s += self._instrument.spectrum_overhead_s + float(live_s)
            self._trade.counted(float(live_s))
