"""What the trigger learns and trades, and what candidates are."""

from __future__ import annotations

import numpy as np
import pytest

from autoscope.core import Rectangle
from autoscope.session import FieldMap, Trade
from autoscope.session.candidates import find_candidates
from autoscope.session.image_classes import ImageClasses

NAMES = ("alumina", "MnS", "CaS", "unknown")
GROUPS = {"oxide": ("alumina",), "sulphide": ("MnS", "CaS")}


def test_image_classes_learn_what_they_are_made_of() -> None:
    image = ImageClasses(GROUPS, NAMES)
    before = image.prior({"oxide": 0.0, "sulphide": 1.0})
    assert before.sum() == pytest.approx(1.0)
    assert before[1] == before[2] > before[0] > 0
    for _ in range(30):
        image.learn({"oxide": 0.0, "sulphide": 1.0}, "CaS", 0.5)
    after = image.prior({"oxide": 0.0, "sulphide": 1.0})
    assert after[2] > 0.9
    np.testing.assert_allclose(
        image.prior({"oxide": 1.0, "sulphide": 0.0}),
        ImageClasses(GROUPS, NAMES).prior({"oxide": 1.0, "sulphide": 0.0}),
    )


def test_spectra_go_where_the_class_is_unsure_and_matters() -> None:
    trade = Trade(np.array([100.0]), 4.0, 2.0, 1.0, 0.05)
    sizes = np.array([[100.0, 100.0, 0.0, 200.0]])
    prior = np.array([[0.5, 0.999, 0.5, 0.5]])
    pi = trade.probabilities(sizes, prior, 1.0)
    # W s sqrt(C_f / (c A)) by hand: 100 sqrt(0.25) / 100 * sqrt(4 / 3) = 0.577
    np.testing.assert_allclose(pi, [0.57735, 0.05, 0.05, 1.0], atol=1e-5)
    cheap = Trade(np.array([100.0]), 4.0, 0.0, 1.0, 0.05)
    assert cheap.probabilities(sizes, prior, 1.0)[0] == pytest.approx(1.0)


def test_the_trade_learns_from_fields_and_spectra() -> None:
    trade = Trade(np.array([1.0]), 4.0, 2.0, 1.0, 0.05)
    for _ in range(200):
        trade.visited(1.0, np.array([10.0]), np.array([0.0]))
        trade.counted(3.0)
    assert trade.spectrum_s == pytest.approx(5.0, abs=0.1)
    pi = trade.probabilities(np.array([[10.0]]), np.array([[0.5]]), 1.0)
    assert pi[0] == pytest.approx(
        0.5 * np.sqrt(4 / trade.spectrum_s) * 10 / np.sqrt((5 + 200 * 100) / 205), rel=1e-6
    )


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
