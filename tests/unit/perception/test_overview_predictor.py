"""The competing predictor: that it learns, that junk does not hurt, and that its spread tells the truth."""

import numpy as np
import pytest

from autoscope.perception.overview_experts import Expertise, Ranking, standardised, with_combination
from autoscope.perception.overview_predictor import PILOT_FIELDS, OverviewPredictor
from autoscope.perception.overview_spread import LEAST_UNEVENNESS, SpreadRecord


def population(n=600, error=0.05, seed=0):
    """Values linear in the first of four features."""
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n, 4))
    values = 0.5 + 0.15 * np.tanh(features[:, 0]) + error * 0.15 * rng.standard_normal(n)
    return features, values


def squared_errors(predictor, values, order):
    errors = []
    for field in order:
        errors.append((values[field] - predictor.predict().value[0, field]) ** 2)
        predictor.update(int(field), np.array([values[field]]))
    return np.array(errors)


def test_without_features_it_is_the_running_mean():
    predictor = OverviewPredictor(5, 0.0, 1.0)
    np.testing.assert_array_equal(predictor.predict().value, 0.5)
    predictor.update(0, np.array([0.2]))
    predictor.update(1, np.array([0.6]))
    np.testing.assert_allclose(predictor.predict().value, (0.8 + 0.5 / 3 * 0.5) / (2 + 0.5 / 3))
    np.testing.assert_array_equal(predictor.shares(), [1.0])


def test_the_overview_is_not_believed_in_the_pilot():
    features, values = population()
    predictor = OverviewPredictor(600, 0.0, 1.0, [features])
    for field in range(PILOT_FIELDS - 1):
        predictor.update(field, values[field : field + 1])
        assert np.ptp(predictor.predict().value) == 0
    predictor.update(PILOT_FIELDS, values[PILOT_FIELDS : PILOT_FIELDS + 1])
    assert np.corrcoef(predictor.predict().value[0], values)[0, 1] > 0.9


def test_it_learns_from_the_group_that_knows():
    features, values = population()
    junk = np.random.default_rng(5).standard_normal((600, 10))
    order = np.random.default_rng(1).permutation(600)[:200]
    predictor = OverviewPredictor(600, 0.0, 1.0, [junk, features])
    errors = squared_errors(predictor, values, order)
    assert errors[100:].mean() < 0.2 * values.var()
    mean, knows_nothing, knows, together = predictor.shares()
    assert knows + together > 0.99
    assert mean + knows_nothing < 0.01


@pytest.mark.parametrize("seed", range(5))
def test_junk_costs_next_to_nothing(seed):
    rng = np.random.default_rng(seed)
    _, values = population(seed=seed)
    junk = [rng.standard_normal((600, 19)), rng.standard_normal((600, 16))]
    order = rng.permutation(600)[:250]
    with_junk = squared_errors(OverviewPredictor(600, 0.0, 1.0, junk), values, order)
    with_none = squared_errors(OverviewPredictor(600, 0.0, 1.0), values, order)
    assert with_junk.sum() < 1.1 * with_none.sum()


def test_features_that_turn_round_are_dropped():
    features, values = population()
    predictor = OverviewPredictor(600, 0.0, 1.0, [features])
    for field in range(100):
        predictor.update(field, values[field : field + 1])
    turned = 1.0 - values
    errors, plain = [], []
    for field in range(100, 400):
        errors.append(float(turned[field] - predictor.predict().value[0, field]))
        plain.append(float(turned[field] - 0.5))
        predictor.update(field, turned[field : field + 1])
    assert np.square(errors[200:]).mean() < 1.3 * np.square(plain[200:]).mean()


def test_several_targets_do_not_disturb_each_other():
    features, values = population()
    both = OverviewPredictor(600, [0.0, 0.0], [1.0, 50.0], [features])
    one = OverviewPredictor(600, 0.0, 1.0, [features])
    for field in range(60):
        both.update(field, np.array([values[field], 30.0 * values[field]]))
        one.update(field, values[field : field + 1])
    np.testing.assert_allclose(both.predict().value[0], one.predict().value[0])
    np.testing.assert_allclose(both.predict().spread[0], one.predict().spread[0])


def test_the_spread_is_what_the_errors_are():
    features, values = population(n=3000, error=0.3)
    predictor = OverviewPredictor(3000, 0.0, 1.0, [features])
    for field in range(400):
        predictor.update(field, values[field : field + 1])
    prediction = predictor.predict()
    errors = values[400:] - prediction.value[0, 400:]
    assert np.sqrt((prediction.spread[0, 400:] ** 2).mean()) == pytest.approx(errors.std(), rel=0.25)


def test_predictions_stay_within_the_bounds_and_spreads_positive():
    features, _ = population()
    values = (features[:, 0] > 1.5).astype(float)
    predictor = OverviewPredictor(600, 0.0, 1.0, [features])
    for field in range(100):
        predictor.update(field, values[field : field + 1])
    prediction = predictor.predict()
    assert prediction.value.min() >= 0 and prediction.value.max() <= 1
    assert (prediction.spread > 0).all()


def test_fields_that_are_all_alike():
    predictor = OverviewPredictor(40, 0.0, 1.0, [np.ones((40, 3))])
    for field in range(40):
        predictor.update(field, np.zeros(1))
    assert (predictor.predict().value < 2e-4).all()
    assert (predictor.predict().spread > 0).all()


def test_a_regression_is_the_closed_form():
    rng = np.random.default_rng(3)
    x, y = standardised(rng.standard_normal((20, 3))), rng.standard_normal((1, 20))
    expert = Expertise(x, 1)
    for field in range(10):
        expert.learn(field, y[:, field], field + 1, y[:, : field + 1].sum(axis=1))
    a, b = x[:10] - x[:10].mean(axis=0), y[0, :10] - y[0, :10].mean()
    np.testing.assert_allclose(expert.slopes[0, 1], np.linalg.solve(a.T @ a + 3.0 * np.eye(3), a.T @ b))
    np.testing.assert_allclose(
        expert.departures(12)[0, 1], (x[12] - x[:10].mean(axis=0)) @ expert.slopes[0, 1]
    )


def test_ranking_by_hand():
    ranking = Ranking(1)
    np.testing.assert_allclose(ranking.shares, [0.5, 0.5])
    ranking.score(np.array([0.5]), 1.0)  # squared errors 1 and 0.25, and a head start of 4 each
    weight = np.array([1.0, (5.0 / 4.25) ** 0.5])
    np.testing.assert_allclose(ranking.shares, weight / weight.sum())


def test_groups_that_do_not_vary_are_left_out():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((10, 2)), rng.standard_normal((10, 3))
    assert [g.shape[1] for g in with_combination([a, np.ones((10, 4)), b])] == [2, 3, 5]
    assert [g.shape[1] for g in with_combination([a, np.ones((10, 4))])] == [2]
    assert with_combination([]) == ()


def test_spread_follows_unevenness_where_errors_do():
    rng = np.random.default_rng(0)
    predicted = rng.uniform(0, 1, 500)
    grows, even = SpreadRecord(0.0, 1.0), SpreadRecord(0.0, 1.0)
    unevenness = grows.unevenness(predicted)
    for u in unevenness:
        grows.score(u, 0.05 * u * rng.standard_normal())
        even.score(u, 0.05 * rng.standard_normal())
    np.testing.assert_allclose(grows.spread(unevenness, 0.05) / unevenness, 0.05, rtol=0.2)
    np.testing.assert_allclose(even.spread(unevenness, 0.05), 0.05, rtol=0.2)
    assert np.ptp(even.spread(unevenness, 0.05)) == 0


def test_a_field_that_looks_empty_keeps_some_unevenness():
    record = SpreadRecord(0.0, 1.0)
    unevenness = record.unevenness(np.array([0.0, 0.0, 0.5]))
    np.testing.assert_allclose(unevenness, [LEAST_UNEVENNESS, LEAST_UNEVENNESS, 3.0])
    np.testing.assert_array_equal(record.unevenness(np.zeros(3)), 1.0)


def feed(predictor, values, order):
    """Squared errors of one-step-ahead predictions."""
    errors = []
    for field in order:
        errors.append((values[field] - predictor.predict().value[0, field]) ** 2)
        predictor.update(int(field), np.array([values[field]]))
    return np.array(errors)


def make_population(seed, noise):
    rng = np.random.default_rng(seed)
    values = rng.beta(2, 8, 500)
    features = np.column_stack([values + noise * rng.standard_normal(500), rng.standard_normal((500, 8))])
    return values, features, rng.permutation(500)[:150]


def test_the_pilot_is_the_running_mean_and_then_it_learns():
    values, features, order = make_population(0, 0.03)
    predictor = OverviewPredictor(500, 0.0, 1.0, [features])
    errors = feed(predictor, values, order[:PILOT_FIELDS])
    predictor = OverviewPredictor(500, 0.0, 1.0, [features])
    for field in order[: PILOT_FIELDS - 1]:
        predictor.update(int(field), np.array([values[field]]))
        assert np.ptp(predictor.predict().value) == 0
    predictor.update(int(order[PILOT_FIELDS - 1]), np.array([values[order[PILOT_FIELDS - 1]]]))
    assert np.ptp(predictor.predict().value) > 0.1
    later = feed(predictor, values, order[PILOT_FIELDS:])
    assert later[20:].mean() < 0.2 * errors.mean()


def test_the_spread_is_the_error_that_happens():
    values, features, order = make_population(1, 0.05)
    predictor = OverviewPredictor(500, 0.0, 1.0, [features])
    feed(predictor, values, order)
    rest = np.setdiff1d(np.arange(500), order)
    prediction = predictor.predict()
    actual = np.sqrt(((values - prediction.value[0])[rest] ** 2).mean())
    assert prediction.spread[0, 0] == pytest.approx(actual, rel=0.35)


@pytest.mark.parametrize("seed", range(5))
def test_junk_costs_almost_nothing(seed):
    values, features, order = make_population(seed, 0.0)
    junk = np.random.default_rng(99 + seed).standard_normal(features.shape)
    with_junk = feed(OverviewPredictor(500, 0.0, 1.0, [junk]), values, order)
    with_nothing = feed(OverviewPredictor(500, 0.0, 1.0), values, order)
    assert with_junk[PILOT_FIELDS:].mean() < 1.08 * with_nothing[PILOT_FIELDS:].mean()


def test_predictions_keep_to_the_bounds_of_their_quantities():
    rng = np.random.default_rng(3)
    features = rng.standard_normal((200, 3))
    truth = np.stack([np.clip(features[:, 0], 0, 1), np.clip(40 * features[:, 1] + 20, 0, 100)])
    predictor = OverviewPredictor(200, [0, 0], [1, 100], [features])
    for field in range(80):
        predictor.update(field, truth[:, field])
    prediction = predictor.predict()
    assert prediction.value.shape == prediction.spread.shape == (2, 200)
    assert prediction.value[0].min() >= 0 and prediction.value[0].max() <= 1
    assert 1 < prediction.value[1].max() <= 100
    assert (prediction.spread > 0).all()


def test_a_pilot_that_finds_nothing_leaves_a_positive_spread():
    features = np.random.default_rng(0).standard_normal((100, 3))
    predictor = OverviewPredictor(100, 0.0, 1.0, [features])
    for field in range(PILOT_FIELDS + 5):
        predictor.update(field, np.zeros(1))
        prediction = predictor.predict()
        assert (prediction.value < 0.5 / (field + 1)).all()
        assert (prediction.spread > 0).all()
