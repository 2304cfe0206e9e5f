"""The hedged betting interval: right for finite samples, any policy and any stopping rule."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from autoscope.estimation.growing import GrowingTable

TRUNCATION = 0.9
"""c of METHODS section 2: the largest share of the capital that one draw can lose."""

RESOLUTION = 1e-6
"""To which share of the bounds' distance the ends are found; they are rounded outward."""

_Z, _LIMIT, _BET = 0, 1, 2
_HALVINGS = 3
"""Of a bisection, that are done in one pass."""


class BettingInterval:
    """Ends of {m : both capitals against "theta = m" stayed below 2/alpha}, intersected over all draws.

    Two gamblers bet against every m: one that theta is larger, one that it is smaller. Where m is
    theta, either capital is a nonnegative martingale that starts at 1, and so is their mean, which
    reaches 1/alpha with probability at most alpha (Ville). Each capital alone must reach 2/alpha here,
    which implies it and makes the set an interval, for the capitals are monotone in m (Waudby-Smith &
    Ramdas, J. R. Stat. Soc. B 86 (2024) 1, adapted to pseudo-values whose range is known only from the
    past).

    Args:
        low: lowest possible value of the quantity.
        high: highest possible value.
        confidence: coverage at all times together.
    """

    def __init__(self, low: float, high: float, confidence: float) -> None:
        self.low, self.high = low, high
        self._resolution = RESOLUTION * (high - low)
        self._log_limit = math.log(2 / (1 - confidence))
        self._up = GrowingTable(3)
        self._down = GrowingTable(3)

    def update(self, z_low: float, z_high: float, least: float, most: float, bet: float) -> None:
        """Takes in one draw.

        Args:
            z_low: the pseudo-value; with fields that could not be measured, at their lowest value.
            z_high: likewise at their highest value; equal to ``z_low`` otherwise.
            least: the smallest value that the pseudo-value could have had, known before the draw.
            most: the largest, likewise.
            bet: lambda, fixed before the draw, positive.
        """
        self._up.append(z_low, least, bet)
        self._down.append(-z_high, -most, bet)
        low, high = max(self.low, least), min(self.high, most)
        if low > high:
            return
        low = self._raised(self._up.rows, low, high)
        high = -self._raised(self._down.rows, -high, -low)
        if low <= high:
            self.low, self.high = low, high

    def _raised(self, rows: NDArray[np.float64], low: float, high: float) -> float:
        """The first m from ``low`` upward that is not excluded, rounded down; infinite where none is."""
        at_low, at_high = self._log_capitals(rows, np.array([low, high])).tolist()
        if at_low < self._log_limit:
            return low
        if at_high >= self._log_limit:
            return math.inf
        excluded, kept = low, high
        while kept - excluded > self._resolution:
            parts = 2 ** min(_HALVINGS, math.ceil(math.log2((kept - excluded) / self._resolution)))
            between = excluded + (kept - excluded) * (np.arange(1, parts) / parts)
            capital = self._log_capitals(rows, between)
            out = int(np.count_nonzero(capital >= self._log_limit))  # it falls from one m to the next
            ends = [excluded, *between.tolist(), kept]
            excluded, kept = ends[out], ends[out + 1]
        return excluded

    @staticmethod
    def _log_capitals(rows: NDArray[np.float64], m: NDArray[np.float64]) -> NDArray[np.float64]:
        """At each of ``k`` m."""
        room = np.maximum(m[:, None] - rows[:, _LIMIT], 1e-300)
        stake = np.minimum(rows[:, _BET], TRUNCATION / room)
        return np.asarray(np.log1p(stake * (rows[:, _Z] - m[:, None])).sum(axis=1))
