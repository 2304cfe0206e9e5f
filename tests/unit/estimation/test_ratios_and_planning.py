"""Ratios with their bounds, and the numbers that a plan is made of."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscope.core import ConfigurationError, EstimationError
from autoscope.estimation import expected_half_width, fields_needed, ratio, ratio_interval, weighted_spread


def test_ratio_by_hand():
    # Y = 2, X = 4, R = 1/2; Z_y - R Z_x = -1/2, 0, 1/2: SE² = (3/2)(1/2)/9 = 1/12, over X
    found = ratio([1.0, 2.0, 3.0], [3.0, 4.0, 5.0], np.ones(3))
    assert found.estimate == 0.5
    assert found.standard_error == pytest.approx(np.sqrt(1 / 12) / 4)


def test_a_constant_ratio_has_no_error():
    x = np.array([0.2, 0.7, 0.4, 0.9])
    found = ratio(0.3 * x, x, [1, 2, 1, 3])
    assert found.estimate == pytest.approx(0.3)
    assert found.standard_error == pytest.approx(0, abs=1e-12)


def test_the_standard_error_of_a_ratio_is_that_of_repetition():
    rng = np.random.default_rng(0)
    x = rng.uniform(1, 3, (4000, 50))
    y = 0.5 * x + 0.2 * rng.standard_normal(x.shape)
    found = [ratio(b, a, np.ones(50)) for a, b in zip(x, y, strict=True)]
    spread = np.std([one.estimate for one in found])
    assert np.mean([one.standard_error for one in found]) == pytest.approx(spread, rel=0.03)


def test_nothing_to_refer_to():
    with pytest.raises(EstimationError, match="nothing of what it refers to"):
        ratio([0.1, 0.2], [0.0, 0.0], [1, 1])


@given(
    y=st.tuples(st.floats(0, 10), st.floats(0, 10)).map(sorted),
    x=st.tuples(st.floats(0.001, 10), st.floats(0.001, 10)).map(sorted),
    at=st.tuples(st.floats(0, 1), st.floats(0, 1)),
)
def test_ratio_intervals_hold_every_ratio(y, x, at):
    low, high = ratio_interval(tuple(y), tuple(x))
    value = (y[0] + at[0] * (y[1] - y[0])) / (x[0] + at[1] * (x[1] - x[0]))
    assert low * (1 - 1e-9) <= value <= high * (1 + 1e-9)


def test_declared_bounds_cut_a_ratio_and_contradictions_are_named():
    assert ratio_interval((0.1, 0.2), (0.0, 0.4), (0.0, 1.0)) == (0.25, 1.0)
    assert ratio_interval((0.0, 0.2), (0.0, 0.0)) == (0.0, float("inf"))
    with pytest.raises(EstimationError, match="declared bounds"):
        ratio_interval((0.5, 0.6), (0.1, 0.2), (0.0, 1.0))
    with pytest.raises(EstimationError, match="denominator's interval"):
        ratio_interval((0.5, 0.6), (0.3, 0.2))


def test_the_standard_plan_by_hand():
    # (1.1 * 1.95996 * 0.1 / 0.01)² = 464.8; with 4096 fields 464.8 / (1 + 464.8 / 4096) = 417.5
    assert fields_needed(0.1, 0.01, population=4096) == 418
    assert fields_needed(0.001, 0.01, population=4096) == 50
    assert fields_needed(0.001, 0.01, population=20) == 20


@given(spread=st.floats(0.02, 0.5), h=st.floats(0.005, 0.05))
def test_plan_and_expected_width_agree(spread, h):
    n = fields_needed(spread, h, population=100_000)
    assert expected_half_width(spread, n, population=100_000) <= h * (1 + 1e-9)


def test_ends_of_the_expected_width():
    assert expected_half_width(0.1, 0, population=10) == np.inf
    assert expected_half_width(0.1, 10, population=10) == 0


def test_stronger_promises_cost_more():
    standard, anytime, guaranteed = (
        fields_needed(0.1, 0.01, population=10**6, tier=tier)
        for tier in ("standard", "anytime", "guaranteed")
    )
    assert standard < min(anytime, guaranteed)
    assert anytime / standard == pytest.approx(161 / 72, rel=0.25), "METHODS section 2"


def test_the_guarantee_has_a_price_however_small_the_variance():
    # ln(40) * 2 / (0.9 * 0.01)
    assert fields_needed(1e-6, 0.01, population=10**6, tier="guaranteed") == pytest.approx(820, abs=2)


def test_the_best_probabilities_have_the_least_spread():
    a, s = [0.5, 0.5], [0.1, 0.3]
    assert weighted_spread(a, s, [0.25, 0.75]) == pytest.approx(0.2)
    assert weighted_spread(a, s, [0.5, 0.5]) == pytest.approx(np.sqrt(0.05))


@pytest.mark.parametrize(
    ("options", "message"),
    [({"tier": "guarantied"}, "did you mean 'guaranteed'"), ({"population": 0}, "population = 0 must be")],
)
def test_plans_that_make_no_sense(options, message):
    with pytest.raises(ConfigurationError, match=message):
        fields_needed(0.1, 0.01, **{"population": 100, **options})
