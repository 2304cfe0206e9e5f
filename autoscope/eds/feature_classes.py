"""What a feature probably is, from how the image sees it: learnt from the spectra of a session.

The image classifier was made for other specimens. How bright a feature is, how large and how long tells more
on this one, as soon as some spectra have shown which class looks how: an oxide is darker in backscattered
electrons than a nitride, whatever a network takes it for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.eds.image_classes import ImageClasses

WEAKEST_SHARE = 1e-3
"""Probabilities of the image below this are not told apart."""
PRIOR_SCALE = 3.0
"""Standard deviation that coefficients of the scores are thought to have; traits are of order 1."""
TRUST = 5.0
"""Spectra from which on what they taught counts as much as what the image says."""
DOUBT = 5.0
"""Spectra's worth of doubt that a feature's looks say anything: then it is of any class as often as all are.
A regression on few spectra is surer than it has a right to be, and a feature that is surely of no class that
counts hardly ever gets a spectrum, but counts twenty times when it does."""
STEPS = 20
"""Of a fit, which begins where the last one ended."""


@dataclass(frozen=True, slots=True)
class Traits:
    """How the image sees a feature.

    Attributes:
        image: image class to probability.
        diameter_um: of the circle of equal area.
        aspect: length over width.
        grey: mean signal of its deepest pixels over that of the matrix; None: not known.
        mean_grey: mean signal of all of it, likewise.
    """

    image: Mapping[str, float]
    diameter_um: float = 2.0
    aspect: float = 1.0
    grey: float | None = None
    mean_grey: float | None = None


class FeatureClasses:
    """Class probabilities before the spectrum: those of the image, corrected by what spectra have shown.

    Scores are those of the image's classes (`ImageClasses`) plus a linear function of the traits, for each
    class: a multinomial logistic regression with a normal prior (Bishop, Pattern Recognition and Machine
    Learning, 2006, section 4.3.4), fitted after each field. Which features have a spectrum
    depends on their traits alone, so that it needs no weights. With few spectra the image's own probabilities
    are mixed in. Any probabilities leave the census unbiased; good ones save spectra.

    Args:
        groups: image class to the spectral classes that it is thought to consist of.
        names: of all spectral classes.
    """

    def __init__(self, groups: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._groups, self._image = tuple(groups), ImageClasses(groups, names)
        self._coefficients = np.zeros((len(self.names), len(self._groups) + 6))
        self._rows: list[NDArray[np.float64]] = []
        self._shares: list[NDArray[np.float64]] = []
        self._observed: list[int] = []
        self._counts = np.zeros(len(self.names))

    def prior(self, traits: Traits) -> NDArray[np.float64]:
        """``classes``, probabilities of the spectral classes of a feature that the image sees so."""
        image = self._image.prior(traits.image)
        if not self._rows:
            return image
        scores = np.log(image) + self._coefficients @ self._row(traits)
        learnt, taught = _softmax(scores), len(self._rows)
        any_feature = (self._counts + 1 / len(self.names)) / (taught + 1)
        mixed = taught * learnt + TRUST * image + DOUBT * any_feature
        return np.asarray(mixed / (taught + TRUST + DOUBT), float)

    def learn(self, seen: Sequence[tuple[Traits, str, float]]) -> None:
        """Takes in what the spectra of a field showed: traits, class, and chance of having got a spectrum."""
        if not seen:
            return
        for traits, observed, propensity in seen:
            self._image.learn(traits.image, observed, propensity)
            self._rows.append(self._row(traits))
            self._shares.append(self._share(traits))
            self._observed.append(self.names.index(observed))
            self._counts[self._observed[-1]] += 1
        self._fit()

    def _share(self, traits: Traits) -> NDArray[np.float64]:
        return np.array([traits.image[group] for group in self._groups])

    def _row(self, traits: Traits) -> NDArray[np.float64]:
        """The traits as numbers of order 1."""
        logs = np.log(np.maximum(self._share(traits), WEAKEST_SHARE))
        size, length = 2 * np.log(traits.diameter_um / 2.5), 2 * np.log(traits.aspect)
        grey = 0.0 if traits.grey is None else (traits.grey - 0.5) / 0.15
        mean = 0.0 if traits.mean_grey is None else (traits.mean_grey - 0.5) / 0.15
        return np.array([1.0, *((logs - logs.mean()) / 3), size, length, grey, mean, grey * size])

    def _fit(self) -> None:
        """Climbs by the bound of the curvature that holds everywhere: no step can overshoot.

        Minus the Hessian of a multinomial logistic likelihood is at most half of ``x' x`` for each class
        (Boehning, Ann. Inst. Stat. Math. 44 (1992) 197), whatever the coefficients.
        """
        x, y = np.array(self._rows), np.array(self._observed)
        share = np.array(self._shares) @ self._image.made_of
        offset = np.log(share / share.sum(axis=1, keepdims=True))
        truth = (y[:, None] == np.arange(len(self.names))).astype(float)
        bound = np.linalg.inv(x.T @ x / 2 + np.eye(x.shape[1]) / PRIOR_SCALE**2)
        for _ in range(STEPS):
            departure = truth - _softmax(offset + x @ self._coefficients.T)
            gradient = departure.T @ x - self._coefficients / PRIOR_SCALE**2
            self._coefficients += gradient @ bound


def _softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))
