"""What sampling inside the fields adds to the variance: values that are themselves unbiased estimates.

A field's value is known up to an error e_i of expectation 0 and estimated variance v_i where only some of
its features were looked at closely (two-phase sampling). In the estimate sum w Z / sum w the error of the
field that draw t took enters twice: in its own pseudo-value, times a_i / pi_i, and in all later ones, times
a_i, for it is among what was measured before. The spread of the pseudo-values shows the first part; the
second is common to many of them and does not show. It is added here.

Source: Saerndal, Swensson and Wretman, Model Assisted Survey Sampling (1992), chapter 9, for the variance of
two phases; the coefficients follow from METHODS equation (1).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autoscope.core import EstimationError
from autoscope.estimation.growing import GrowingTable

_FIRST_LATER, _OWN, _WEIGHT, _VARIANCE = range(4)


class SampledValues:
    """The errors of one quantity's values, field by field."""

    def __init__(self) -> None:
        self._rows = GrowingTable(4)
        self._noisy = False

    @property
    def noisy(self) -> bool:
        """Whether any value was less than certain."""
        return self._noisy

    @property
    def census_variance(self) -> float:
        """Variance of sum a y when every field was measured."""
        rows = self._rows.rows
        return float(rows[:, _WEIGHT] ** 2 @ rows[:, _VARIANCE])

    def observe(
        self, pseudo_values: int, taken: bool, weight: ArrayLike, propensity: ArrayLike, variance: ArrayLike
    ) -> None:
        """Takes in the fields of one draw.

        Args:
            pseudo_values: how many there are now, this draw's included where it has one.
            taken: whether it has one.
            weight: ``k``, a_i.
            propensity: ``k`` or one, pi_i.
            variance: ``k``, v_i.

        Raises:
            EstimationError: a variance is negative or not finite.
        """
        a, v = np.asarray(weight, float), np.asarray(variance, float)
        if not (np.isfinite(v).all() and (v >= 0).all()):
            raise EstimationError(f"variances of measured values must be finite and not negative: {v}")
        self._noisy = self._noisy or bool((v > 0).any())
        own = a / np.broadcast_to(np.asarray(propensity, float), a.shape) if taken else np.zeros_like(a)
        for one_own, one_a, one_v in zip(own, a, v, strict=True):
            self._rows.append(pseudo_values, float(one_own), float(one_a), float(one_v))

    def unseen_variance(self, weights: NDArray[np.float64]) -> float:
        """The part of the estimate's variance that the pseudo-values' spread does not show.

        Args:
            weights: ``n``, of the pseudo-values.
        """
        rows = self._rows.rows
        if not len(rows):
            return 0.0
        share = weights / weights.sum()
        later = np.append(np.cumsum(share[::-1])[::-1], 0.0)  # weight of this pseudo-value and all after it
        first_later = rows[:, _FIRST_LATER].astype(np.intp)
        carried = rows[:, _WEIGHT] * later[first_later]
        own = rows[:, _OWN] * share[np.maximum(first_later - 1, 0)]
        return float(((own + carried) ** 2 - own**2) @ rows[:, _VARIANCE])
