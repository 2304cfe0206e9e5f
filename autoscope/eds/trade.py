"""What the trigger trades: how much a feature's class matters to the targets, against seconds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError
from autoscope.eds.trigger import TriggerCosts, allocate

PRIOR_VISITS = 5.0
"""Visits' worth of trust in the scatter that targets begin with."""

PRIOR_SPECTRA = 5.0
"""Spectra's worth of trust in the live time that is expected at first."""

NOTHING_LEFT = 1e-6
"""Share of the budget that is as good as nothing."""

SCARCE_SHARE = 0.5
"""Share of the live time's budget from which on, when no more is left, spectra become dearer."""


def scarcity_price(spent_s: float, limit_s: float | None, longest_s: float) -> float:
    """What a spectrum's seconds are multiplied by when the budget of live time runs short.

    1 while more than half of it is left, then the square of half over what is left: probabilities, which go
    with one over the root, shrink in proportion to what is left, so that the rest is never spent at once. The
    least probability holds all the same.

    Args:
        spent_s: live time spent.
        limit_s: budget; None: there is none.
        longest_s: live time that a spectrum may take: no further one is allowed when less is left.
    """
    if limit_s is None:
        return 1.0
    left = max(limit_s - longest_s - spent_s, 0.0)
    return max(1.0, SCARCE_SHARE * limit_s / max(left, NOTHING_LEFT * limit_s)) ** 2


class Trade:
    """Running variance between visits, their cost and the mean live time: all that the trigger needs.

    A visit's value is ``sum_j x_j [p_j + (D_j / pi_j)(1_j - p_j)]`` less its prediction, with x what feature
    j adds if it is of the class. Over visits its variance is ``A + E sum_j x_j² p_j (1 - p_j) / pi_j``, where
    A is the variance of ``sum_j x_j p_j`` less the prediction: that part no spectrum takes away. A visit
    takes ``C + sum_j c pi_j`` seconds. Variance times seconds is least at
    ``pi_j = x_j sqrt(p_j (1 - p_j) C / (c A))`` (optimal allocation of two phases; Särndal, Swensson and
    Wretman, 1992, section 12.8): METHODS section 5, its A read as what the image alone would leave.

    Args:
        scatter: ``targets``, by how much fields may well differ, before anything was measured.
        visit_s: seconds of a visit without spectra, before any was made.
        overhead_s: seconds of a spectrum beside its live time.
        live_s: live time that is expected of a spectrum at first.
        least: smallest probability of a spectrum.
    """

    def __init__(
        self, scatter: NDArray[np.float64], visit_s: float, overhead_s: float, live_s: float, least: float
    ) -> None:
        self._visits_s, self._overhead_s, self._least = PRIOR_VISITS * visit_s, overhead_s, least
        self._squares, self._visits = PRIOR_VISITS * scatter**2, PRIOR_VISITS
        self._live_s, self._spectra = PRIOR_SPECTRA * live_s, PRIOR_SPECTRA

    @property
    def spectrum_s(self) -> float:
        """Seconds that a spectrum is expected to take."""
        return self._overhead_s + self._live_s / self._spectra

    @property
    def visit_s(self) -> float:
        """Seconds that a visit is expected to take without spectra."""
        return self._visits_s / self._visits

    def probabilities(
        self, sizes: NDArray[np.float64], prior: NDArray[np.float64], weight: float, price: float = 1.0
    ) -> NDArray[np.float64]:
        """``features``, chances of a spectrum (METHODS section 5, all targets being equally important).

        Args:
            sizes: ``targets x features``, what each adds if it is of the target's class.
            prior: ``targets x features``, probability of that class.
            weight: the field's a N / pi: 1 for a uniform draw of one.
            price: multiplies the seconds of a spectrum, where something else than beam time is scarce.

        Raises:
            EstimationError: the price is not positive and finite.
        """
        if not (math.isfinite(price) and price > 0):
            raise EstimationError(f"the price of a spectrum is {price:g}: it must be positive and finite")
        between = self._squares / self._visits
        relative = (sizes**2 * prior * (1 - prior) / between[:, None]).mean(axis=0)
        costs = TriggerCosts(self.visit_s, price * self.spectrum_s, 1.0)
        return allocate(weight * np.sqrt(relative), costs, self._least)

    def visited(self, weight: float, departure: NDArray[np.float64], visit_s: float) -> None:
        """Learns from a field.

        Args:
            weight: its a N / pi.
            departure: ``targets``, value of the field as the image tells it, less what was predicted.
            visit_s: seconds of the visit without spectra.
        """
        self._squares += (weight * departure) ** 2
        self._visits += 1
        self._visits_s += visit_s

    def counted(self, live_s: float) -> None:
        """Learns from a spectrum."""
        self._live_s += live_s
        self._spectra += 1
