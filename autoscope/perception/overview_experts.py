"""Regressions that compete to predict fields, and what is made of them. numpy only.

Every expert is a Bayesian linear regression with a conjugate normal prior, in closed form: exactly the
posterior mean, so that nothing is gained by sampling it. Experts differ in what they look at and in how
strong their prior is; one knows nothing but the running mean. Each is judged by what it said of fields
before it had seen them (prequential: Dawid, J. R. Stat. Soc. A 147, 1984), and they are averaged by those
records as Bayesian models are: weight ~ (squared errors)^(-n/2).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RIDGES = (0.3, 3.0, 30.0, 300.0)
"""Prior strengths, in fields' worth of data on standardised features."""
MEMORY = 0.99
"""Discount per field on past errors: the regression of now is better than that of then."""
PRIOR_FIELDS = 4.0
"""Fields' worth of a mean squared error as large as the running mean's, before there is any."""


class Expertise:
    """Ridge regressions of one group of features, for several targets, updated with every field.

    Args:
        features: ``fields x d``, standardised.
        n_targets: values that are measured on a field.
    """

    def __init__(self, features: NDArray[np.float64], n_targets: int) -> None:
        self.features = features
        d = features.shape[1]
        self._sum, self._square = np.zeros(d), np.zeros((d, d))
        self._product = np.zeros((n_targets, d))
        self.centre = np.zeros(d)
        self.slopes: NDArray[np.float64] = np.zeros((n_targets, len(RIDGES), d))
        """``targets x ridges x d``: change of the value for each standard deviation of a feature."""

    def departures(self, field: int) -> NDArray[np.float64]:
        """``targets x ridges``: how far each regression puts a field from the running mean."""
        return np.asarray(self.slopes @ (self.features[field] - self.centre))

    def learn(self, field: int, value: NDArray[np.float64], count: int, total: NDArray[np.float64]) -> None:
        """Takes in one field.

        Args:
            field: its index.
            value: ``targets``, measured.
            count: fields measured so far, this one included.
            total: ``targets``, sum of all values so far.
        """
        x = self.features[field]
        self._sum += x
        self._square += np.outer(x, x)
        self._product += np.outer(value, x)
        self.centre = self._sum / count
        scatter = self._square - np.outer(self._sum, self.centre)
        response = self._product - np.outer(total / count, self._sum)
        d = len(x)
        ridges = np.asarray(RIDGES)[:, None, None] * np.eye(d)
        solved = np.linalg.solve(scatter + ridges, response.T)
        self.slopes = np.asarray(solved.transpose(2, 0, 1), np.float64)


class Ranking:
    """Records of one target's experts, the running mean first, and the weight that each has earned.

    Args:
        n_experts: how many regressions there are beside the running mean.
    """

    def __init__(self, n_experts: int) -> None:
        self._squared = np.zeros(n_experts + 1)
        self._weight = 0.0

    @property
    def shares(self) -> NDArray[np.float64]:
        """``1 + experts``: sum to 1."""
        prior = PRIOR_FIELDS * self._squared[0] / max(self._weight, 1.0)
        errors = np.maximum(self._squared + prior, 1e-300)
        log_weight = -0.5 * self._weight * np.log(errors / errors.min())
        weight = np.exp(log_weight)
        return np.asarray(weight / weight.sum())

    def score(self, departures: NDArray[np.float64], departure: float) -> None:
        """Holds what was said of a field against what was measured.

        Args:
            departures: ``experts``, predicted minus the running mean.
            departure: measured minus the running mean.
        """
        said = np.concatenate([[0.0], departures])
        self._squared = MEMORY * self._squared + (departure - said) ** 2
        self._weight = MEMORY * self._weight + 1


def standardised(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Zero mean and unit variance for each column; columns that do not vary are left out.

    Args:
        features: ``fields x d``.
    """
    scale = features.std(axis=0) if len(features) else np.zeros(features.shape[1])
    varies = scale > 1e-9 * np.maximum(np.abs(features).max(axis=0, initial=0.0), 1e-300)
    return np.asarray((features[:, varies] - features[:, varies].mean(axis=0)) / scale[varies])


def with_combination(groups: Sequence[NDArray[np.float64]]) -> tuple[NDArray[np.float64], ...]:
    """Standardised groups, those left out that do not vary, and all of them together where there are two."""
    kept = [group for group in map(standardised, groups) if group.shape[1]]
    return (*kept, np.concatenate(kept, axis=1)) if len(kept) > 1 else tuple(kept)
