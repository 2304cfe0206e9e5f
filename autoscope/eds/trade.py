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

LEAST_SHARE = 0.1
"""Least share of the variance seen between visits that is taken for the fields' own."""


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
    """Running variance between visits and mean live time: all that the trigger's probabilities need.

    Args:
        scatter: ``targets``, by how much fields may well differ, before anything was measured.
        visit_s: seconds of a visit without spectra.
        overhead_s: seconds of a spectrum beside its live time.
        live_s: live time that is expected of a spectrum at first.
        least: smallest probability of a spectrum.
    """

    def __init__(
        self, scatter: NDArray[np.float64], visit_s: float, overhead_s: float, live_s: float, least: float
    ) -> None:
        self._visit_s, self._overhead_s, self._least = visit_s, overhead_s, least
        self._squares, self._visits = PRIOR_VISITS * scatter**2, PRIOR_VISITS
        self._live_s, self._spectra = PRIOR_SPECTRA * live_s, PRIOR_SPECTRA

    @property
    def spectrum_s(self) -> float:
        """Seconds that a spectrum is expected to take."""
        return self._overhead_s + self._live_s / self._spectra

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
        costs = TriggerCosts(self._visit_s, price * self.spectrum_s, 1.0)
        return allocate(weight * np.sqrt(relative), costs, self._least)

    def visited(self, weight: float, departure: NDArray[np.float64], variance: NDArray[np.float64]) -> None:
        """Learns from a field: ``targets``, measured minus predicted, and the values' own variance."""
        gross = (weight * departure) ** 2
        self._squares += np.maximum(gross - weight**2 * variance, LEAST_SHARE * gross)
        self._visits += 1

    def counted(self, live_s: float) -> None:
        """Learns from a spectrum."""
        self._live_s += live_s
        self._spectra += 1
