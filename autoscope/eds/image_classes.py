"""What an image class is made of: from what the image says to class probabilities before the spectrum."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

MEMBERS_SHARE = 0.9
"""Share that a group's own classes have together before anything was seen."""

PRIOR_FEATURES = 4.0
"""Features' worth of trust in that."""


class ImageClasses:
    """Learns from the spectra what the image classes are made of.

    Any probabilities that are fixed before a spectrum leave the census unbiased; good ones save spectra. So
    what is learnt here from earlier fields may be wrong without harm.

    Args:
        groups: image class to the spectral classes that it is thought to consist of.
        names: of all spectral classes.
    """

    def __init__(self, groups: Mapping[str, Sequence[str]], names: Sequence[str]) -> None:
        self.names = tuple(names)
        self._groups = tuple(groups)
        self._seen = np.array([_thought(members, self.names) for members in groups.values()])
        self._seen *= PRIOR_FEATURES

    @property
    def made_of(self) -> NDArray[np.float64]:
        """``image classes x classes``, shares of the spectral classes in each image class."""
        return np.asarray(self._seen / self._seen.sum(axis=1, keepdims=True))

    def prior(self, image: Mapping[str, float]) -> NDArray[np.float64]:
        """``classes``, probabilities of the spectral classes of a feature that the image sees so."""
        share = np.array([image[group] for group in self._groups])
        prior = share @ self.made_of
        return np.asarray(prior / prior.sum(), float)

    def learn(self, image: Mapping[str, float], observed: str, propensity: float) -> None:
        """Takes in what a spectrum showed.

        Args:
            image: what the image said.
            observed: what the spectrum said.
            propensity: chance that this feature had of a spectrum; rarely chosen ones speak for more.
        """
        share = np.array([image[group] for group in self._groups])
        self._seen[:, self.names.index(observed)] += share / propensity


def _thought(members: Sequence[str], names: Sequence[str]) -> NDArray[np.float64]:
    rest = (1 - MEMBERS_SHARE) / len(names)
    return np.array([rest + MEMBERS_SHARE * (name in members) / len(members) for name in names])
