"""The learning rate of a training, step by step."""

from __future__ import annotations

import math

_WARM_UP = 0.2
"""Share of the steps in which the learning rate rises."""


def rate_factor(step: int, steps: int) -> float:
    """One cycle (Smith & Topin 2019): a linear rise from a 25th of the peak, then half a cosine down to zero.

    Args:
        step: counted from 0.
        steps: of the whole training.

    Returns:
        Share of the peak.
    """
    done = (step + 0.5) / steps
    if done < _WARM_UP:
        return 0.04 + 0.96 * done / _WARM_UP
    return 0.5 * (1.0 + math.cos(math.pi * (done - _WARM_UP) / (1.0 - _WARM_UP)))
