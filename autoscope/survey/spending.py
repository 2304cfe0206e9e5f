"""What fields cost beyond travel and frame, learnt on the way: spectra, where there are things to look at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoscope.survey.protocols import Target

PRIOR_VISITS = 5.0
"""Visits' worth of trust in the guess with which a survey begins."""


class ExtraCost:
    """Seconds on top of a visit, in proportion to the features that are predicted on a field.

    Where no target counts features, every field costs the running mean.

    Args:
        targets: what is asked.
        guess_s: for a field of one feature, before anything was visited.
    """

    def __init__(self, targets: tuple[Target, ...], guess_s: float) -> None:
        self._one = {k: target.one_feature for k, target in enumerate(targets) if target.one_feature > 0}
        self._spent_s, self._met = PRIOR_VISITS * guess_s, PRIOR_VISITS

    def features(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """``...``, features expected where ``targets x ...`` is predicted; 1 where nobody counts."""
        if not self._one:
            return np.ones(predicted.shape[1:])
        return np.asarray(sum(np.maximum(predicted[k], 0) / one for k, one in self._one.items()))

    @property
    def feature_s(self) -> float:
        """Extra seconds of a field for each feature that is expected there."""
        return self._spent_s / self._met

    def seconds(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """``...``, extra seconds of fields of predicted values ``targets x ...``."""
        return np.asarray(self.feature_s * self.features(predicted))

    def observe(self, predicted: NDArray[np.float64], extra_s: float) -> None:
        """Learns what a field of predicted values ``targets`` took."""
        self._spent_s += extra_s
        self._met += float(self.features(predicted))
