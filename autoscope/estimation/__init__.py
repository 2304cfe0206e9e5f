"""Design-based estimators, their intervals, and stereology: pure functions on arrays."""

from autoscope.estimation.batches import batch_variance
from autoscope.estimation.betting import BettingInterval
from autoscope.estimation.census import CensusDraw, census_estimates, largest_by_area
from autoscope.estimation.correction import corrected_pseudo_values, expert_corrected
from autoscope.estimation.counts import (
    UM2_PER_MM2,
    betting_upper_bound,
    count_features,
    counting_share,
    density_per_mm2,
    largest_density_per_mm2,
    poisson_interval,
    zero_count_bound,
)
from autoscope.estimation.difference import (
    Combined,
    check_distribution,
    check_values,
    combine,
    draw_weights,
    pseudo_value,
)
from autoscope.estimation.features import Features, find_features, largest_counted_density_per_mm2
from autoscope.estimation.field_samples import field_values
from autoscope.estimation.goal import Goal
from autoscope.estimation.grains import (
    Crossings,
    GrainSize,
    boundary_crossings,
    grain_crossings,
    grain_size,
    grain_size_number,
)
from autoscope.estimation.intervals import sequence_half_width, t_half_width
from autoscope.estimation.nested import allocation, nested_value, tiles_per_visit
from autoscope.estimation.planning import (
    expected_half_width,
    fields_foretold,
    fields_left,
    fields_needed,
    weighted_spread,
)
from autoscope.estimation.ratios import ratio, ratio_interval
from autoscope.estimation.sampled_values import SampledValues
from autoscope.estimation.sizing import deepest_px, feret_px
from autoscope.estimation.stereology import area_fraction
from autoscope.estimation.tracker import (
    MINIMUM_FIELDS,
    MINIMUM_INFORMATIVE,
    TIERS,
    Draw,
    QuantityTracker,
    Reading,
)
from autoscope.estimation.two_phase import (
    MINIMUM_ANSWERS,
    MINIMUM_CORRECTED,
    Corrected,
    FirstPhase,
    SecondPhase,
    corrected_half_width,
    two_phase,
)

__all__ = [
    "MINIMUM_ANSWERS",
    "MINIMUM_CORRECTED",
    "MINIMUM_FIELDS",
    "MINIMUM_INFORMATIVE",
    "TIERS",
    "UM2_PER_MM2",
    "BettingInterval",
    "CensusDraw",
    "Combined",
    "Corrected",
    "Crossings",
    "Draw",
    "Features",
    "FirstPhase",
    "Goal",
    "GrainSize",
    "QuantityTracker",
    "Reading",
    "SampledValues",
    "SecondPhase",
    "allocation",
    "area_fraction",
    "batch_variance",
    "betting_upper_bound",
    "boundary_crossings",
    "census_estimates",
    "check_distribution",
    "check_values",
    "combine",
    "corrected_half_width",
    "corrected_pseudo_values",
    "count_features",
    "counting_share",
    "deepest_px",
    "density_per_mm2",
    "draw_weights",
    "expected_half_width",
    "expert_corrected",
    "feret_px",
    "field_values",
    "fields_foretold",
    "fields_left",
    "fields_needed",
    "find_features",
    "grain_crossings",
    "grain_size",
    "grain_size_number",
    "largest_by_area",
    "largest_counted_density_per_mm2",
    "largest_density_per_mm2",
    "nested_value",
    "poisson_interval",
    "pseudo_value",
    "ratio",
    "ratio_interval",
    "sequence_half_width",
    "t_half_width",
    "tiles_per_visit",
    "two_phase",
    "weighted_spread",
    "zero_count_bound",
]
