"""Visits to fields whose features get a spectrum or not: what a survey measures while an agent triggers."""

from __future__ import annotations

import numpy as np

from autoscope.core import EstimationError
from autoscope.eds import LEAST_PROBABILITY, ImageClasses, Looked, Trade
from autoscope.estimation import field_values
from autoscope.survey import Decision, Outcome
from autoscope_envs.features import FeatureTable
from autoscope_envs.instrument import SpectrumCosts


class FeatureVisits:
    """A source of fields' values, by spectra that are drawn one after the other; keeps the beam time.

    Each value is :func:`autoscope.estimation.field_values`, each prior is what
    :class:`autoscope.eds.ImageClasses` has learnt, and :class:`autoscope.eds.Trade` is taught, all as in a
    session.

    Args:
        table: the specimen.
        costs: of visits and spectra.
    """

    def __init__(self, table: FeatureTable, costs: SpectrumCosts) -> None:
        self._table, self._costs = table, costs
        self._ends = np.searchsorted(table.field, np.arange(len(table.population.grid) + 1))
        self._image = ImageClasses(table.groups, table.names)
        scatter = np.array([table.one_feature])
        self.trade = Trade(scatter, costs.visit_s, costs.overhead_s, costs.live_s, LEAST_PROBABILITY)
        self.spent_s, self.spectra = 0.0, 0
        self.surprises: list[float] = []
        self._leave()

    # -- a field source ---------------------------------------------------------------------------

    def travel(self, decision: Decision) -> None:
        """The way is part of the visit."""

    def acquire(self, decision: Decision) -> None:
        """Finds the features of a field; nothing is drawn yet."""
        table, field = self._table, decision.field
        self.spent_s += self._costs.visit_s
        self.features = np.arange(self._ends[field], self._ends[field + 1])
        self.weight = decision.error_weight
        classes = np.array([self._image.prior(self._seen_as(j)) for j in self.features])
        self.prior = (classes.reshape(-1, len(table.names)) @ table.counted)[None]
        self._sizes = np.full((1, len(self.features)), table.one_feature)
        self.rule = self.trade.probabilities(self._sizes, self.prior, self.weight)
        self._propensity = np.ones(len(self.features))
        self._taken = np.zeros(len(self.features), bool)
        self.decided, self._began_s = 0, self.spent_s

    def collect(self, decision: Decision) -> Outcome:
        """The field's value from the spectra that were drawn.

        Raises:
            EstimationError: a feature has not been decided on.
        """
        if self.waiting:
            raise EstimationError(f"field {decision.field}: {self.waiting} features are not decided on")
        observed = self._table.counted[self._table.true_class[self.features]][None]
        value, variance = field_values(self._sizes, self.prior, self._propensity, self._taken, observed)
        by_image = (self._sizes * self.prior).sum(axis=1)
        departure = by_image - decision.predicted
        looked = Looked(self._sizes, self.prior, self._propensity, self._taken, observed)
        self.trade.visited(decision.draw_weight, departure, self._costs.visit_s, self.weight, looked)
        for at in np.flatnonzero(self._taken).tolist():
            feature = self.features[at]
            name = self._table.names[self._table.true_class[feature]]
            self._image.learn(self._seen_as(feature), name, float(self._propensity[at]))
            self.trade.counted(self._live_s(feature))
        outcome = Outcome(value, "", variance, self.spent_s - self._began_s)
        self._leave()
        return outcome

    # -- one feature after the other --------------------------------------------------------------

    @property
    def waiting(self) -> int:
        """How many features of the field are still to be decided on."""
        return len(self.features) - self.decided

    @property
    def diameter_um(self) -> float:
        """Of the feature that is to be decided on."""
        return float(self._table.diameter_um[self.features[self.decided]])

    def decide(self, probability: float, rng: np.random.Generator) -> None:
        """Takes a spectrum of the next feature with this probability."""
        at, feature = self.decided, self.features[self.decided]
        self._propensity[at], self.decided = probability, at + 1
        if rng.random() >= probability:
            return
        self._taken[at] = True
        self.spectra += 1
        self.spent_s += self._costs.overhead_s + self._live_s(feature)
        p = float(self.prior[0, at])
        departure = float(self._table.counted[self._table.true_class[feature]]) - p
        self.surprises.append(departure / max(float(np.sqrt(p * (1 - p))), 1e-3))

    def _leave(self) -> None:
        self.features, self.decided = np.arange(0), 0
        self.weight, self._began_s = 1.0, self.spent_s
        self.prior = self._sizes = np.zeros((1, 0))
        self.rule = self._propensity = np.zeros(0)
        self._taken = np.zeros(0, bool)

    def _live_s(self, feature: int) -> float:
        return float(self._costs.live_s * self._table.live[feature])

    def _seen_as(self, feature: int) -> dict[str, float]:
        return dict(zip(self._table.groups, self._table.image[:, feature].tolist(), strict=True))
