"""How far a field's measured value will lie from its prediction. numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoscope.perception.overview_experts import MEMORY

EXPONENTS = (0.0, 0.5, 1.0)
"""Of the field's own unevenness: the spread is the same everywhere, or grows with it."""
LEAST_UNEVENNESS = 0.1
"""Unevenness below this share of its mean counts as this share: a field that looks empty may not be."""
HEADSTART = 4.0
"""Natural logarithm of the likelihood ratio by which an exponent must beat the even spread."""


class SpreadRecord:
    """Which spread has fitted the past errors of one target best, and its size.

    A field's unevenness is the standard deviation that its pixels would have if its predicted value were
    the share of one of two values, sqrt((f - low)(high - f)): largest where the field is half one phase, nil
    where it is all one. Fields are judged by the Gaussian likelihood of the errors that were made on them.

    Args:
        low: lowest possible value.
        high: highest possible value.
    """

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high
        self._ratio = np.zeros(len(EXPONENTS))
        self._log = np.zeros(len(EXPONENTS))
        self._weight = 0.0

    def unevenness(self, predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """``fields``, one on average; even where nothing is predicted that differs."""
        raw = np.sqrt((predicted - self._low) * (self._high - predicted))
        mean = float(raw.mean())
        if mean <= 0:
            return np.ones_like(raw)
        return np.asarray(np.maximum(raw / mean, LEAST_UNEVENNESS))

    def score(self, unevenness: float, error: float) -> None:
        """Takes in the error of a prediction that was made of a field."""
        scale = unevenness ** np.asarray(EXPONENTS)
        self._ratio = MEMORY * self._ratio + (error / scale) ** 2
        self._log = MEMORY * self._log + np.log(scale)
        self._weight = MEMORY * self._weight + 1

    def spread(self, unevenness: NDArray[np.float64], guess: float) -> NDArray[np.float64]:
        """``fields``, root-mean-square error to expect.

        Args:
            unevenness: ``fields``.
            guess: that of a field of which nothing is known; counts as one error.
        """
        size = np.sqrt((self._ratio + guess**2) / (self._weight + 1))
        cost = self._weight * np.log(np.maximum(size, 1e-300)) + self._log
        cost[1:] += HEADSTART
        best = int(np.argmin(cost))
        return np.asarray(size[best] * unevenness ** EXPONENTS[best])
