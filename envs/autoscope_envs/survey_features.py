"""The features of a population's fields: what an image takes them for, and what they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError


@dataclass(frozen=True, slots=True)
class Features:
    """Inclusions of all fields, field after field.

    Attributes:
        start: ``fields + 1``, where each field's features begin.
        sizes: ``targets x features``, what each adds to its field's value if it is of the target's class.
        prior: ``targets x features``, probability of that class as the image tells it, right or wrong.
        belongs: ``targets x features``, whether it is of the class: what a spectrum shows.

    Raises:
        ConfigurationError: shapes differ, or a probability is none.
    """

    start: NDArray[np.intp]
    sizes: NDArray[np.float64]
    prior: NDArray[np.float64]
    belongs: NDArray[np.bool_]

    def __post_init__(self) -> None:
        shape = self.sizes.shape
        if self.prior.shape != shape or self.belongs.shape != shape or self.start[-1] != shape[1]:
            raise ConfigurationError(
                f"features: sizes {shape}, priors {self.prior.shape}, classes {self.belongs.shape} and the"
                f" last field's end {int(self.start[-1])} differ"
            )
        if not ((self.prior >= 0) & (self.prior <= 1)).all():
            raise ConfigurationError("features: probabilities of a class must lie in [0, 1]")

    def of(self, field: int) -> slice:
        """The features of a field."""
        return slice(int(self.start[field]), int(self.start[field + 1]))

    @property
    def values(self) -> NDArray[np.float64]:
        """``targets x fields``, the true values."""
        total = np.concatenate(
            [np.zeros((len(self.sizes), 1)), np.cumsum(self.sizes * self.belongs, axis=1)], axis=1
        )
        return np.asarray(np.diff(total[:, self.start], axis=1))


def random_features(
    rng: np.random.Generator, expected: NDArray[np.float64], one: float, *, classes: int
) -> Features:
    """Inclusions scattered independently (Poisson) where they are expected, of classes that images mix up.

    How often the image is right, and how far its probabilities are from the truth, differ between episodes: a
    miscalibrated classifier must not bias a census, and a policy must cope with it.

    Args:
        rng: of the episode.
        expected: ``fields``, mean number of inclusions.
        one: what one inclusion adds to its field's value.
        classes: how many of the image's classes are targets; one more is none.
    """
    number = rng.poisson(expected)
    start = np.concatenate([[0], np.cumsum(number)]).astype(np.intp)
    share = rng.dirichlet(np.full(classes + 1, 4.0))
    kind = rng.choice(classes + 1, int(start[-1]), p=share)
    confusion = rng.uniform(0.3, 0.9) * np.eye(classes + 1)
    confusion += (1 - np.diag(confusion))[:, None] * share
    seen = np.array([rng.choice(classes + 1, p=confusion[k]) for k in kind], np.intp)
    joint = share[:, None] * confusion
    posterior = (joint / joint.sum(axis=0)) ** rng.uniform(0.5, 2.0)
    posterior /= posterior.sum(axis=0)
    return Features(
        start=start,
        sizes=np.full((classes, len(kind)), one),
        prior=posterior[:classes][:, seen].reshape(classes, len(kind)),
        belongs=np.arange(classes)[:, None] == kind,
    )
