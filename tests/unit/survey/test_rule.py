"""How many fields the rule draws at once: none but one on a quick stage, more where moves are dear."""

from dataclasses import replace

import numpy as np
import pytest

from autoscope.core import Prediction, Rectangle
from autoscope.survey import RULE, Design, Prices, SurveyView, Target, lay_grid, rule_design
from autoscope.survey.batching import short_tour, systematic_choice
from autoscope.survey.hilbert import hilbert_order
from autoscope.survey.protocols import Past
from autoscope.survey.rule import TOUR_STEP, expected_fields, fields_at_once, mean_distance, visit_seconds

SIDE, FIELD_UM = 32, 50.0


def travelling(um_per_s, settle_s=1.0):
    return lambda distance_um: distance_um / um_per_s + settle_s


def view(*, um_per_s=1000.0, done=60, lag=1.5, visit_s=3.0, remaining=None, tier="standard"):
    """A square region on a stage of that speed; the interval is ``lag`` times as wide as wanted."""
    box = Rectangle(0, 0, SIDE * FIELD_UM, SIDE * FIELD_UM)
    count = SIDE**2
    fields = np.arange(done)
    past = Past(fields, np.full(done, 1 / count), np.zeros((1, done)), np.zeros((1, done)))
    left = np.arange(done, count) if remaining is None else np.arange(count - remaining, count)
    return SurveyView(
        grid=lay_grid(box, [box], FIELD_UM, FIELD_UM), remaining=left,
        prediction=Prediction(np.full((1, count), 0.3), np.full((1, count), 0.1)),
        cost_s=np.ones(len(left)), drawn=done, targets=(Target("area_fraction", "phase", 0.01, None, 0.95),),
        half_width=np.array([0.01 * lag]), wanted=np.array([0.01]), past=past,
        prices=Prices(travelling(um_per_s), visit_s), tier=tier,
    )  # fmt: skip


def test_the_mean_distance_in_a_rectangle():
    square = (2 + np.sqrt(2) + 5 * np.log(1 + np.sqrt(2))) / 15
    assert mean_distance(1.0, 1.0) == pytest.approx(square) == pytest.approx(0.52140543)
    assert mean_distance(3.0, 3.0) == pytest.approx(3 * 0.52140543, abs=1e-7)
    assert mean_distance(2.0, 5.0) == mean_distance(5.0, 2.0)
    assert mean_distance(300.0, 1.0) == pytest.approx(100.0, rel=1e-3)  # a line: a third


@pytest.mark.parametrize("size", [4, 8])
def test_the_step_of_a_tour_is_what_the_survey_makes(size):
    rng, side = np.random.default_rng(0), 64
    row, column = np.divmod(np.arange(side**2), side)
    path, here, steps = hilbert_order(column, row), (0.0, 0.0), []
    for _ in range(150):
        chosen = systematic_choice(np.full(side**2, size / side**2), path, rng.random())
        tour = chosen[short_tour(column[chosen] * 1.0, row[chosen] * 1.0, here)]
        x, y = np.append(here[0], column[tour]), np.append(here[1], row[tour])
        steps.append(np.hypot(np.diff(x), np.diff(y)).mean())
        here = x[-1], y[-1]
    assert np.mean(steps) / mean_distance(side, side) == pytest.approx(TOUR_STEP[size], abs=0.04)


def test_seconds_of_a_field_by_hand():
    seen = replace(view(um_per_s=100.0), conditions=replace(view().conditions, extra_s=2.0))
    way_um = 0.52140543 * SIDE * FIELD_UM
    for size, visit_s in visit_seconds(seen).items():
        assert visit_s == pytest.approx(3.0 + 2.0 + 1.0 + TOUR_STEP[size] * way_um / 100.0, rel=1e-6)


def test_fields_are_expected_once_there_may_be_a_t_interval():
    assert expected_fields(view(done=60, lag=2.0)) == pytest.approx(240.0)
    assert expected_fields(view(done=49, lag=2.0)) == 0.0
    assert expected_fields(view(done=60, lag=50.0)) == SIDE**2
    unknown = view()
    assert expected_fields(replace(unknown, half_width=np.array([np.inf]))) == 0.0
    assert expected_fields(replace(unknown, wanted=np.array([np.nan]))) == 0.0


def test_a_quick_stage_draws_one_by_one_and_a_slow_one_several():
    assert fields_at_once(view(um_per_s=5000.0)) == (1, "")
    assert fields_at_once(view(um_per_s=20.0, done=10))[0] == 4  # the floor of fields is free of charge
    size, why = fields_at_once(view(um_per_s=20.0, lag=3.0))
    assert size == 8
    assert why == "8 at once, 31.9 s each on a tour instead of 45.7 s"
    assert rule_design(view(um_per_s=20.0, lag=3.0)) == Design(batch=8)
    assert rule_design(view(um_per_s=5000.0)) == RULE


def test_time_on_site_counts_against_the_way():
    slow = view(um_per_s=20.0, lag=3.0)
    assert fields_at_once(slow)[0] == 8
    spectra = replace(slow, conditions=replace(slow.conditions, extra_s=2000.0))
    assert fields_at_once(spectra)[0] == 1


@pytest.mark.parametrize("tier", ["anytime", "guaranteed"])
def test_other_intervals_than_the_standard_one_are_not_reckoned_with(tier):
    assert fields_at_once(view(um_per_s=20.0, lag=3.0, tier=tier)) == (1, "")


def test_a_batch_leaves_as_many_fields_as_it_takes():
    sizes = [fields_at_once(view(um_per_s=20.0, lag=3.0, remaining=left))[0] for left in (16, 15, 8, 7, 1)]
    assert sizes == [8, 4, 4, 1, 1]


def test_more_fields_are_never_drawn_at_once_on_a_quicker_stage():
    speeds = np.geomspace(5.0, 5000.0, 40)
    for lag in (0.9, 1.2, 2.0, 4.0):
        sizes = [fields_at_once(view(um_per_s=speed, lag=lag))[0] for speed in speeds]
        assert sizes == sorted(sizes, reverse=True)
        assert sizes[-1] == 1 and sizes[0] > 1
