"""From the mean over the fields, which is what is estimated, to the quantity that was asked for."""

from __future__ import annotations

import math
from collections.abc import Sequence

from autoscope.estimation import Goal, Reading, fields_foretold, grain_size
from autoscope.survey.protocols import Target


def share_left(goals: Sequence[Goal], readings: Sequence[Reading], observed: int, population: int) -> float:
    """Share of the fields that will probably not have been visited when every goal is met.

    Args:
        goals: what is asked.
        readings: where each stands.
        observed: fields that came back.
        population: all fields.
    """
    needed = [
        fields_foretold(reading.large_sample_half_width, goal.wanted(reading.estimate), observed, population)
        for goal, reading in zip(goals, readings, strict=True)
    ]
    return 1 - max(needed) / population


def reported(target: Target, reading: Reading) -> Reading:
    """The reading of a target in the quantity's own unit.

    Most quantities are the mean over the fields. The mean lineal intercept is the ratio of the length of all
    test lines to the boundaries they meet: one over the boundaries for each micrometre. Each field's weight
    is its share of the line length, so that the mean over the fields is that ratio upside down, and so is
    its interval, with the same coverage (ASTM E112-13, section 13). Where an end of it would be infinite
    there is no interval yet.
    """
    if not target.reciprocal or math.isnan(reading.estimate):
        return reading
    mean, low, high = reading.estimate, reading.ci_low, reading.ci_high
    size = grain_size(
        mean, mean if low is None else min(low, mean), mean if high is None else max(high, mean)
    )
    bounded = low is not None and low > 0
    extra = {name: value for name, value in reading.extra.items() if name == "effective_draws"}
    if mean > 0:
        extra["grain_size_number"] = size.number
        extra["boundaries_per_um"] = mean
        if "standard_error" in reading.extra:  # to first order
            extra["standard_error"] = reading.extra["standard_error"] * size.intercept_um**2
    if bounded:
        extra["grain_size_number_low"], extra["grain_size_number_high"] = size.number_low, size.number_high
    return Reading(
        estimate=size.intercept_um if mean > 0 else math.nan,
        ci_low=size.low_um if bounded else None,
        ci_high=size.high_um if bounded else None,
        met=reading.met,
        estimator=f"ratio of line length to boundaries met, {reading.estimator}",
        extra=extra,
    )
