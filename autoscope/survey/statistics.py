"""How a survey draws and when it may stop."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoscope.core import ConfigurationError, nearest
from autoscope.estimation import TIERS

GUARANTEED_EXPLORATION = 0.5
"""Least exploration floor with the guaranteed tier: its cost grows as 1/floor (METHODS section 2)."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """The statistical rules of a survey.

    Attributes:
        tier: ``"standard"``, ``"anytime"`` or ``"guaranteed"`` (METHODS section 2).
        exploration: share of every draw that is uniform, so that every field keeps a chance.

    Raises:
        ConfigurationError: the tier is unknown, or the exploration is not in (0, 1] or too small for it.
    """

    tier: str = "standard"
    exploration: float = 0.2

    def __post_init__(self) -> None:
        problems = []
        if self.tier not in TIERS:
            problems.append(
                f"statistics.tier = {self.tier!r} is unknown{nearest(self.tier, TIERS)};"
                f" it is one of {', '.join(TIERS)}"
            )
        if not (math.isfinite(self.exploration) and 0 < self.exploration <= 1):
            problems.append(
                f"policy.exploration = {self.exploration:g} must be above 0 and at most 1:"
                " without a floor some fields could never be drawn and no interval is honest"
            )
        elif self.tier == "guaranteed" and self.exploration < GUARANTEED_EXPLORATION:
            problems.append(
                f"policy.exploration = {self.exploration:g} is too small for statistics.tier = 'guaranteed':"
                f" set it to {GUARANTEED_EXPLORATION:g} or more"
            )
        if problems:
            raise ConfigurationError(*problems)
