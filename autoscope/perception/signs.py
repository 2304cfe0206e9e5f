"""What tells an unfamiliar window from a familiar one: densities of features, and directions in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Features = NDArray[np.float64]
Arrays = Mapping[str, NDArray[np.float32]]

PRINCIPAL = 8
"""Principal directions of a density whose own spread is kept."""

REST_FLOOR = 0.2
"""Smallest mean square of the standardised features beside the principal directions."""

_FLOOR = 1e-6


@dataclass(frozen=True, slots=True)
class Density:
    """A normal density of standardised features: a spread for each principal direction, and one for the rest.

    Probabilistic principal components (Tipping & Bishop 1999): with few images a full covariance of a
    hundred features would be singular. The score is the log of the squared Mahalanobis distance (Lee et al.
    2018), each part over its number of dimensions.

    Attributes:
        centre: ``features``.
        spread: ``features``, their standard deviations.
        axes: ``directions x features``.
        lengths: ``directions``, standard deviations along the axes.
        rest: mean square beside them.
    """

    centre: Features
    spread: Features
    axes: Features
    lengths: Features
    rest: float

    @classmethod
    def fit(cls, features: Features, smallest: Features | float = 0.0) -> Self:
        """Fits to ``windows x features`` with standard deviations not below ``smallest``."""
        centre = features.mean(axis=0)
        spread = features.std(axis=0) + 1e-3 * np.abs(features).mean() + _FLOOR
        spread = np.maximum(spread, smallest)
        scaled = (features - centre) / spread
        count, width = scaled.shape
        kept = min(PRINCIPAL, count - 1, width)
        _, singular, axes = np.linalg.svd(scaled, full_matrices=False)
        axes, lengths = axes[:kept], np.maximum(singular[:kept] / np.sqrt(count), _FLOOR**0.5)
        beside = scaled - scaled @ axes.T @ axes
        rest = float(np.square(beside).sum(axis=1).mean()) / max(width - kept, 1)
        return cls(centre, spread, axes, lengths, max(rest, REST_FLOOR))

    def score(self, features: Features) -> Features:
        """One number for each of ``windows x features``, the larger the less familiar."""
        scaled = (features - self.centre) / self.spread
        along = scaled @ self.axes.T
        beside = np.square(scaled - along @ self.axes).sum(axis=1)
        kept, width = self.axes.shape
        distance = np.square(along / self.lengths).sum(axis=1) / max(kept, 1)
        return np.asarray(np.log(distance + beside / (max(width - kept, 1) * self.rest) + _FLOOR))

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """What to store."""
        parts = (self.centre, self.spread, self.axes, self.lengths, np.array([self.rest]))
        return {n: np.asarray(p, np.float32) for n, p in zip(self.__slots__, parts, strict=True)}

    @classmethod
    def of(cls, arrays: Arrays) -> Self:
        """From what was stored."""
        centre, spread, axes, lengths, rest = (np.asarray(arrays[n], np.float64) for n in cls.__slots__)
        return cls(centre, spread, axes, lengths, float(rest[0]))


@dataclass(frozen=True, slots=True)
class Direction:
    """The direction in which a known trouble moves the features, of models that were fitted with such.

    Attributes:
        centre: ``features``, the mean of windows without trouble.
        weights: ``features``, already over the features' spread.
    """

    centre: Features
    weights: Features

    def score(self, features: Features) -> Features:
        """One number for each of ``windows x features``, the larger the more of the trouble."""
        return np.asarray((features - self.centre) @ self.weights)

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """What to store."""
        parts = (self.centre, self.weights)
        return {n: np.asarray(p, np.float32) for n, p in zip(self.__slots__, parts, strict=True)}

    @classmethod
    def of(cls, arrays: Arrays) -> Self:
        """From what was stored."""
        centre, weights = (np.asarray(arrays[name], np.float64) for name in cls.__slots__)
        return cls(centre, weights)
