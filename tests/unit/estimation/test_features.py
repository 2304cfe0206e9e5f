"""Features seen whole stand for those that the edge cuts: right on average, size classes included."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscope.estimation import find_features, largest_counted_density_per_mm2


def test_what_a_feature_is():
    labels = np.zeros((12, 20), np.uint8)
    labels[4:7, 5:9] = 2
    labels[0:3, 12:14] = 2
    labels[9, 15] = labels[10, 16] = 2  # touch by a corner: one
    labels[5, 6] = 1
    found = find_features(labels, 2)
    assert found.area_px.tolist() == [4 + 2, 11, 2]
    assert found.whole.tolist() == [False, True, True]
    assert found.height_px.tolist() == [3, 3, 2]
    assert found.width_px.tolist() == [2, 4, 2]
    assert (found.row[2], found.column[2]) == (9.5, 15.5)
    assert found.diameter_px[2] == pytest.approx(math.sqrt(8 / math.pi))
    assert found.weights().tolist() == pytest.approx([0, 12 * 20 / (8 * 15), 12 * 20 / (9 * 17)])


def test_no_feature_at_all():
    found = find_features(np.zeros((5, 5), np.uint8), 1)
    assert len(found) == 0
    assert found.weights().sum() == 0


@settings(max_examples=25)
@given(
    boxes=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=4),
    least=st.floats(0.0, 4.0),
)
def test_over_all_places_of_the_field_the_number_of_every_size_is_exact(boxes, least):
    side, gap = 10, 8
    canvas = np.zeros((side, len(boxes) * gap), np.uint8)
    large = 0
    for number, (height, width) in enumerate(boxes):
        canvas[3 : 3 + height, number * gap + 2 : number * gap + 2 + width] = 1
        large += height * width >= math.pi / 4 * least**2
    around = np.pad(canvas, side)
    counted = 0.0
    for y in range(around.shape[0] - side + 1):
        for x in range(around.shape[1] - side + 1):
            field = around[y : y + side, x : x + side]
            counted += find_features(field, 1, min_feature_px=least).weights().sum()
    assert counted / side**2 == pytest.approx(large)


def test_small_features_and_what_is_no_specimen_do_not_count():
    labels = np.zeros((20, 20), np.uint8)
    labels[5:9, 5:9] = 1  # 16 px: equivalent diameter 4.51
    labels[15, 15] = 1
    assert len(find_features(labels, 1, min_feature_px=4.5)) == 1
    assert len(find_features(labels, 1, min_feature_px=4.6)) == 0
    valid = np.ones((20, 20), bool)
    valid[:10] = False
    assert find_features(labels, 1, valid=valid).area_px.tolist() == [1]


def test_features_over_half_of_a_field_have_a_bounded_weight_and_are_told():
    labels = np.zeros((20, 20), np.uint8)
    labels[2:18, 2:18] = 1
    found = find_features(labels, 1)
    assert found.weights().tolist() == [4.0]
    assert found.too_large().tolist() == [True]
    labels[2:8], labels[:, 6:] = 0, 0
    assert not find_features(labels, 1).too_large().any()


@given(seed=st.integers(0, 10_000), least=st.floats(0.0, 6.0))
def test_no_field_exceeds_the_declared_bound(seed, least):
    rng = np.random.default_rng(seed)
    labels = (rng.random((24, 24)) < rng.random()).astype(np.uint8)
    pixel_nm = 500.0
    found = find_features(labels, 1, min_feature_px=least / 0.5)
    density = found.weights().sum() / (24 * 0.5) ** 2 * 1e6
    assert density <= largest_counted_density_per_mm2(least, pixel_nm)
