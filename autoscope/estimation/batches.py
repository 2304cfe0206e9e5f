"""The variance of a batch that was drawn systematically with unequal inclusion probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from autoscope.core import EstimationError


def batch_variance(weight: ArrayLike, residual: ArrayLike, inclusion: ArrayLike) -> float:
    """Estimated variance of sum a (y - f) / pi over one batch, from the batch alone.

    Hansen & Hurwitz's estimator: as if the ``k`` fields had been drawn with replacement with q = pi / k.
    It is exactly unbiased for such a draw. A systematic draw along a path on which neighbours are alike
    varies less, and then the estimator is conservative; where the path has a period that the step meets,
    it is not, and only the spread between batches (which the survey uses) tells.

    Args:
        weight: ``k``, a_i.
        residual: ``k``, measured minus predicted.
        inclusion: ``k``, pi.

    Raises:
        EstimationError: fewer than two fields.

    Source: Wolter, Introduction to Variance Estimation (2007), section 8.6.
    """
    terms = np.asarray(weight, float) * np.asarray(residual, float) / np.asarray(inclusion, float)
    count = terms.size
    if count < 2:
        raise EstimationError("one field alone says nothing about the variance of its batch")
    return float(count / (count - 1) * ((terms - terms.mean()) ** 2).sum())
