"""What grey levels of the overview say of fields."""

import numpy as np

from autoscope.core import BeamSettings, Frame, ImagingSettings, StagePosition
from autoscope.perception.overview_features import TAILS, grey_features, tail_features


def make_frame(pixels, x_um, y_um, hfw_um):
    height, width = pixels.shape
    imaging = ImagingSettings(hfw_um, width, height, 1.0)
    return Frame(pixels, StagePosition(x_um, y_um), imaging, BeamSettings(), 0.0, 1, 0.0, "test")


CENTRES = np.array([15.0, 45.0, 75.0, 105.0])


def test_features_are_those_of_the_pixels_in_the_field():
    pixels = np.zeros((40, 80), np.uint8)  # 1 um pixels; frame spans x 20..100, y 0..40
    pixels[:, 10:40] = 200  # x 30..60: exactly the second field
    features = grey_features([make_frame(pixels, 60.0, 20.0, 80.0)], CENTRES, np.full(4, 20.0), 30.0, 30.0)
    mean, std = features[:, 10], features[:, 11]
    assert mean[1] == 200 and std[1] == 0
    assert mean[2] == 0 and std[2] == 0
    assert features[:, -1].tolist() == [1, 0, 0, 1], "the first and last field lie outside the frame"
    assert mean[0] == mean[3] == 100, "and get the mean of the others"
    np.testing.assert_allclose(features[:, :10].sum(axis=1), 1)


def test_the_nearest_frame_describes_a_field():
    near, far = np.full((40, 40), 50, np.uint8), np.full((40, 40), 90, np.uint8)
    frames = [make_frame(far, 35.0, 20.0, 40.0), make_frame(near, 45.0, 20.0, 40.0)]
    features = grey_features(frames, CENTRES[1:2], np.array([20.0]), 30.0, 30.0)
    assert features[0, 10] == 50


def test_no_frames_at_all():
    features = grey_features([], CENTRES, np.full(4, 20.0), 30.0, 30.0)
    assert (features[:, -1] == 1).all() and (features[:, :-1] == 0).all()


def test_texture_is_seen_as_gradient_energy():
    smooth, rough = np.full((30, 60), 100, np.uint8), np.full((30, 60), 100, np.uint8)
    rough[:, ::2] = 120
    y, x = np.array([15.0]), np.array([30.0])
    energy = [
        grey_features([make_frame(p, 30.0, 15.0, 60.0)], x, y, 30.0, 30.0)[0, -2] for p in (smooth, rough)
    ]
    assert energy == [0, 400]


def test_tails_see_a_few_dark_pixels_where_bins_see_none():
    pixels = np.full((40, 120), 100, np.uint8)
    pixels[10:12, 32:34] = 20  # 4 of 4800 pixels, in the second field
    frames = [make_frame(pixels, 60.0, 20.0, 120.0)]
    features = tail_features(frames, CENTRES, np.full(4, 20.0), 30.0, 30.0)
    assert features.shape == (4, 4 * len(TAILS) + 1)
    share, excess = features[:, 4], features[:, 6]  # of the second threshold, 0.3 % of the pixels: 100
    np.testing.assert_allclose(share, [0, 4 / 900, 0, 0])
    np.testing.assert_allclose(excess, [0, 4 * 80 / 900, 0, 0])
    assert (features[:, [1, 3, 5, 7]] == 0).all(), "nothing is brighter than the rest"


def test_tails_see_bright_pixels_and_say_which_fields_no_frame_shows():
    pixels = np.full((40, 80), 100, np.uint16)
    pixels[20, 15] = 4000
    features = tail_features([make_frame(pixels, 60.0, 20.0, 80.0)], CENTRES, np.full(4, 20.0), 30.0, 30.0)
    assert features[:, -1].tolist() == [1, 0, 0, 1]
    assert features[1, 7] == 3900 / 900 and features[2, 7] == 0
    assert features[0, 7] == features[1, 7] / 2, "the unseen get the mean of the seen"
    empty = tail_features([], CENTRES, np.full(4, 20.0), 30.0, 30.0)
    assert (empty[:, -1] == 1).all() and (empty[:, :-1] == 0).all()
