"""How far off class probabilities were, by the spectra that were taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

KNOWN_UNSURE = np.array([0.002, 0.02, 0.1, 0.25])
"""Values of p (1 - p) for which spectra are thought to have confirmed p before any was taken."""

CONFIRMED = 5.0
"""How many spectra for each of them."""

NOISE_FLOOR = 0.02
"""Added to p (1 - p) where it stands for how much (1_j - p_j)² scatters."""

LEAST_SLOPE = 0.1
"""Least share of p (1 - p) that is believed, however right the image was so far."""


@dataclass(frozen=True, slots=True)
class Looked:
    """The features of a field and what spectra showed of them.

    Attributes:
        sizes: ``targets x features``, what each adds if it is of the target's class.
        prior: ``targets x features``, probability of that class.
        propensity: ``features``, chance of a spectrum.
        taken: ``features``, whether it got one.
        belongs: ``targets x features``, whether it is of the class; of no meaning where none was taken.
    """

    sizes: NDArray[np.float64]
    prior: NDArray[np.float64]
    propensity: NDArray[np.float64]
    taken: NDArray[np.bool_]
    belongs: NDArray[np.bool_]


class Surprise:
    """How far off class probabilities are: (1_j - p_j)² as a function of p_j (1 - p_j), a straight line.

    Where the probabilities are right, the line is the diagonal. A classifier that is too sure has more to
    show where it is sure, which a constant allows for. Least squares, each spectrum over its chance of having
    been taken and over the variance that its square has.
    """

    def __init__(self) -> None:
        self._normal, self._right = np.zeros((2, 2)), np.zeros(2)
        self._add(KNOWN_UNSURE, KNOWN_UNSURE, np.full(len(KNOWN_UNSURE), CONFIRMED))

    def saw(self, looked: Looked) -> None:
        """Learns from the spectra of a field."""
        p, of = looked.prior[:, looked.taken], looked.belongs[:, looked.taken]
        weight = np.broadcast_to(1 / looked.propensity[looked.taken], p.shape)
        self._add((p * (1 - p)).ravel(), ((of - p) ** 2).ravel(), weight.ravel())

    def variance(self, prior: NDArray[np.float64]) -> NDArray[np.float64]:
        """What (1_j - p_j)² is expected to be; of the shape of ``prior``."""
        slope, constant = np.linalg.solve(self._normal, self._right).tolist()
        if constant < 0:
            slope, constant = float(self._right[0] / self._normal[0, 0]), 0.0
        unsure = prior * (1 - prior)
        return np.asarray(np.minimum(max(slope, LEAST_SLOPE) * unsure + constant, 1.0))

    def _add(
        self, unsure: NDArray[np.float64], square: NDArray[np.float64], weight: NDArray[np.float64]
    ) -> None:
        line = np.stack([unsure, np.ones_like(unsure)])
        weighted = line * weight / (unsure + NOISE_FLOOR)
        self._normal += weighted @ line.T
        self._right += weighted @ square
