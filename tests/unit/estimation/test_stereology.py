"""Area fractions counted by hand."""

import numpy as np
import pytest

from autoscope.core import EstimationError
from autoscope.estimation import area_fraction

LABELS = np.array(
    [
        [1, 1, 0, 0, 0, 2],
        [1, 1, 0, 0, 2, 0],
        [0, 0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0, 2],
    ],
    np.uint8,
)


def test_plain():
    assert area_fraction(LABELS, 1) == 5 / 24
    assert area_fraction(LABELS, 7) == 0


def test_only_valid_pixels_count():
    valid = np.ones(LABELS.shape, bool)
    valid[0] = False
    assert area_fraction(LABELS, 1, valid=valid) == 3 / 18


def test_small_features_are_left_out_of_the_numerator_only():
    # equivalent diameters: 4 px -> 2.257, 1 px -> 1.128; the two diagonal 2s are one feature of 2 px -> 1.596
    assert area_fraction(LABELS, 1, min_feature_px=2.0) == 4 / 24
    assert area_fraction(LABELS, 1, min_feature_px=2.25) == 4 / 24
    assert area_fraction(LABELS, 1, min_feature_px=2.26) == 0
    assert area_fraction(LABELS, 2, min_feature_px=1.5) == 2 / 24


def test_nothing_valid():
    with pytest.raises(EstimationError, match="no pixel of this field is specimen"):
        area_fraction(LABELS, 1, valid=np.zeros(LABELS.shape, bool))


def test_shapes_must_agree():
    with pytest.raises(EstimationError, match=r"4 x 6 pixels.*2 x 2"):
        area_fraction(LABELS, 1, valid=np.ones((2, 2), bool))
