"""The value of a field on which only some features were looked at closely, by a known chance each.

Every feature j has a size s_j (what it adds to the value if it is of the class), a probability p_j of the
class that was fixed beforehand, and a chance pi_j of being looked at. Then

    y = sum_j s_j [ p_j + (D_j / pi_j) (1{class of j} - p_j) ]

has the field's true value as its expectation, whatever p is, and the estimated variance

    v = sum_j D_j s_j² (1 - pi_j) / pi_j² (1{class of j} - p_j)²

is unbiased as well, for the draws are independent. Source: Saerndal, Swensson and Wretman, Model Assisted
Survey Sampling (1992), chapter 9 (difference estimator, Poisson sampling in the second phase).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError


def field_values(
    sizes: NDArray[np.float64],
    prior: NDArray[np.float64],
    propensity: NDArray[np.float64],
    taken: NDArray[np.bool_],
    observed: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values and their variances, ``targets`` each.

    Args:
        sizes: ``targets x features``, what each adds if it is of the target's class.
        prior: ``targets x features``, probability of the target's class, fixed before the draw.
        propensity: ``features``, chance of each of being looked at.
        taken: ``features``, whether it was.
        observed: ``targets x features``, whether it was seen to be of the class; ignored where not taken.

    Raises:
        EstimationError: a propensity is not in (0, 1], or shapes differ.
    """
    if prior.shape != sizes.shape or observed.shape != sizes.shape or propensity.shape != sizes.shape[1:]:
        raise EstimationError(
            f"sizes {sizes.shape}, priors {prior.shape}, classes {observed.shape} and propensities"
            f" {propensity.shape} of the features differ"
        )
    if not ((propensity > 0) & (propensity <= 1)).all():
        raise EstimationError(f"chances of a close look must lie in (0, 1]: {propensity.tolist()}")
    surprise = np.where(taken, observed - prior, 0.0)
    value = (sizes * (prior + surprise / propensity)).sum(axis=1)
    variance = ((sizes * surprise / propensity) ** 2 * (1 - propensity)).sum(axis=1)
    return value, variance
