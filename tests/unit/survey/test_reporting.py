"""From boundaries per um to the mean lineal intercept; the policies keep the unit of the fields."""

import math

import numpy as np
import pytest

from autoscope.estimation import Reading
from autoscope.survey import TableSource, Target, run
from autoscope.survey.reporting import reported
from autoscope_policies import make_policy

GRAINS = Target("grain_size", "boundary", 0.5, None, 0.95, 0.0, 4.0, guess=0.2, scatter=0.1, reciprocal=True)


def test_the_interval_is_turned_over_and_has_its_number():
    found = reported(
        GRAINS, Reading(0.1, 0.08, 0.125, True, "t", {"standard_error": 0.01, "effective_draws": 9})
    )
    assert (found.estimate, found.ci_low, found.ci_high) == pytest.approx((10.0, 8.0, 12.5))
    assert found.met
    assert found.extra["grain_size_number"] == pytest.approx(10.0, abs=0.01)
    assert found.extra["grain_size_number_low"] < 10.0 < found.extra["grain_size_number_high"]
    assert found.extra["standard_error"] == pytest.approx(1.0)
    assert found.estimator.startswith("ratio of line length to boundaries met")


def test_an_infinite_end_is_no_interval():
    found = reported(GRAINS, Reading(0.1, 0.0, 0.2, False, "betting"))
    assert found.estimate == pytest.approx(10.0)
    assert found.ci_low is None
    assert found.ci_high is None
    nothing = reported(GRAINS, Reading(0.0, 0.0, 0.2, False, "betting"))
    assert math.isnan(nothing.estimate)


def test_other_quantities_are_the_mean_itself():
    reading = Reading(0.1, 0.0, 0.2, False, "betting")
    assert reported(Target("area_fraction", "phase", 0.1, None, 0.95), reading) is reading


def test_a_survey_of_grain_size_is_the_ratio_over_all_fields(build):
    rng = np.random.default_rng(0)
    grid = build.grid(12, 12)
    crossings = rng.uniform(0.05, 0.15, len(grid))
    survey = build.survey(
        grid, make_policy("uniform"), targets=(GRAINS,), predictor=build.constant(len(grid), 0.1, 0.03)
    )
    run(survey, TableSource(crossings))
    (state,) = survey.states()
    assert state.met
    assert (state.ci_high - state.ci_low) / 2 <= 0.5
    assert state.estimate == pytest.approx(1 / crossings.mean(), abs=1.0)
    census = build.survey(
        grid, make_policy("raster"), targets=(GRAINS,), predictor=build.constant(len(grid), 0.1, 0.03)
    )
    run(census, TableSource(crossings))
    assert census.states()[0].estimate == pytest.approx(1 / crossings.mean())


def test_policies_are_told_the_wanted_width_in_the_unit_of_the_fields(build):
    seen = []

    class Spy:
        name, sha256, floored = "spy", "5" * 64, True

        def propose(self, view):
            seen.append((view.wanted.copy(), view.half_width.copy()))
            return make_policy("uniform").propose(view)

    grid = build.grid(10, 10)
    crossings = np.random.default_rng(1).uniform(0.05, 0.15, len(grid))
    survey = build.survey(grid, Spy(), targets=(GRAINS,), predictor=build.constant(len(grid), 0.1, 0.03))
    run(survey, TableSource(crossings), max_fields=60)
    wanted, half_width = seen[-1]
    assert wanted[0] == pytest.approx(0.5 * 0.1**2, rel=0.3)
    assert half_width[0] < 0.05
