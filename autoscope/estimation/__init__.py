"""Design-based estimators, their intervals, and stereology: pure functions on arrays."""

from autoscope.estimation.betting import BettingInterval
from autoscope.estimation.difference import (
    Combined,
    check_distribution,
    check_values,
    combine,
    draw_weights,
    pseudo_value,
)
from autoscope.estimation.intervals import sequence_half_width, t_half_width
from autoscope.estimation.stereology import area_fraction
from autoscope.estimation.tracker import (
    MINIMUM_FIELDS,
    MINIMUM_INFORMATIVE,
    TIERS,
    Draw,
    Goal,
    QuantityTracker,
    Reading,
)

__all__ = [
    "MINIMUM_FIELDS",
    "MINIMUM_INFORMATIVE",
    "TIERS",
    "BettingInterval",
    "Combined",
    "Draw",
    "Goal",
    "QuantityTracker",
    "Reading",
    "area_fraction",
    "check_distribution",
    "check_values",
    "combine",
    "draw_weights",
    "pseudo_value",
    "sequence_half_width",
    "t_half_width",
]
