"""A spectrum as a sum of modelled peaks and background, none negative, by Poisson maximum likelihood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, InstrumentError

ROUNDS = 4
"""Reweighted least-squares rounds; the amplitudes change by less than their errors after three."""

LEAST_EXPECTED = 0.05
"""Least expected counts of a channel when it is weighted."""

RIDGE = 1e-9
"""Relative ridge that keeps the normal equations solvable where two shapes are alike."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A fitted spectrum.

    Attributes:
        amplitudes: ``shapes``, counts of each, not negative.
        standard_errors: ``shapes``, from the Fisher information of the shapes that are not zero; of one that
            is zero, what it would be beside them.
        expected: ``channels``, the fitted spectrum.
    """

    amplitudes: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    expected: NDArray[np.float64]


def check_counts(counts: NDArray[np.integer | np.floating]) -> NDArray[np.float64]:
    """The counts as numbers.

    Raises:
        InstrumentError: they are not one row of finite counts, or some are negative.
    """
    row = np.asarray(counts, float)
    if row.ndim != 1 or not len(row):
        raise InstrumentError(f"a spectrum is one row of channels, not an array of shape {row.shape}")
    if not np.isfinite(row).all():
        raise InstrumentError("the spectrum holds counts that are not finite; acquire it again")
    if (row < 0).any():
        raise InstrumentError(
            f"channel {int(np.argmax(row < 0))} of the spectrum holds {row.min():g} counts: counts are never"
            " negative; hand over the spectrum as it was counted, without background removed"
        )
    return row


def fit(counts: NDArray[np.float64], shapes: NDArray[np.float64]) -> Fit:
    """Fits amplitudes that are not negative: iteratively reweighted non-negative least squares.

    The weights are the inverse of the expected counts, so the fixed point is the Poisson maximum likelihood
    (Wachter, Leach and Kellogg 1979); each round is solved on the normal equations (Lawson and Hanson 1974).

    Args:
        counts: ``channels``.
        shapes: ``channels x shapes``, each of sum 1.

    Raises:
        ConfigurationError: counts and shapes differ in their channels.
    """
    from scipy.linalg import cho_factor, cho_solve
    from scipy.optimize import nnls

    if len(counts) != len(shapes):
        raise ConfigurationError(f"a spectrum of {len(counts)} channels was fitted on {len(shapes)} channels")
    expected = _smoothed(counts)
    for _ in range(ROUNDS):
        weighted = shapes / np.maximum(expected, LEAST_EXPECTED)[:, None]
        information = shapes.T @ weighted
        information[np.diag_indices_from(information)] *= 1 + RIDGE
        upper = np.linalg.cholesky(information).T
        amplitudes, _ = nnls(upper, np.linalg.solve(upper.T, weighted.T @ counts))
        expected = shapes @ amplitudes
    active = amplitudes > 0
    covariance = np.zeros_like(information)
    if active.any():
        inner = cho_factor(information[np.ix_(active, active)])
        covariance[np.ix_(active, active)] = cho_solve(inner, np.eye(int(active.sum())))
        crossed = cho_solve(inner, information[np.ix_(active, ~active)])
        remaining = np.diag(information)[~active] - np.sum(information[np.ix_(active, ~active)] * crossed, 0)
        variance = np.diag(covariance).copy()
        variance[~active] = 1 / np.maximum(remaining, RIDGE * np.diag(information)[~active])
    else:
        variance = 1 / np.diag(information)
    return Fit(amplitudes, np.sqrt(variance), expected)


def _smoothed(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """A first guess of the expected counts: a running mean of 9 channels."""
    return np.convolve(counts, np.full(9, 1 / 9), mode="same")
