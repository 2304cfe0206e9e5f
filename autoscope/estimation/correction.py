"""Expert labels on a probability sample of the measured frames: from what the model says to what is there.

Two-phase sampling. The first phase draws fields and the model measures them: y. In the second phase a coin
with known probability phi_t, fixed before it is tossed, decides whether an expert labels the frame of draw
t: e. The quantity that the expert would have found is theta_e = sum a_i e_i, and

    Z^e_t = Z_t + sum_{j<t} (xi_j / phi_j) a_j (e_j - y_j) + (xi_t / phi_t) a_t (e_t - y_t) / q_t

has expectation theta_e, whatever the model's errors, the policy and the choice of phi (the two propensities
multiply). Sources: Särndal, Swensson, Wretman, Model Assisted Survey Sampling (1992), section 9.6;
Zrnic & Candès, arXiv 2403.03208 (active labelling).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autoscope.core import EstimationError
from autoscope.estimation.difference import Combined, combine


def corrected_pseudo_values(
    pseudo_values: ArrayLike,
    weight: ArrayLike,
    propensity: ArrayLike,
    measured: ArrayLike,
    expert: ArrayLike,
    label_propensity: ArrayLike,
) -> NDArray[np.float64]:
    """``n`` pseudo-values of what the experts would have found, in the order of the draws.

    Args:
        pseudo_values: ``n``, Z of the model's values, one field a draw.
        weight: ``n``, a_i of the fields.
        propensity: ``n``, q with which each was drawn, given the past.
        measured: ``n``, y: what the model says.
        expert: ``n``, e: what the expert says; NaN where the frame was not labelled.
        label_propensity: ``n``, phi with which each frame was to be labelled; also of those that were not.

    Raises:
        EstimationError: a propensity is not in (0, 1], or the arrays differ in length.
    """
    columns = (pseudo_values, weight, propensity, measured, expert, label_propensity)
    z, a, q, y, e, phi = (np.asarray(column, float) for column in columns)
    if len({column.shape for column in (z, a, q, y, e, phi)}) != 1:
        raise EstimationError("expert correction: all arrays must have one entry for each draw")
    for name, chance in (("propensity", q), ("label propensity", phi)):
        bad = ~((chance > 0) & (chance <= 1))
        if bad.any():
            at = int(np.flatnonzero(bad)[0])
            raise EstimationError(
                f"draw {at + 1} has {name} {chance[at]:g}; it must lie in (0, 1]: frames that could never be"
                " labelled cannot be corrected for",
                step=at + 1,
            )
    term = np.where(np.isnan(e), 0.0, a * (np.nan_to_num(e) - y) / phi)
    before = np.concatenate([[0.0], np.cumsum(term)[:-1]])
    return np.asarray(z + before + term / q)


def expert_corrected(
    pseudo_values: ArrayLike,
    weights: ArrayLike,
    weight: ArrayLike,
    propensity: ArrayLike,
    measured: ArrayLike,
    expert: ArrayLike,
    label_propensity: ArrayLike,
) -> Combined:
    """The estimate that covers the model's own error too; see :func:`corrected_pseudo_values`.

    Args:
        pseudo_values: ``n``, Z of the model's values.
        weights: ``n``, w of :func:`~autoscope.estimation.combine`.
        weight: ``n``, a_i.
        propensity: ``n``, q.
        measured: ``n``, y.
        expert: ``n``, e; NaN without a label.
        label_propensity: ``n``, phi.

    Raises:
        EstimationError: as there.
    """
    corrected = corrected_pseudo_values(pseudo_values, weight, propensity, measured, expert, label_propensity)
    return combine(corrected, weights)
