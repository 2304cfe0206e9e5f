"""What the trigger trades: how much a feature's class matters to the targets, against seconds."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError
from autoscope.eds.surprise import Looked, Surprise
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


MOST_ROUNDS = 100
"""How often the trade's equation is repeated at most; each round leaves of what is missing the share that
spectra have in the time (those that are drawn with a probability between the bounds)."""

NEAR_ENOUGH = 1e-3
"""Relative change of the seconds over the variance below which it counts as solved."""


class Trade:
    """Running variance between visits, their cost and the mean live time: all that the trigger needs.

    A visit's value is ``sum_j x_j [p_j + (D_j / pi_j)(1_j - p_j)]`` less its prediction, with x what
    feature j adds if it is of the class. Of n visits to N fields, drawn without replacement, the estimate
    has the variance ``(A + D) / n - (A + B) / N``, with A that of ``sum_j x_j p_j`` less the prediction
    (no spectrum takes it away), ``D = E sum_j W² x_j² p_j (1 - p_j) / pi_j`` and B the same with pi = 1. What
    N takes off depends neither on n nor on pi: for a wanted variance n is proportional to ``A + D``, and
    the time, ``n (C + E sum_j c pi_j)``, is least at

        pi_j = W x_j sqrt(p_j (1 - p_j)) sqrt(T / (c V)),  V = A + D,  T = C + E sum_j c pi_j

    within [least, 1] (optimal allocation of two phases; Särndal, Swensson and Wretman, 1992, section 12.8).
    Where no pi is at a bound, T / V is C / A as in METHODS section 5; features that get a spectrum anyway are
    part of what a visit takes, those that hardly ever do part of its variance. V and T are those of the
    features that were seen, at the probabilities that come out. W is not the weight of the field's own draw,
    but that with which an error of its value enters the estimate, later draws included
    (``autoscope.survey.visits.OpenDraw.error_weight``).

    Where spectra show that the image is surer, or less sure, than it has a right to be, ``p (1 - p)`` is what
    :class:`Surprise` makes of it.

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
        self._squared_sizes = self._prior = np.empty((len(scatter), 0))
        self._surprise = Surprise()

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
            weight: by how much an error of the field's value moves the estimate (`Decision.error_weight`).
            price: multiplies the seconds of a spectrum, where something else than beam time is scarce.

        Raises:
            EstimationError: the price is not positive and finite.
        """
        if not (math.isfinite(price) and price > 0):
            raise EstimationError(f"the price of a spectrum is {price:g}: it must be positive and finite")
        spectrum_s = price * self.spectrum_s
        spread = weight * np.sqrt(self._relative(sizes**2, prior))
        return allocate(spread, self._whole(spectrum_s), self._least)

    def _relative(
        self, squared_sizes: NDArray[np.float64], prior: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """``features``: variances of ``targets x features`` in units of A, all targets alike."""
        between = self._squares / self._visits
        return np.asarray((squared_sizes * self._surprise.variance(prior) / between[:, None]).mean(axis=0))

    def _whole(self, spectrum_s: float) -> TriggerCosts:
        """Seconds and variance of a visit, spectra included, at the probabilities that follow from them."""
        seen = self._relative(self._squared_sizes, self._prior)
        spread, costs = np.sqrt(seen), TriggerCosts(self.visit_s, spectrum_s, 1.0)
        for _ in range(MOST_ROUNDS):
            pi, before = allocate(spread, costs, self._least), costs.visit_s / costs.between_visit_variance
            seconds = self.visit_s + spectrum_s * float(pi.sum()) / self._visits
            costs = TriggerCosts(seconds, spectrum_s, 1.0 + float((seen / pi).sum()) / self._visits)
            if abs(costs.visit_s / costs.between_visit_variance - before) <= NEAR_ENOUGH * before:
                break
        return costs

    def visited(
        self,
        weight: float,
        departure: NDArray[np.float64],
        visit_s: float,
        error_weight: float = 1.0,
        looked: Looked | None = None,
    ) -> None:
        """Learns from a field.

        Args:
            weight: by how much its departure from the prediction moves its draw (`Decision.draw_weight`).
            departure: ``targets``, value of the field as the image tells it, less what was predicted.
            visit_s: seconds of the visit without spectra.
            error_weight: by how much an error of its value moves the estimate (`Decision.error_weight`).
            looked: its features; None: it had none.
        """
        self._squares += (weight * departure) ** 2
        self._visits += 1
        self._visits_s += visit_s
        if looked is not None:
            squared = (error_weight * looked.sizes) ** 2
            self._squared_sizes = np.concatenate([self._squared_sizes, squared], axis=1)
            self._prior = np.concatenate([self._prior, looked.prior], axis=1)
            self._surprise.saw(looked)

    def counted(self, live_s: float) -> None:
        """Learns from a spectrum."""
        self._live_s += live_s
        self._spectra += 1
