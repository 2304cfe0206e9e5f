"""The predictor of fields that sessions use: several readings of the overview compete. numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autoscope.core import Prediction
from autoscope.perception.overview_experts import MEMORY, RIDGES, Expertise, Ranking, with_combination
from autoscope.perception.overview_spread import SpreadRecord

PILOT_FIELDS = 30
"""Measured fields before the overview is believed (METHODS section 2)."""
DOUBT = 2.0
"""Fields' worth of evidence against the overview that is assumed before there is any."""
IGNORANCE = 0.5
"""Fields' worth of the middle of the bounds in the running mean before there is any; it fades as 1/(1 + n).

Pulling it to the lowest value instead, which looks better for rare phases, makes the first pseudo-values
too much alike: coverage of replicated grids on a rare phase fell to 88 %.
"""


class _Trust:
    """How much of the experts' joint departure from the mean came true: a slope, shrunk, in [0, 1]."""

    def __init__(self) -> None:
        self._agreement = self._reach = self._squared = self._weight = 0.0

    @property
    def slope(self) -> float:
        if self._weight == 0:
            return 0.0
        doubt = DOUBT * self._squared / self._weight
        return float(min(max(self._agreement / max(self._reach + doubt, 1e-300), 0.0), 1.0))

    def score(self, said: float, departure: float) -> None:
        self._agreement = MEMORY * self._agreement + said * departure
        self._reach = MEMORY * self._reach + said**2
        self._squared = MEMORY * self._squared + departure**2
        self._weight = MEMORY * self._weight + 1


class OverviewPredictor:
    """Predicts every field from several groups of overview features and the fields measured so far.

    Each group, and all groups together, are regressed on in closed form with several prior strengths.
    These experts and the plain running mean are averaged by how well each foretold the fields measured so
    far, and the average is believed as far as it came true (METHODS section 2: pilot, slope shrinkage, a
    spread whose dependence on the value is chosen from past errors). So a group that means nothing costs
    next to nothing. With ``d`` features in all an update costs O(d³), a prediction O(fields x d).

    Args:
        n_fields: fields in the population.
        low: ``targets``, lowest possible value of each quantity; predictions are kept within.
        high: ``targets``, highest possible value.
        groups: each ``fields x d_g``; none: the running mean alone.
        pilot: measured fields before the overview is believed.
        guess: ``targets``, what a field may well have before anything was measured; the middle of the
            bounds by default. A quantity whose bounds are far from anything that occurs needs one.
        scatter: ``targets``, by how much fields may well differ from it; a quarter of the bounds' distance
            by default.
    """

    def __init__(
        self,
        n_fields: int,
        low: ArrayLike,
        high: ArrayLike,
        groups: Sequence[NDArray[np.float64]] = (),
        *,
        pilot: int = PILOT_FIELDS,
        guess: ArrayLike | None = None,
        scatter: ArrayLike | None = None,
    ) -> None:
        self._low, self._high = (np.atleast_1d(np.asarray(item, float)) for item in (low, high))
        self._n_fields, self._pilot, self._count = n_fields, pilot, 0
        n_targets = len(self._low)
        middle, quarter = (self._low + self._high) / 2, (self._high - self._low) / 4
        self._guess = middle if guess is None else np.atleast_1d(np.asarray(guess, float))
        self._scatter = quarter if scatter is None else np.atleast_1d(np.asarray(scatter, float))
        self._sum, self._scattered = np.zeros(n_targets), np.zeros(n_targets)
        self._experts = tuple(Expertise(group, n_targets) for group in with_combination(groups))
        n_experts = len(self._experts) * len(RIDGES)
        self._rankings = tuple(Ranking(n_experts) for _ in range(n_targets))
        self._trusts = tuple(_Trust() for _ in range(n_targets))
        self._spreads = tuple(map(SpreadRecord, self._low.tolist(), self._high.tolist()))
        self._present: Prediction | None = None
        self._belief: Prediction | None = None

    def predict(self) -> Prediction:
        """The present prediction of every field; its arrays are not to be written to."""
        if self._present is None:
            self._present = self._even() if self._count < self._pilot else self._believed()
        return self._present

    def update(self, field: int, value: NDArray[np.float64]) -> None:
        """Learns the measured values, ``targets``, of one field."""
        measured = np.asarray(value, float)
        self._score(field, measured)
        self._count += 1
        self._sum += measured
        for expert in self._experts:
            expert.learn(field, measured, self._count, self._sum)
        self._present = self._belief = None

    def shares(self, target: int = 0) -> NDArray[np.float64]:
        """What each has earned: the running mean, then each group, the last of them all groups together."""
        shares = self._rankings[target].shares
        return np.concatenate([shares[:1], shares[1:].reshape(-1, len(RIDGES)).sum(axis=1)])

    def _mean(self, k: int) -> float:
        ignorance = IGNORANCE / (1 + self._count)
        mean = float((self._sum[k] + ignorance * self._guess[k]) / (self._count + ignorance))
        return min(max(mean, float(self._low[k])), float(self._high[k]))  # what is measured may be noisy

    def _even(self) -> Prediction:
        """The running mean, and what the fields scatter about it."""
        scatter = np.sqrt((self._scattered + self._scatter**2) / (self._count + 1))
        mean = np.array([self._mean(k) for k in range(len(scatter))])
        return Prediction(*(np.repeat(each[:, None], self._n_fields, axis=1) for each in (mean, scatter)))

    def _believed(self) -> Prediction:
        """What the experts make of every field, as far as they are trusted."""
        if self._belief is None:
            value = np.stack([self._values(k) for k in range(len(self._low))])
            scatter = np.sqrt((self._scattered + self._scatter**2) / (self._count + 1))
            spread = [
                record.spread(record.unevenness(row), float(size))
                for record, row, size in zip(self._spreads, value, scatter, strict=True)
            ]
            self._belief = Prediction(value, np.stack(spread))
        return self._belief

    def _values(self, k: int) -> NDArray[np.float64]:
        values = np.full(self._n_fields, self._mean(k))
        trust = self._trusts[k].slope
        if trust > 0:
            shares = self._rankings[k].shares[1:].reshape(-1, len(RIDGES))
            for expert, share in zip(self._experts, shares, strict=True):
                slope = trust * share @ expert.slopes[k]
                values += expert.features @ slope - expert.centre @ slope
        return np.asarray(np.minimum(np.maximum(values, self._low[k]), self._high[k]))

    def _score(self, field: int, measured: NDArray[np.float64]) -> None:
        """Holds what would have been said of this field against what was measured."""
        believed = self._believed()  # also in the pilot: its errors say how far to believe it later
        said = [expert.departures(field) for expert in self._experts]
        for k, value in enumerate(measured):
            record = self._spreads[k]
            departure, predicted = float(value) - self._mean(k), believed.value[k]
            self._scattered[k] += departure**2
            record.score(float(record.unevenness(predicted)[field]), float(value - predicted[field]))
            if self._count < 2 or not said:
                continue
            departures = np.concatenate([each[k] for each in said])
            joint = float(self._rankings[k].shares[1:] @ departures)
            self._rankings[k].score(departures, departure)
            self._trusts[k].score(joint, departure)
