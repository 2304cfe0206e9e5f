"""Whether a feature deserves a spectrum: with a probability that keeps the census unbiased."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError

LEAST_PROBABILITY = 0.05
"""Every feature may get a spectrum, however sure the image classifier is."""


@dataclass(frozen=True, slots=True)
class TriggerCosts:
    """What the trade is between.

    Attributes:
        visit_s: cost of a visit to a field without spectra.
        spectrum_s: cost of a spectrum.
        between_visit_variance: running variance of the visits' values between fields.

    Raises:
        EstimationError: a cost or the variance is not positive.
    """

    visit_s: float
    spectrum_s: float
    between_visit_variance: float

    def __post_init__(self) -> None:
        for name in ("visit_s", "spectrum_s", "between_visit_variance"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise EstimationError(f"{name} = {getattr(self, name):g} must be positive and finite")


def trigger_probabilities(
    probabilities: NDArray[np.float64],
    fields: int,
    propensity: float,
    costs: TriggerCosts,
    class_weights: NDArray[np.float64] | None = None,
    least: float = LEAST_PROBABILITY,
) -> NDArray[np.float64]:
    """Probabilities of a spectrum that minimise the time to a given interval.

    ``pi_j = W s_j sqrt(C_f / (c A))`` within [``least``, 1], with W = 1 / (N q) and
    s_j² = sum over classes of omega_k p_jk (1 - p_jk): a spectrum's variance against its time, as Neyman's
    allocation of two-phase samples (Cochran 1977, section 12.3).

    Args:
        probabilities: ``features x classes``, the image classifier's.
        fields: N, fields of the population.
        propensity: q, with which the field was drawn.
        costs: of visits and spectra.
        class_weights: ``classes``, importance omega of each class's variance; equal by default.
        least: smallest probability.

    Raises:
        EstimationError: a probability, the propensity or the number of fields is impossible.
    """
    p = check_probabilities(probabilities)
    _check_draw(fields, propensity)
    if not 0 < least <= 1:
        raise EstimationError(f"the least probability of a spectrum is {least:g}: it must lie in (0, 1]")
    omega = np.ones(p.shape[1]) if class_weights is None else np.asarray(class_weights, float)
    if omega.shape != (p.shape[1],) or not (np.isfinite(omega).all() and (omega >= 0).all()):
        raise EstimationError(f"there are {p.shape[1]} classes; their weights {omega} must be one each, >= 0")
    spread = np.sqrt((p * (1 - p)) @ omega)
    return allocate(spread / (fields * propensity), costs, least)


def allocate(
    spread: NDArray[np.float64], costs: TriggerCosts, least: float = LEAST_PROBABILITY
) -> NDArray[np.float64]:
    """Probabilities of a spectrum: ``spread sqrt(C_f / (c A))`` within [``least``, 1].

    Args:
        spread: ``features``, standard deviation that each adds to the visit's pseudo-value while its class
            is not known, W_j s_j.
        costs: of visits and spectra.
        least: smallest probability.
    """
    scale = math.sqrt(costs.visit_s / (costs.spectrum_s * costs.between_visit_variance))
    return np.asarray(np.clip(spread * scale, least, 1.0), float)


def visit_value(
    probabilities: NDArray[np.float64],
    trigger: NDArray[np.float64],
    observed: NDArray[np.int64],
    fields: int,
    propensity: float,
) -> NDArray[np.float64]:
    """What one visit says of the mean number of features of each class in a field.

    ``Z_k = (1 / (N q)) sum_j [ p_jk + (D_j / pi_j) (1{type_j = k} - p_jk) ]``: unbiased for any p and any
    positive pi and q, because each draw is divided by its own probability (a difference estimator of two
    phases: Saerndal, Swensson and Wretman 1992, chapter 9). Draws are with replacement.

    Args:
        probabilities: ``features x classes``, the image classifier's, fixed before the spectra.
        trigger: ``features``, probability with which each got a spectrum.
        observed: ``features``, class that the spectrum showed, -1 where none was taken.
        fields: N, fields of the population.
        propensity: q, with which the field was drawn.

    Returns:
        ``classes``.

    Raises:
        EstimationError: shapes differ, or a probability or a class is impossible.
    """
    p = check_probabilities(probabilities)
    _check_draw(fields, propensity)
    pi, seen = np.asarray(trigger, float), np.asarray(observed)
    if pi.shape != (len(p),) or seen.shape != (len(p),):
        raise EstimationError(
            f"{len(p)} features need as many trigger probabilities and classes, not"
            f" {pi.shape} and {seen.shape}"
        )
    if not ((pi > 0) & (pi <= 1)).all():
        raise EstimationError(f"probabilities of a spectrum must lie in (0, 1]: {pi.tolist()}")
    if ((seen < -1) | (seen >= p.shape[1])).any():
        raise EstimationError(f"classes must be -1 (no spectrum) to {p.shape[1] - 1}: {seen.tolist()}")
    truth = (seen[:, None] == np.arange(p.shape[1])).astype(float)
    corrected = p + ((seen >= 0) / pi)[:, None] * (truth - p)
    return np.asarray(corrected.sum(axis=0) / (fields * propensity), float)


def check_probabilities(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Class probabilities as ``features x classes``.

    Raises:
        EstimationError: a row does not lie in [0, 1] and sum to 1.
    """
    p = np.asarray(probabilities, float)
    if p.ndim != 2 or not ((p >= 0) & (p <= 1)).all() or not np.allclose(p.sum(axis=1), 1, atol=1e-6):
        raise EstimationError(
            f"class probabilities of shape {p.shape} must lie in [0, 1] and sum to 1 by row"
        )
    return p


def _check_draw(fields: int, propensity: float) -> None:
    if fields < 1 or not 0 < propensity <= 1:
        raise EstimationError(
            f"a field drawn with propensity {propensity:g} from {fields} is impossible: (0, 1] and 1 or more"
        )
