"""The Neyman oracle on populations small enough to see what it must do."""

import numpy as np
import pytest

from autoscope.core import Prediction, Rectangle
from autoscope.survey import SurveyView, Target, lay_grid
from autoscope_policies import POLICIES
from autoscope_policies.oracle import LEAST_ALIKE, NeymanOracle, overview_likeness


def view_of(grid, predicted, remaining=None):
    values = np.atleast_2d(predicted)
    remaining = np.arange(len(grid)) if remaining is None else remaining
    target = Target("area_fraction", "phase", 0.01, None, 0.95)
    targets = (target,) * len(values)
    return SurveyView(
        grid=grid,
        remaining=remaining,
        prediction=Prediction(values, np.full(values.shape, 0.1)),
        cost_s=np.ones(len(remaining)),
        drawn=len(grid) - len(remaining),
        targets=targets,
        half_width=np.full(len(targets), np.inf),
    )


@pytest.fixture
def grid():
    box = Rectangle(0, 0, 200, 10)
    return lay_grid(box, [box], 1.0, 10.0)  # 200 fields


def test_a_session_cannot_ask_for_it():
    assert "oracle" not in POLICIES


def test_it_draws_where_the_residuals_are_large(grid):
    n = len(grid)
    signs = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    spread = np.where(np.arange(n) < n // 2, 0.05, 0.15)
    truth = (0.5 + signs * spread)[None]
    oracle = NeymanOracle(truth, np.arange(n, dtype=float)[None], np.array([0.01]))
    probability = oracle.propose(view_of(grid, np.full(n, 0.5))).probability
    # away from the seam every field's like have one spread: the ratio of the draws is theirs
    assert probability[150] / probability[20] == pytest.approx(3)
    assert probability.sum() == pytest.approx(1)


def test_targets_count_in_units_of_their_half_widths(grid):
    n = len(grid)
    truth = np.zeros((2, n))
    truth[0, : n // 2], truth[1, n // 2 :] = 0.1, 0.01
    order = np.tile(np.arange(n, dtype=float), (2, 1))
    oracle = NeymanOracle(truth, order, np.array([0.05, 0.005]))
    probability = oracle.propose(view_of(grid, np.zeros((2, n)))).probability
    assert probability[150] == pytest.approx(probability[20])


def test_only_what_remains_is_drawn_and_every_field_has_a_chance(grid):
    rng = np.random.default_rng(0)
    values = rng.random((1, len(grid)))
    oracle = NeymanOracle(values, values, np.array([0.01]))
    remaining = np.arange(0, len(grid), 3)
    probability = oracle.propose(view_of(grid, np.full(len(grid), 0.5), remaining)).probability
    assert probability.shape == remaining.shape
    assert probability.min() > 0


def test_an_exact_prediction_leaves_nothing_to_choose(grid):
    values = np.full((1, len(grid)), 0.3)
    oracle = NeymanOracle(values, values, np.array([0.01]))
    np.testing.assert_allclose(oracle.propose(view_of(grid, values)).probability, 1 / len(grid))


def test_a_population_smaller_than_the_neighbourhood():
    box = Rectangle(0, 0, 5, 10)
    small = lay_grid(box, [box], 1.0, 10.0)
    assert len(small) < LEAST_ALIKE
    values = np.linspace(0, 1, 5)[None]
    probability = (
        NeymanOracle(values, values, np.array([0.01])).propose(view_of(small, np.zeros(5))).probability
    )
    np.testing.assert_allclose(probability, 0.2)  # all are alike


def test_likeness_is_the_regression_on_the_overview():
    rng = np.random.default_rng(1)
    features = np.column_stack([rng.standard_normal((50, 2)), np.ones(50)])
    values = np.stack([3 + features[:, 0], -2 * features[:, 1]])
    fitted = overview_likeness(values, features, np.full(50, 0.02))
    np.testing.assert_allclose(fitted, values, atol=1e-9)
