"""Active and greedy: Neyman's proportions by hand, targets joined, junk not followed, in time."""

import time
from dataclasses import replace

import numpy as np
import pytest

from autoscope.core import ConfigurationError, Prediction, Rectangle
from autoscope.survey import Prices, SurveyView, Target, lay_grid
from autoscope.survey.allocation import best_shape, importance, shapes
from autoscope.survey.hilbert import hilbert_order
from autoscope.survey.protocols import Past, no_past
from autoscope_policies import make_policy


def make_view(value, spread, *, past=40, residual=None, cost_s=None, seed=0, half_width=0.03):
    """A row of fields of which ``past`` were drawn uniformly; residuals are the spread unless given."""
    value, spread = np.atleast_2d(value), np.atleast_2d(spread)
    n_targets, n = value.shape
    box = Rectangle(0, 0, 10.0 * n, 10.0)
    rng = np.random.default_rng(seed)
    fields = rng.permutation(n)[:past]
    size = spread if residual is None else np.atleast_2d(residual)
    signs = rng.choice([-1.0, 1.0], (n_targets, past))
    drawn = Past(fields, np.full(past, 1 / n), value[:, fields], value[:, fields] + signs * size[:, fields])
    remaining = np.setdiff1d(np.arange(n), fields)
    cost = np.full(len(remaining), 4.0) if cost_s is None else cost_s[remaining]
    targets = (Target("area_fraction", "phase", 0.01, None, 0.95),) * n_targets
    return SurveyView(
        lay_grid(box, [box], 10.0, 10.0), remaining, Prediction(value, spread), cost, past, targets,
        np.full(n_targets, half_width), np.full(n_targets, 0.01), 0.2, drawn,
    )  # fmt: skip


SPREAD = np.tile([0.01, 0.05, 0.2, 0.02], 50)


def test_neyman_with_cost_by_hand():
    cost_s = np.tile([1.0, 4.0, 1.0, 4.0], 50)
    view = make_view(np.full(200, 0.3), SPREAD, cost_s=cost_s)
    proposal = make_policy("active").propose(view)
    assert "predicted spread" in proposal.reason and "power" not in proposal.reason
    wanted = (SPREAD / np.sqrt(cost_s))[view.remaining]
    np.testing.assert_allclose(proposal.probability, wanted / wanted.sum())


def test_greedy_is_value_per_second():
    cost_s = np.tile([1.0, 4.0, 1.0, 4.0], 50)
    view = make_view(np.full(200, 0.3), SPREAD, cost_s=cost_s)
    value = (SPREAD**2 / cost_s)[view.remaining]
    np.testing.assert_allclose(make_policy("greedy").propose(view).probability, value / value.sum())
    sharp = make_policy("greedy", sharpness=200.0).propose(view).probability
    best = value == value.max()
    np.testing.assert_allclose(sharp[best].sum(), 1.0)


@pytest.mark.parametrize("kind", ["active", "greedy"])
def test_the_pilot_is_uniform(kind):
    view = make_view(np.full(200, 0.3), SPREAD, past=29)
    proposal = make_policy(kind).propose(view)
    np.testing.assert_allclose(proposal.probability, 1 / 171)
    assert "pilot" in proposal.reason
    assert "pilot" not in make_policy(kind, pilot=29).propose(view).reason


def test_a_junk_spread_is_not_followed():
    """The predictor says that residuals differ twentyfold; they do not differ at all."""
    flat = 0
    for seed in range(20):
        view = make_view(np.full(200, 0.3), SPREAD, residual=np.full(200, 0.1), seed=seed, past=60)
        flat += best_shape(view, 30).shape.name == "all fields alike"
    assert flat >= 18


def test_a_spread_that_comes_true_by_value_is_found_though_the_predictor_knows_none():
    value = np.tile([0.0, 0.0, 0.0, 0.4], 50)
    view = make_view(value, np.full(200, 0.1), residual=0.002 + 0.3 * value, past=60)
    choice = best_shape(view, 30)
    assert choice.shape.name == "predicted value"
    q = make_policy("active").propose(view).probability
    assert q[value[view.remaining] > 0].sum() > 0.7


def test_the_level_of_the_spread_follows_what_came_true():
    view = make_view(np.full(200, 0.3), np.full(200, 0.4), residual=np.full(200, 0.1), past=190)
    level = best_shape(view, 30).level
    assert level**2 == pytest.approx((10 * 1 + 190 / 16) / 200, rel=0.02)


def test_shapes_have_root_mean_square_one():
    view = make_view(np.linspace(0, 1, 200), SPREAD)
    found = shapes(view, importance(view))
    assert len(found) == 5
    for shape in found:
        assert np.mean(shape.size**2) == pytest.approx(1)
        assert (shape.size > 0).all()


def two(half_widths, wanted=(0.01, 0.02)):
    value = np.full((2, 200), 0.3)
    spread = np.stack([SPREAD, SPREAD[::-1]])
    view = make_view(value, spread)
    return replace(view, half_width=np.array(half_widths), wanted=np.array(wanted))


def test_targets_are_joined_in_units_of_what_is_wanted():
    # lags 3 and 2: (3/0.01)² and (2/0.02)²
    np.testing.assert_allclose(importance(two([0.03, 0.04])), [9e4, 1e4])


def test_a_met_target_counts_no_more_while_another_is_not():
    assert importance(two([0.009, 0.04])).tolist() == [0.0, 1e4]
    assert (importance(two([0.009, 0.019])) > 0).all(), "all are met: the floor of fields goes on"


@pytest.mark.parametrize("unknown", [[np.inf, 0.1], [np.nan, 0.1]])
def test_before_there_are_intervals_targets_count_alike(unknown):
    view = two(unknown)
    scale = importance(view) * (view.prediction.spread**2).mean(axis=1)
    np.testing.assert_allclose(scale, 1)
    np.testing.assert_allclose(importance(two([0.1, 0.1], (np.nan, 0.01))) * (SPREAD**2).mean(), 1)


def test_the_lagging_target_draws_the_fields():
    view = two([0.009, 0.04])
    q = make_policy("active").propose(view).probability
    np.testing.assert_allclose(q, SPREAD[::-1][view.remaining] / SPREAD[::-1][view.remaining].sum())


def test_fields_that_were_lost_teach_nothing():
    view = make_view(np.full(200, 0.3), SPREAD)
    measured = view.past.measured.copy()
    measured[0, :5] = np.nan
    lost = replace(view, past=replace(view.past, measured=measured))
    assert np.isfinite(make_policy("active").propose(lost).probability).all()
    none = replace(view, past=replace(view.past, measured=np.full_like(measured, np.nan)))
    assert np.isfinite(make_policy("active").propose(none).probability).all()


@pytest.mark.parametrize("size", [1, 2, 4, 16])
def test_neighbours_on_the_hilbert_curve_are_neighbours_in_the_plane(size):
    column, row = (values.ravel() for values in np.meshgrid(np.arange(size), np.arange(size)))
    order = hilbert_order(column, row)
    assert sorted(order) == list(range(size * size))
    steps = np.abs(np.diff(column[order])) + np.abs(np.diff(row[order]))
    assert (steps == 1).all()


def test_the_curve_goes_through_grids_with_holes_and_offsets():
    column, row = np.array([7, 5, 9, 5]), np.array([3, 3, 8, 4])
    assert sorted(hilbert_order(column, row)) == [0, 1, 2, 3]


def test_a_batch_follows_the_curve():
    view = make_view(np.full(200, 0.3), SPREAD)
    proposal = make_policy("active", batch=5).propose(view)
    assert proposal.batch.size == 5
    assert sorted(proposal.batch.order) == list(range(len(view.remaining)))
    assert proposal.spread.shape == (1, len(view.remaining))


def test_fields_at_once_unless_they_are_given():
    """A stage that takes a minute to the next field, and hardly less to a near one."""
    view = make_view(np.full(200, 0.3), SPREAD, past=60, half_width=0.05)
    slow = replace(view, prices=Prices(lambda distance_um: distance_um / 5.0, visit_s=1.0))
    proposal = make_policy("active").propose(slow)
    assert proposal.batch.size == 8
    assert "variance taken away; residual spread as: predicted spread; 8 at once" in proposal.reason
    assert make_policy("active").propose(view).batch is None
    assert make_policy("active", batch=1).propose(slow).batch is None
    assert make_policy("active", batch=3).propose(slow).batch.size == 3
    pilot = make_policy("active").propose(replace(slow, past=no_past()))
    assert pilot.batch.size == 4 and "pilot: 4 of 140 remaining fields" in pilot.reason
    assert len({make_policy("active", **options).sha256 for options in ({}, {"batch": 1}, {"batch": 4})}) == 3


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("active", {"batch": 0}, "policy.options.batch = 0"),
        ("active", {"pilot": -1}, "policy.options.pilot = -1"),
        ("greedy", {"sharpness": 0.0}, "policy.options.sharpness = 0"),
        ("greedy", {"pilot": -1}, "policy.options.pilot = -1"),
        ("active", {"bach": 3}, "policy.options.bach is unknown for 'active' .did you mean 'batch'"),
        ("active", {"batch": float("nan")}, "policy.options.batch = nan must be a whole number"),
        ("active", {"batch": 2.5}, "policy.options.batch = 2.5 must be a whole number"),
        ("greedy", {"sharpness": float("nan")}, "policy.options.sharpness = nan must be a finite number"),
    ],
)
def test_options_that_make_no_sense(kind, options, message):
    with pytest.raises(ConfigurationError, match=message):
        make_policy(kind, **options)


@pytest.mark.parametrize("options", [{}, {"batch": 5}])
def test_a_choice_among_4096_fields_takes_less_than_20_ms(options):
    rng = np.random.default_rng(0)
    view = make_view(rng.random((2, 4096)), 0.01 + 0.1 * rng.random((2, 4096)), past=300)
    policy, spent = make_policy("active", **options), []
    for _ in range(7):
        began = time.process_time()
        policy.propose(view)
        spent.append(time.process_time() - began)
    assert min(spent) < 0.02
