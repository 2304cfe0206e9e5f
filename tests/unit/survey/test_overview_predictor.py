"""The overview predictor: what it reads from frames, that it learns, and that it does not hurt."""

import numpy as np
import pytest

from autoscope.core import BeamSettings, Frame, ImagingSettings, StagePosition
from autoscope.perception.overview import PILOT_FIELDS, OverviewPredictor, overview_features


def make_frame(pixels, x_um, y_um, hfw_um):
    height, width = pixels.shape
    imaging = ImagingSettings(hfw_um, width, height, 1.0)
    return Frame(pixels, StagePosition(x_um, y_um), imaging, BeamSettings(), 0.0, 1, 0.0, "test")


CENTRES = np.array([15.0, 45.0, 75.0, 105.0])


def test_features_are_those_of_the_pixels_in_the_field():
    pixels = np.zeros((40, 80), np.uint8)  # 1 um pixels; frame spans x 20..100, y 0..40
    pixels[:, 10:40] = 200  # x 30..60: exactly the second field
    features = overview_features(
        [make_frame(pixels, 60.0, 20.0, 80.0)], CENTRES, np.full(4, 20.0), 30.0, 30.0
    )
    mean, std = features[:, 10], features[:, 11]
    assert mean[1] == 200 and std[1] == 0
    assert mean[2] == 0 and std[2] == 0
    assert features[:, -1].tolist() == [1, 0, 0, 1], "the first and last field lie outside the frame"
    assert mean[0] == mean[3] == 100, "and get the mean of the others"
    np.testing.assert_allclose(features[:, :10].sum(axis=1), 1)


def test_the_nearest_frame_describes_a_field():
    near, far = np.full((40, 40), 50, np.uint8), np.full((40, 40), 90, np.uint8)
    frames = [make_frame(far, 35.0, 20.0, 40.0), make_frame(near, 45.0, 20.0, 40.0)]
    features = overview_features(frames, CENTRES[1:2], np.array([20.0]), 30.0, 30.0)
    assert features[0, 10] == 50


def test_no_frames_at_all():
    features = overview_features([], CENTRES, np.full(4, 20.0), 30.0, 30.0)
    assert (features[:, -1] == 1).all() and (features[:, :-1] == 0).all()


def test_texture_is_seen_as_gradient_energy():
    smooth, rough = np.full((30, 60), 100, np.uint8), np.full((30, 60), 100, np.uint8)
    rough[:, ::2] = 120
    y, x = np.array([15.0]), np.array([30.0])
    energy = [
        overview_features([make_frame(p, 30.0, 15.0, 60.0)], x, y, 30.0, 30.0)[0, -2] for p in (smooth, rough)
    ]
    assert energy == [0, 400]


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


def test_without_features_it_is_the_running_mean():
    predictor = OverviewPredictor(10, 0.0, 1.0)
    for field, value in enumerate([0.1, 0.2, 0.6]):
        predictor.update(field, np.array([value]))
    expected = (0.9 + 0.5 * 0.5) / 3.5
    np.testing.assert_allclose(predictor.predict().value, expected)


def test_the_pilot_is_the_running_mean_and_then_it_learns():
    values, features, order = make_population(0, 0.03)
    predictor = OverviewPredictor(500, 0.0, 1.0, features)
    errors = feed(predictor, values, order[:PILOT_FIELDS])
    predictor = OverviewPredictor(500, 0.0, 1.0, features)
    for field in order[: PILOT_FIELDS - 1]:
        predictor.update(int(field), np.array([values[field]]))
        assert np.ptp(predictor.predict().value) == 0
    predictor.update(int(order[PILOT_FIELDS - 1]), np.array([values[order[PILOT_FIELDS - 1]]]))
    assert np.ptp(predictor.predict().value) > 0.1
    later = feed(predictor, values, order[PILOT_FIELDS:])
    assert later[20:].mean() < 0.2 * errors.mean()


def test_the_spread_is_the_error_that_happens():
    values, features, order = make_population(1, 0.05)
    predictor = OverviewPredictor(500, 0.0, 1.0, features)
    feed(predictor, values, order)
    rest = np.setdiff1d(np.arange(500), order)
    prediction = predictor.predict()
    actual = np.sqrt(((values - prediction.value[0])[rest] ** 2).mean())
    assert prediction.spread[0, 0] == pytest.approx(actual, rel=0.35)


@pytest.mark.parametrize("seed", range(5))
def test_junk_costs_almost_nothing(seed):
    values, features, order = make_population(seed, 0.0)
    junk = np.random.default_rng(99 + seed).standard_normal(features.shape)
    with_junk = feed(OverviewPredictor(500, 0.0, 1.0, junk), values, order)
    with_nothing = feed(OverviewPredictor(500, 0.0, 1.0), values, order)
    assert with_junk[PILOT_FIELDS:].mean() < 1.08 * with_nothing[PILOT_FIELDS:].mean()


def test_predictions_keep_to_the_bounds_of_their_quantities():
    rng = np.random.default_rng(3)
    features = rng.standard_normal((200, 3))
    truth = np.stack([np.clip(features[:, 0], 0, 1), np.clip(40 * features[:, 1] + 20, 0, 100)])
    predictor = OverviewPredictor(200, [0, 0], [1, 100], features)
    for field in range(80):
        predictor.update(field, truth[:, field])
    prediction = predictor.predict()
    assert prediction.value.shape == prediction.spread.shape == (2, 200)
    assert prediction.value[0].min() >= 0 and prediction.value[0].max() <= 1
    assert 1 < prediction.value[1].max() <= 100
    assert (prediction.spread > 0).all()


def test_columns_that_say_nothing_are_harmless():
    values, features, order = make_population(4, 0.03)
    flat = np.column_stack([features, np.full(500, 3.0), np.zeros(500)])
    one = feed(OverviewPredictor(500, 0.0, 1.0, features), values, order)
    two = feed(OverviewPredictor(500, 0.0, 1.0, flat), values, order)
    np.testing.assert_allclose(one, two)


def test_a_pilot_that_finds_nothing_leaves_a_positive_spread():
    features = np.random.default_rng(0).standard_normal((100, 3))
    predictor = OverviewPredictor(100, 0.0, 1.0, features)
    for field in range(PILOT_FIELDS + 5):
        predictor.update(field, np.zeros(1))
        prediction = predictor.predict()
        assert (prediction.value < 0.5 / (field + 1)).all()
        assert (prediction.spread > 0).all()
