"""Counts of inclusions: each counted once, exact intervals, and what finding none means."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import poisson

from autoscope.core import EstimationError
from autoscope.estimation import (
    betting_upper_bound,
    count_features,
    counting_share,
    density_per_mm2,
    largest_density_per_mm2,
    poisson_interval,
    zero_count_bound,
)


@given(
    boxes=st.lists(
        st.tuples(st.integers(1, 34), st.integers(1, 34), st.integers(1, 4), st.integers(1, 4)), max_size=12
    )
)
def test_every_convex_feature_is_counted_once_unless_it_begins_on_a_forbidden_edge(boxes):
    canvas = np.zeros((40, 40), np.uint8)
    kept = 0
    for x, y, width, height in boxes:  # rectangles that do not touch each other
        if not canvas[y - 1 : y + height + 1, x - 1 : x + width + 1].any():
            canvas[y : y + height, x : x + width] = 1
            kept += x % 10 > 0 and y % 10 > 0
    fields = [canvas[r : r + 10, c : c + 10] for r in range(0, 40, 10) for c in range(0, 40, 10)]
    assert sum(count_features(field, 1) for field in fields) == kept


def test_the_density_is_right_on_average_over_all_places_of_the_grid():
    canvas = np.zeros((60, 60), np.uint8)
    for x, y, width, height in [(22, 25, 3, 2), (31, 24, 5, 4), (28, 33, 1, 1), (25, 29, 2, 6)]:
        canvas[y : y + height, x : x + width] = 1
    densities = []
    for dx, dy in np.ndindex(10, 10):
        fields = [canvas[r : r + 10, c : c + 10] for r in range(dy, 50, 10) for c in range(dx, 50, 10)]
        found = sum(count_features(field, 1) for field in fields)
        densities.append(density_per_mm2(found, len(fields) * 100 * counting_share((10, 10))))
    assert np.mean(densities) == pytest.approx(4 / (25 * 100) * 1e6)


def test_small_features_and_what_is_no_specimen_do_not_count():
    labels = np.zeros((20, 20), np.uint8)
    labels[5:9, 5:9] = 2  # 16 px: equivalent diameter 4.51
    labels[15, 15] = 2
    labels[3:5, 15:17] = 1
    assert count_features(labels, 2) == 2
    assert count_features(labels, 2, min_feature_px=4.5) == 1
    assert count_features(labels, 2, min_feature_px=4.6) == 0
    valid = np.ones((20, 20), bool)
    valid[5:9] = False
    assert count_features(labels, 2, valid=valid) == 1


def test_features_that_touch_by_a_corner_are_one():
    labels = np.zeros((6, 6), np.uint8)
    labels[2, 2] = labels[3, 3] = 1
    assert count_features(labels, 1) == 1


def test_density():
    assert density_per_mm2(3, 2500.0) == pytest.approx(1200.0)
    with pytest.raises(EstimationError, match="no specimen"):
        density_per_mm2(0, 0.0)


def test_no_density_exceeds_close_packing():
    # a hexagonal lattice of 2 um: one disc for each 2 sqrt(3) um2
    assert largest_density_per_mm2(2.0) == pytest.approx(1e6 / (2 * math.sqrt(3)))
    with pytest.raises(EstimationError, match="min_feature_um > 0"):
        largest_density_per_mm2(0.0)


def test_garwood_against_its_table():
    # count 10 at 95 %: 4.795 to 18.39 (Garwood 1936)
    assert poisson_interval(10, 1.0, 0.95) == pytest.approx((4.795, 18.390), abs=1e-3)
    assert poisson_interval(0, 2.0, 0.95) == (0.0, pytest.approx(3.689 / 2, abs=1e-3))


@given(count=st.integers(0, 60), confidence=st.floats(0.5, 0.999))
def test_garwood_ends_leave_half_alpha_outside(count, confidence):
    low, high = poisson_interval(count, 1.0, confidence)
    tail = (1 - confidence) / 2
    assert poisson.cdf(count, high) == pytest.approx(tail, rel=1e-6)
    if count:
        assert poisson.sf(count - 1, low) == pytest.approx(tail, rel=1e-6)


def test_rule_of_three():
    assert zero_count_bound(1.0) == pytest.approx(2.9957, abs=1e-4)
    assert math.exp(-zero_count_bound(0.5, 0.99) * 0.5) == pytest.approx(0.01)
    with pytest.raises(EstimationError, match="nothing was looked at"):
        zero_count_bound(0.0)


def test_betting_bound_after_finding_none_covers_and_tightens():
    """Fields 0/1, uniform with replacement: the bound covers where none is found with probability alpha."""

    def bound(n):
        return betting_upper_bound([(0.0, 0.0, 1.0, 50.0)] * n, 0.0, 1.0, 0.95)

    assert bound(50) > bound(100) > bound(400) > 0
    theta = bound(100)
    assert (1 - theta) ** 100 <= 0.05, "otherwise it would fail too often"
    assert theta < 2 * 3.0 / 100


def test_betting_bound_covers_under_unequal_propensities():
    rng = np.random.default_rng(0)
    y = np.zeros(50)
    y[:5] = 0.4
    q = np.where(y > 0, 0.005, 1.0)
    q /= q.sum()
    misses, runs = 0, 300
    for _ in range(runs):
        drawn = rng.choice(50, 60, p=q)
        z = y[drawn] / 50 / q[drawn]
        most = float((1 / 50 / q).max())
        misses += betting_upper_bound([(v, 0.0, most, 5.0) for v in z], 0.0, 1.0, 0.9) < y.mean()
    assert misses / runs <= 0.1 + 3 * math.sqrt(0.09 / runs)


@pytest.mark.parametrize("confidence", [0.5, 1.0])
def test_confidence_of_a_bound(confidence):
    with pytest.raises(EstimationError, match=r"\(0.5, 1\)"):
        betting_upper_bound([], 0.0, 1.0, confidence)
