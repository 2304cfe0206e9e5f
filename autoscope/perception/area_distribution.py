"""The area fraction of a class on a frame as a distribution: what was found, and how far off that may be.

Pixels of a frame are wrong together: a rim is placed too far out all over it, or its contrast hides a phase.
So the spread comes from whole frames whose truth is known, never from the pixels' probabilities as if they
were independent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autoscope.perception.calibration_card import AreaSpread

FLOOR = 1e-3
"""Area fraction added to a class and to all others before odds are taken: what a frame can resolve."""
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MEAN_POINTS = 400


def log_odds(fraction: ArrayLike) -> NDArray[np.float64]:
    """``ln((a + d) / (1 - a + d))`` of an area fraction, finite at 0 and 1."""
    value = np.asarray(fraction, dtype=np.float64)
    odds: NDArray[np.float64] = np.log((value + FLOOR) / (1.0 - value + FLOOR))
    return odds


def fraction_of(odds: ArrayLike) -> NDArray[np.float64]:
    """The area fraction within [0, 1] whose `log_odds` these are, or the nearest."""
    share = 1.0 / (1.0 + np.exp(-np.asarray(odds, dtype=np.float64)))
    return np.asarray(np.clip(share * (1.0 + 2.0 * FLOOR) - FLOOR, 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class AreaDistribution:
    """Student's t over the `log_odds` of the true area fraction of one class on one frame.

    Attributes:
        class_name: the class.
        found: area fraction of the labels.
        location: of the log-odds.
        scale: of the log-odds.
        degrees: of freedom.
    """

    class_name: str
    found: float
    location: float
    scale: float
    degrees: float

    def quantile(self, share: float) -> float:
        """The area fraction below which the truth lies with probability ``share``, within (0, 1)."""
        from scipy.stats import t

        return float(fraction_of(self.location + self.scale * float(t.ppf(share, self.degrees))))

    def interval(self, level: float = 0.9) -> tuple[float, float]:
        """Equal-tailed interval that holds the truth with probability ``level``."""
        return self.quantile((1.0 - level) / 2.0), self.quantile((1.0 + level) / 2.0)

    @property
    def mean(self) -> float:
        """Expected area fraction, from equally probable points of the distribution."""
        from scipy.stats import t

        shares = (np.arange(_MEAN_POINTS) + 0.5) / _MEAN_POINTS
        return float(fraction_of(self.location + self.scale * t.ppf(shares, self.degrees)).mean())


def area_distributions(
    spread: AreaSpread, found: NDArray[np.float64], entropy_nats: float, pixels: int
) -> tuple[AreaDistribution, ...]:
    """The distributions of a frame.

    The scale grows in proportion to the frame's mean entropy, and as the root of ``1 + b (A0 / A - 1)`` for
    frames smaller than the calibration's, with b from quarters of its frames.

    Args:
        spread: of the calibration.
        found: area fraction of each class in the labels.
        entropy_nats: mean entropy of the frame's pixels.
        pixels: of the frame.
    """
    unsure = max(entropy_nats, 1e-6) / spread.entropy_nats
    smaller = max(spread.pixels / pixels, 1.0) - 1.0
    made = []
    for one, area in zip(spread.per_class, found.tolist(), strict=True):
        between_patches = (one.patch_ratio**2 - 1.0) / 3.0
        width = one.scale * unsure * math.sqrt(1.0 + between_patches * smaller)
        location = float(log_odds(area)) + one.shift * unsure
        made.append(AreaDistribution(one.class_name, area, location, width, spread.degrees))
    return tuple(made)
