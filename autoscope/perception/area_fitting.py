"""Fitting the frame-level spread of area fractions on frames whose truth is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.perception.area_distribution import log_odds
from autoscope.perception.calibration_card import AreaSpread, ClassSpread

PRIOR_DEGREES = 3.0
PRIOR_SCALE = 0.2
"""Log-odds by which frames are off before any was seen: a fifth of a rare class's area."""
PRIOR_FRAMES = 2.0
"""Frames without any shift that the prior is worth."""
_MOST_RATIO = 3.0


@dataclass(frozen=True, slots=True)
class KnownFrame:
    """A frame of the calibration, whole and in quarters.

    Attributes:
        found: ``5 x classes`` area fractions of the labels: the frame, then its quarters.
        truth: likewise, of the mask.
        entropy_nats: mean entropy of the frame's pixels.
        pixels: of the frame.
    """

    found: NDArray[np.float64]
    truth: NDArray[np.float64]
    entropy_nats: float
    pixels: int


def fit_area_spread(frames: Sequence[KnownFrame], classes: Sequence[str]) -> AreaSpread:
    """Posterior predictive of a new frame's error under a normal model with a conjugate prior.

    Errors of the log-odds, divided by the frame's mean entropy over the frames' geometric mean, are normal
    with unknown mean and variance under a normal-inverse-gamma prior; a new one is Student's t (Murphy 2007,
    "Conjugate Bayesian analysis of the Gaussian distribution", section 3), whose tails are the heavier the
    fewer frames there are.

    Args:
        frames: at least one; not trained on.
        classes: names.
    """
    entropies = np.maximum([frame.entropy_nats for frame in frames], 1e-6)
    usual = float(np.exp(np.log(entropies).mean()))
    unsure = (entropies / usual)[:, None, None]
    errors = np.stack([log_odds(frame.truth) - log_odds(frame.found) for frame in frames]) / unsure
    whole, quarters = errors[:, 0], errors[:, 1:]
    shift, scale = _predictive(whole)
    prior = PRIOR_DEGREES * PRIOR_SCALE**2
    of_whole = prior + ((whole - shift) ** 2).sum(axis=0)
    of_quarters = prior + ((quarters - shift) ** 2).mean(axis=1).sum(axis=0)
    ratio = np.clip(np.sqrt(of_quarters / of_whole), 1.0, _MOST_RATIO)
    return AreaSpread(
        degrees=PRIOR_DEGREES + len(frames),
        entropy_nats=usual,
        pixels=int(np.median([frame.pixels for frame in frames])),
        per_class=tuple(
            ClassSpread(class_name=n, shift=float(m), scale=float(s), patch_ratio=float(r))
            for n, m, s, r in zip(classes, shift, scale, ratio, strict=True)
        ),
    )


def _predictive(errors: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Location and scale of Student's t for a new row, from ``frames x classes`` errors."""
    count = len(errors)
    mean, total = errors.mean(axis=0), PRIOR_FRAMES + count
    squares = PRIOR_DEGREES * PRIOR_SCALE**2 + ((errors - mean) ** 2).sum(axis=0)
    squares = squares + PRIOR_FRAMES * count / total * mean**2
    scale = np.sqrt(squares / (PRIOR_DEGREES + count) * (1.0 + 1.0 / total))
    return errors.sum(axis=0) / total, scale
