"""How much a field's error weighs in the estimate, against the coefficients that the estimate really has."""

from __future__ import annotations

import numpy as np
import pytest

from autoscope.core import Prediction
from autoscope.estimation import fields_foretold
from autoscope.estimation.difference import combine, draw_weights, pseudo_value
from autoscope.estimation.sampled_values import SampledValues
from autoscope.survey import FixedPredictor, Outcome, Statistics, Survey, Target
from autoscope.survey.drawing import Units, fix_draw
from autoscope.survey.sampling import Sampled
from autoscope.survey.visits import opened
from autoscope_envs.population import square_grid
from autoscope_policies import make_policy


def _weights(rng: np.random.Generator, population: int, fields: int) -> tuple[np.ndarray, np.ndarray]:
    """Error weights, the end being known, and n N times the coefficients of the values, of a survey."""
    target = Target("area_fraction", "x", 0.01, None, 0.95)
    a, free = np.full(population, 1 / population), np.arange(population)
    foretold, chances, order = [], [], []
    prediction = Prediction(np.zeros((1, population)), np.ones((1, population)))
    for step in range(1, fields + 1):
        q = rng.uniform(0.5, 1.5, len(free))
        q /= q.sum()
        at = int(rng.choice(len(free), p=q))
        units = Units(free, np.arange(len(free)))
        draws = fix_draw(step, units, q, at, a, prediction, (target,), (False,))
        sampled = Sampled(draws, len(free), q[at : at + 1], q[at : at + 1], "")
        foretold.append(opened(sampled, len(free) / population, 1 - fields / population).error_weight(0))
        chances.append(float(q[at]))
        order.append(int(free[at]))
        free = np.delete(free, at)
    w = draw_weights(population - np.arange(fields))
    coefficients = []
    for m in range(fields):
        y, before, z = np.zeros(population), 0.0, []
        y[order[m]] = 1.0
        for field, q_t in zip(order, chances, strict=True):
            z.append(pseudo_value(before, 0.0, a[field], y[field], 0.0, q_t))
            before += a[field] * y[field]
        coefficients.append(combine(z, w).estimate)
    return np.array(foretold), fields * np.array(coefficients)


def test_error_weights_are_the_coefficients_of_the_estimate() -> None:
    foretold, true = _weights(np.random.default_rng(0), 40, 25)
    np.testing.assert_allclose(foretold, true, rtol=1e-9)
    assert true.min() < 0.8 and true.max() > 1.2


def test_they_are_those_that_the_variance_of_the_estimate_is_reckoned_with() -> None:
    """Two equal draws from three fields, by hand: own pseudo-value and all later ones."""
    known = SampledValues()
    known.observe(1, True, [1 / 3], 1 / 3, [1.0])
    known.observe(2, True, [1 / 3], 1 / 2, [0.0])
    weights = np.array([1 / 6, 1 / 2])  # 1 / ((N - t) (N - t + 1))
    own, carried = 1 * 0.25, 1 / 3 * 0.75  # a / q = 1
    assert known.unseen_variance(weights) == pytest.approx((own + carried) ** 2 - own**2)
    assert own + carried == pytest.approx(1 / 2)  # 1/n: each field of a uniform design weighs the same


def test_a_uniform_design_weighs_all_fields_alike_from_first_to_last() -> None:
    target = Target("area_fraction", "x", 0.001, None, 0.95)
    grid = square_grid(9)
    survey = Survey(
        grid=grid, targets=(target,), policy=make_policy("uniform"),
        predictor=FixedPredictor(Prediction(np.full((1, 81), 0.5), np.full((1, 81), 0.1))),
        statistics=Statistics("standard", 0.2), seed=0, travel_s=lambda d: d, visit_s=1.0,
        start_xy_um=(0.0, 0.0),
    )  # fmt: skip
    while (decision := survey.decide()) is not None:
        assert decision.draw_weight == pytest.approx(1.0)
        assert decision.error_weight == pytest.approx(1.0)
        survey.observe(decision, Outcome(np.array([0.3 + 0.01 * (decision.field % 7)])))


def test_the_fields_at_the_end_are_foretold_from_the_width() -> None:
    # 1/n - 1/N is a quarter of now: 1/100 - 1/400 = 0.0075; 0.0075/4 + 0.0025 = 1/228.57
    assert fields_foretold(0.2, 0.1, 100, 400) == pytest.approx(1 / (0.0075 / 4 + 0.0025))
    assert fields_foretold(0.2, 0.1, 100, 10**9) == pytest.approx(400, rel=1e-4)
    assert fields_foretold(0.1, 0.1, 100, 400) == 100  # it is there
    assert fields_foretold(None, 0.1, 10, 400) == 50  # nothing is known yet
    assert fields_foretold(float("inf"), 0.1, 60, 400) == 60
    assert fields_foretold(0.2, float("nan"), 60, 400) == 60
    assert fields_foretold(0.2, 0.1, 30, 40) == pytest.approx(40, abs=3)
    assert fields_foretold(0.2, 0.1, 40, 40) == 40
