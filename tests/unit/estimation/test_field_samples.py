"""Two phases: unbiased by enumeration of every outcome; the variance that the pseudo-values do not show."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from autoscope.core import EstimationError
from autoscope.estimation import (
    CensusDraw,
    Draw,
    Goal,
    QuantityTracker,
    SampledValues,
    census_estimates,
    deepest_px,
    draw_weights,
    feret_px,
    field_values,
    largest_by_area,
    pseudo_value,
)

SIZES = np.array([[1.0, 2.0, 1.5, 0.0], [0.5, 0.0, 1.0, 3.0]])
PRIOR = np.array([[0.9, 0.2, 0.5, 0.1], [0.05, 0.7, 0.4, 0.6]])
PI = np.array([0.05, 0.6, 1.0, 0.3])
TRUE = np.array([[True, False, False, True], [False, True, True, False]])


def outcomes() -> list[tuple[float, np.ndarray, np.ndarray]]:
    """Chance, values and variances of every combination of close looks."""
    found = []
    for taken in itertools.product([False, True], repeat=4):
        drawn = np.array(taken)
        chance = float(np.prod(np.where(drawn, PI, 1 - PI)))
        found.append((chance, *field_values(SIZES, PRIOR, PI, drawn, TRUE & drawn)))
    return found


def test_a_fields_value_and_its_variance_are_unbiased() -> None:
    mean = sum(chance * value for chance, value, _ in outcomes())
    np.testing.assert_allclose(mean, (SIZES * TRUE).sum(axis=1))
    scatter = sum(chance * (value - mean) ** 2 for chance, value, _ in outcomes())
    estimated = sum(chance * variance for chance, _, variance in outcomes())
    np.testing.assert_allclose(estimated, scatter)


def test_a_close_look_at_everything_is_exact() -> None:
    everything = np.ones(4, bool)
    value, variance = field_values(SIZES, PRIOR, np.ones(4), everything, TRUE)
    np.testing.assert_allclose(value, (SIZES * TRUE).sum(axis=1))
    assert (variance == 0).all()


def test_impossible_chances_are_refused() -> None:
    with pytest.raises(EstimationError, match="must lie in"):
        field_values(SIZES, PRIOR, np.array([0.0, 0.5, 0.5, 0.5]), TRUE[0], TRUE)
    with pytest.raises(EstimationError, match="not negative"):
        SampledValues().observe(1, True, np.array([0.5]), 0.5, np.array([-1.0]))


def test_what_the_spread_does_not_show_is_what_errors_of_earlier_fields_add() -> None:
    """The estimate is linear in the fields' errors: their coefficients by finite differences."""
    a, pi, y = np.full(6, 1 / 6), np.array([0.3, 0.15, 0.4, 0.2]), np.array([2.0, 5.0, 1.0, 3.0])
    v = np.array([0.5, 0.1, 2.0, 0.7])
    weights = draw_weights([6, 5, 4, 3])

    def estimate(values: np.ndarray) -> float:
        z = [pseudo_value(float(a[:t] @ values[:t]), 0.2, a[t], values[t], 0.3, pi[t]) for t in range(4)]
        return float(weights @ z / weights.sum())

    second = SampledValues()
    for t in range(4):
        second.observe(t + 1, True, a[t : t + 1], pi[t], v[t : t + 1])
    coefficient = np.array([estimate(y + np.eye(4)[t]) - estimate(y) for t in range(4)])
    own = weights / weights.sum() * a[:4] / pi
    assert second.unseen_variance(weights) == pytest.approx(float((coefficient**2 - own**2) @ v))
    assert second.census_variance == pytest.approx(float((a[:4] ** 2) @ v))


def test_a_census_of_samples_has_an_interval_and_one_of_everything_has_none() -> None:
    draws = [
        CensusDraw(np.array([0.25]), np.array([1 / (4 - t)]), 4 - t, np.array([[8.0]]), np.array([[16.0]]))
        for t in range(4)
    ]
    (sampled,) = census_estimates(draws, 4, np.array([40]))
    assert sampled.value == pytest.approx(8.0)
    assert sampled.half_width == pytest.approx(1.959964 * math.sqrt(4 * 16 / 16), rel=1e-5)
    exact = [CensusDraw(d.weight, d.propensity, d.remaining, d.value, 0 * d.variance) for d in draws]
    assert census_estimates(exact, 4, np.array([40]))[0].half_width == 0


def test_few_features_have_no_interval() -> None:
    draws = [
        CensusDraw(np.array([0.01]), np.array([0.01]), 100 - t, np.array([[float(t % 3)]]), np.zeros((1, 1)))
        for t in range(30)
    ]
    twice = [
        CensusDraw(d.weight, d.propensity, d.remaining, d.value.repeat(2, 0), d.variance.repeat(2, 0))
        for d in draws
    ]
    few, enough = census_estimates(twice, 100, np.array([9, 10]))
    assert few.ci_low is None
    assert enough.ci_low is not None
    assert enough.value == pytest.approx(few.value)


def test_sizes_of_single_features() -> None:
    pixel = np.ones((1, 1), bool)
    assert feret_px(pixel) == (pytest.approx(math.sqrt(2)), pytest.approx(1.0))
    bar = np.ones((2, 8), bool)
    assert feret_px(bar) == (pytest.approx(math.hypot(2, 8)), pytest.approx(4.0))
    ring = np.ones((9, 9), bool)
    ring[2:7, 2:7] = False
    row, column = deepest_px(ring)
    assert ring[row, column]
    assert deepest_px(np.ones((5, 7), bool)) == (2, 3)


def test_the_largest_of_a_larger_area_by_extreme_values() -> None:
    sizes = np.random.default_rng(3).gumbel(10.0, 2.0, 4000)
    found = largest_by_area(sizes, 1000.0)
    assert found is not None
    location, scale, predicted, error = found
    assert location == pytest.approx(10.0, abs=0.15)
    assert scale == pytest.approx(2.0, abs=0.1)
    assert predicted == pytest.approx(location + 6.907 * scale, abs=0.01)
    assert error == pytest.approx(
        scale * math.sqrt((1.109 + 0.514 * 6.907 + 0.608 * 6.907**2) / 4000), rel=1e-3
    )
    assert largest_by_area(sizes[:9], 1000.0) is None


def watched(noise: float, seed: int, fields: int = 120, visits: int = 80) -> tuple[float, float]:
    """Error and half-width of a tracker whose values are estimates themselves, drawn uniformly."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(10.0, 20.0, fields)
    tracker = QuantityTracker(fields, Goal(0.0, 100.0, 0.95, 1e-9, None))
    for t, field in enumerate(rng.permutation(fields)[:visits]):
        left = fields - t
        draw = Draw(
            t + 1, np.array([field]), np.array([1 / fields]), np.array([15.0]), 1 / left,
            15.0 * left / fields, left, 1e3, 1e3, 1.0,
        )  # fmt: skip
        value = truth[field] + noise * rng.choice([-1.0, 1.0])
        tracker.observe(draw, np.array([value]), np.array([True]), np.array([noise**2]))
    reading = tracker.reading
    assert reading.ci_low is not None and reading.ci_high is not None
    return reading.estimate - float(truth.mean()), (reading.ci_high - reading.ci_low) / 2


@pytest.mark.parametrize("noise", [0.0, 8.0])
def test_intervals_know_the_spectra_where_most_fields_are_visited(noise: float) -> None:
    """Most of the error is in what was measured already, which the spread of the draws does not show."""
    error, half_width = np.array([watched(noise, seed) for seed in range(150)]).T
    assert 0.9 <= np.mean(np.abs(error) <= half_width) <= 1.0
    assert error.std() == pytest.approx(half_width.mean() / 1.1 / 1.99, rel=0.2)
