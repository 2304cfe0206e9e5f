"""What candidates are."""

from __future__ import annotations

import numpy as np
import pytest

from autoscope.core import Rectangle
from autoscope.session import FieldMap
from autoscope.session.candidates import find_candidates


def test_candidates_join_image_classes_and_know_where_to_aim() -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[4:8, 10:12], labels[4:8, 12:16] = 1, 2  # an oxide with a sulphide on it: one inclusion
    labels[0:3, 0:3] = 1  # the field's edge cuts it
    field = FieldMap(labels, ("matrix", "oxide", "sulphide"), 500.0, None, Rectangle(100, 50, 115, 60), 150.0)
    cut, whole = find_candidates(field, ("oxide", "sulphide"), 0.0)
    assert cut.weight == 0
    assert whole.weight == pytest.approx(600 / ((20 - 1 - 4) * (30 - 1 - 6)))
    assert (whole.x_um, whole.y_um) == (pytest.approx(106.5), pytest.approx(53.0))
    assert whole.area_um2 == pytest.approx(24 * 0.25)
    assert whole.image["sulphide"] == pytest.approx(16 / 24, abs=1e-4)
    row, column = whole.spot_um[1] / 0.5 + 9.5, whole.spot_um[0] / 0.5 + 14.5
    assert labels[round(row), round(column)] > 0
    assert find_candidates(field, ("oxide", "sulphide"), 2.0)[0].x_um == whole.x_um


def test_candidates_know_how_bright_they_are_against_the_matrix() -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[5:12, 10:17] = 1
    grey = np.full(labels.shape, 200, np.uint8)
    grey[labels == 1], grey[6:11, 11:16], grey[8, 13] = 150, 60, 50  # blurred at its border
    field = FieldMap(labels, ("matrix", "oxide"), 500.0, None, Rectangle(100, 50, 115, 60), 150.0, grey=grey)
    (found,) = find_candidates(field, ("oxide",), 0.0)
    # depths of a square of 7 pixels are 4 in the middle, 3 around it: nine pixels are the deepest
    assert found.grey == pytest.approx((50 + 8 * 60) / 9 / 200)
    assert found.mean_grey == pytest.approx((24 * 150 + 24 * 60 + 50) / 49 / 200)
    assert found.traits.grey == found.grey and found.traits.diameter_um == found.diameter_um


def test_without_a_signal_candidates_have_no_brightness() -> None:
    labels = np.zeros((20, 30), np.uint8)
    labels[5:12, 10:17] = 1
    field = FieldMap(labels, ("matrix", "oxide"), 500.0, None, Rectangle(100, 50, 115, 60), 150.0)
    dark = FieldMap(
        labels, ("matrix", "oxide"), 500.0, None, Rectangle(100, 50, 115, 60), 150.0,
        grey=np.zeros(labels.shape, np.uint8),
    )  # fmt: skip
    for seen in (field, dark):
        (found,) = find_candidates(seen, ("oxide",), 0.0)
        assert found.grey is None and found.mean_grey is None
