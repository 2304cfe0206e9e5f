"""The estimator: numbers worked by hand, and exact unbiasedness by enumerating everything."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autoscope.core import EstimationError
from autoscope.estimation import check_distribution, check_values, combine, draw_weights, pseudo_value

VALUES = np.array([0.1, 0.9, 0.3, 0.0, 0.6])
WEIGHTS = np.array([0.1, 0.3, 0.2, 0.25, 0.15])
THETA = float(WEIGHTS @ VALUES)


def test_pseudo_value_by_hand():
    # drawn before: 0.12; rest predicted: 0.2; one field a = 0.25, y = 0.8, f = 0.4, q = 0.5
    assert pseudo_value(0.12, 0.2, 0.25, 0.8, 0.4, 0.5) == pytest.approx(0.12 + 0.2 + 0.25 * 0.4 / 0.5)


def test_pseudo_value_of_a_batch_by_hand():
    z = pseudo_value(0.0, 0.3, [0.2, 0.2], [0.5, 0.1], [0.3, 0.3], [0.25, 0.5])
    assert z == pytest.approx(0.3 + 0.2 * 0.2 / 0.25 - 0.2 * 0.2 / 0.5)


def test_combined_by_hand():
    # w = 1, 1, 2: mean (1 + 2 + 2*4)/4 = 2.75; K = 16/6; sum w²(z-m)² = 3.0625 + 0.5625 + 6.25 = 9.875
    combined = combine([1.0, 2.0, 4.0], [1.0, 1.0, 2.0])
    k = 16 / 6
    assert combined.estimate == pytest.approx(2.75)
    assert combined.effective_draws == pytest.approx(k)
    assert combined.standard_error**2 == pytest.approx(k / (k - 1) * 9.875 / 16)


def test_equal_weights_give_the_textbook_standard_error():
    z = np.array([0.2, 0.4, 0.1, 0.7])
    combined = combine(z, np.ones(4))
    assert combined.standard_error == pytest.approx(z.std(ddof=1) / 2)


def test_one_draw_has_no_standard_error():
    assert np.isnan(combine([0.3], [1.0]).standard_error)


def hostile_policy(remaining, seen):
    """Depends on everything that was seen, in no sensible way."""
    raw = np.array([1.0 + 3 * i + 10 * sum(seen.values()) * (i % 2) for i in remaining])
    return 0.8 * raw / raw.sum() + 0.2 / len(raw)


def hostile_predictor(seen):
    """Wrong, and dependent on what was seen."""
    return np.clip(0.9 - 0.1 * np.arange(5) + (sum(seen.values()) % 0.37), 0, 1)


def walk(lag):
    """All orders of 5 fields with their probability and their pseudo-values; the policy lags behind."""
    for order in permutations(range(5)):
        probability, z = 1.0, []
        for t, chosen in enumerate(order):
            remaining = [i for i in range(5) if i not in order[:t]]
            seen = {i: VALUES[i] for i in order[: max(0, t - lag)]}
            q = hostile_policy(remaining, seen)[remaining.index(chosen)]
            f = hostile_predictor(seen)
            probability *= q
            before = sum(WEIGHTS[i] * VALUES[i] for i in order[:t])
            rest = sum(WEIGHTS[i] * f[i] for i in remaining)
            z.append(pseudo_value(before, rest, WEIGHTS[chosen], VALUES[chosen], f[chosen], q))
        yield order, probability, np.array(z)


@pytest.mark.parametrize("lag", [0, 1, 2])
def test_every_pseudo_value_is_exactly_unbiased_over_all_orders(lag):
    total, expectation = 0.0, np.zeros(5)
    for _, probability, z in walk(lag):
        total += probability
        expectation += probability * z
    assert total == pytest.approx(1)
    np.testing.assert_allclose(expectation, THETA, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_the_estimate_is_exactly_unbiased_over_all_orders(n):
    weights = draw_weights(5 - np.arange(n))
    expectation = sum(p * combine(z[:n], weights).estimate for _, p, z in walk(1))
    assert expectation == pytest.approx(THETA, rel=1e-12)


def test_groups_are_exactly_unbiased_over_all_orders():
    groups = [[0, 3], [1], [2, 4]]
    expectation = np.zeros(3)
    for order in permutations(range(3)):
        probability, z = 1.0, []
        done: list[int] = []
        for t, chosen in enumerate(order):
            left = [g for g in range(3) if g not in order[:t]]
            raw = np.array([1.0 + g + VALUES[done].sum() for g in left])
            q = float((raw / raw.sum())[left.index(chosen)])
            f = np.clip(0.2 + 0.1 * np.arange(5) + 0.3 * len(done) * VALUES[0], 0, 1)
            fields, rest = groups[chosen], [i for g in left for i in groups[g]]
            before, predicted = float(WEIGHTS[done] @ VALUES[done]), float(WEIGHTS[rest] @ f[rest])
            z.append(pseudo_value(before, predicted, WEIGHTS[fields], VALUES[fields], f[fields], q))
            probability *= q
            done += fields
        expectation += probability * np.array(z)
    np.testing.assert_allclose(expectation, THETA, rtol=1e-12)


@given(
    y=arrays(float, 7, elements=st.floats(0, 1)),
    q=arrays(float, 7, elements=st.floats(0.01, 1)),
    n=st.integers(1, 6),
)
def test_without_predictions_the_estimate_is_lure(y, q, n):
    total = 7
    z = [pseudo_value(y[:t].sum() / total, 0.0, 1 / total, y[t], 0.0, q[t]) for t in range(n)]
    m = np.arange(1, n + 1)
    lure = (1 + (total - n) / (total - m) * (1 / ((total - m + 1) * q[:n]) - 1)) / n
    estimate = combine(z, draw_weights(total - np.arange(n))).estimate
    assert estimate == pytest.approx(float(lure @ y[:n]), rel=1e-9, abs=1e-12)


@given(
    z=arrays(float, 6, elements=st.floats(-2, 2)),
    w=arrays(float, 6, elements=st.floats(0.1, 10)),
    scale=st.floats(0.1, 5),
    shift=st.floats(-3, 3),
)
def test_affine_equivariance(z, w, scale, shift):
    one, two = combine(z, w), combine(scale * z + shift, w)
    assert two.estimate == pytest.approx(scale * one.estimate + shift, abs=1e-9)
    assert two.standard_error == pytest.approx(scale * one.standard_error, abs=1e-9)


def test_a_constant_spread_gives_the_weights_without_it():
    remaining = 100 - np.arange(60)
    ratio = draw_weights(remaining, 0.3 * remaining**2.0) / draw_weights(remaining)
    np.testing.assert_allclose(ratio, ratio[0])


def test_the_last_draw_has_no_weight():
    with pytest.raises(EstimationError, match="census is exact"):
        draw_weights([3, 2, 1])


@pytest.mark.parametrize("q", [0.0, -0.1, 1.5, float("nan")])
def test_impossible_propensities(q):
    with pytest.raises(EstimationError, match=r"propensities lie in \(0, 1\]"):
        pseudo_value(0, 0, 0.1, 0.5, 0.5, q)


@pytest.mark.parametrize(
    ("probability", "message"),
    [
        ([0.5, 0.4], "sum to 0.9"),
        ([1.2, -0.2], "candidate 1 has probability -0.2"),
        ([0.5, float("nan")], "candidate 1 has probability nan"),
    ],
)
def test_what_is_not_a_distribution(probability, message):
    with pytest.raises(EstimationError, match=message) as error:
        check_distribution(np.array(probability), 7)
    assert error.value.step == 7


@pytest.mark.parametrize("value", [-0.01, 1.01, float("nan"), float("inf")])
def test_values_out_of_bounds_name_step_field_and_value(value):
    with pytest.raises(EstimationError, match=r"step 3, field 12: area_fraction of pearlite = ") as error:
        check_values(
            np.array([value]), (0.0,), (1.0,), step=3, field=12, names=("area_fraction of pearlite",)
        )
    assert (error.value.step, error.value.field) == (3, 12)
