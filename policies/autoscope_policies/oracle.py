"""The Neyman oracle: how few fields could do. It knows the truth, so only benchmarks have it.

It is not in the registry: a configuration cannot name it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoscope.survey import Proposal, SurveyView
from autoscope_policies.fingerprint import fingerprint

LEAST_ALIKE = 31
"""Least number of fields over which a residual spread is taken."""
ALIKE_SHARE = 50
"""The population divided by this is the wanted number of alike fields."""


class NeymanOracle:
    """Draws in proportion to the true spread of what the present prediction leaves (Neyman 1934).

    ``b_i² = sum over targets of (a_i s_i / h)²`` with ``s_i`` the root-mean-square of (truth - prediction)
    over the fields that the overview shows to be most like field i, and h the wanted half-width. It does not
    know the residual of a field by itself, which no policy could, but how large residuals are among its
    like. It has the predictor and the floor of every other policy, counts no costs, and minimises fields.

    Args:
        values: ``targets x fields``, the truth.
        likeness: ``targets x fields``; fields next to each other in this order are alike.
        wanted: ``targets``, wanted half-widths.
    """

    name = "oracle"
    floored = True

    def __init__(
        self, values: NDArray[np.float64], likeness: NDArray[np.float64], wanted: NDArray[np.float64]
    ) -> None:
        self._values, self._wanted = values, wanted
        self._order = np.argsort(likeness, axis=1, kind="stable")
        self._alike = min(values.shape[1], max(LEAST_ALIKE, values.shape[1] // ALIKE_SHARE))
        self.sha256 = fingerprint(self.name, {"alike": self._alike})

    def propose(self, view: SurveyView) -> Proposal:
        """Proportional to area weight times true residual spread."""
        squared = np.zeros(len(view.grid))
        for k, wanted in enumerate(self._wanted):
            residual = self._values[k] - view.prediction.value[k]
            order = self._order[k]
            squared[order] += _moving_mean(residual[order] ** 2, self._alike) / wanted**2
        b = view.grid.weight[view.remaining] * np.sqrt(squared[view.remaining])
        if not b.any():
            return Proposal(np.full(len(b), 1 / len(b)), "the prediction is exact")
        return Proposal(b / b.sum(), "proportional to the true residual spread")


def overview_likeness(
    values: NDArray[np.float64], features: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Orders fields by what the overview says of them: the regression of the whole truth on the features.

    Args:
        values: ``targets x fields``, the truth.
        features: ``fields x d``.
        weight: ``fields``, area weights.

    Returns:
        ``targets x fields``, fitted values.
    """
    scale = features.std(axis=0)
    varies = scale > 0
    x = (features[:, varies] - features[:, varies].mean(axis=0)) / scale[varies]
    x = np.column_stack([np.ones(len(x)), x])
    root = np.sqrt(weight)[:, None]
    coefficients, *_ = np.linalg.lstsq(root * x, root * values.T, rcond=None)
    return np.asarray((x @ coefficients).T)


def _moving_mean(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """Mean over ``width`` neighbours, of which fewer lie on one side towards the ends."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    start = np.clip(np.arange(len(values)) - width // 2, 0, len(values) - width)
    return np.asarray(np.maximum(total[start + width] - total[start], 0.0) / width)
