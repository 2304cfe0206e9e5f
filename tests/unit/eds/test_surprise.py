"""What spectra say of how right class probabilities are."""

from __future__ import annotations

import numpy as np
import pytest

from autoscope.eds import Looked, Surprise, Trade

GRID = np.array([[0.002, 0.05, 0.2, 0.5, 0.9]])


def _field(rng: np.random.Generator, chance: np.ndarray, said: np.ndarray, propensity: float) -> Looked:
    """Features that are of the class with ``chance`` where the image says ``said``."""
    of, taken = rng.random(len(chance)) < chance, rng.random(len(chance)) < propensity
    return Looked(
        np.ones((1, len(said))), said[None], np.full(len(said), propensity), taken, (of & taken)[None]
    )


def test_before_any_spectrum_probabilities_are_believed() -> None:
    np.testing.assert_allclose(Surprise().variance(GRID), GRID * (1 - GRID))


def test_right_probabilities_stay_believed() -> None:
    rng, surprise = np.random.default_rng(0), Surprise()
    for _ in range(300):
        p = rng.choice(GRID[0], 20)
        surprise.saw(_field(rng, p, p, 0.4))
    np.testing.assert_allclose(surprise.variance(GRID), GRID * (1 - GRID), atol=0.01)


def test_an_image_that_is_too_sure_is_found_out() -> None:
    """It says one in five hundred where it is one in ten."""
    rng, surprise = np.random.default_rng(1), Surprise()
    for _ in range(100):
        surprise.saw(_field(rng, np.full(10, 0.1), np.full(10, 0.002), 0.3))
    assert surprise.variance(np.array([[0.002]]))[0, 0] == pytest.approx(0.1, abs=0.03)
    trade = Trade(np.array([1.0]), 4.0, 0.0, 2.0, 0.05)
    before = trade.probabilities(np.ones((1, 1)), np.array([[0.002]]), 1.0)[0]
    for _ in range(100):
        looked = _field(rng, np.full(10, 0.1), np.full(10, 0.002), 0.3)
        trade.visited(1.0, np.array([1.0]), 4.0, 1.0, looked)
    assert trade.probabilities(np.ones((1, 1)), np.array([[0.002]]), 1.0)[0] > 2 * before


def test_an_image_that_is_right_more_often_than_it_says_saves_spectra() -> None:
    rng, surprise = np.random.default_rng(2), Surprise()
    for _ in range(100):
        surprise.saw(_field(rng, np.full(10, 0.0), np.full(10, 0.3), 0.5))
    assert 0 < surprise.variance(np.array([[0.3]]))[0, 0] < 0.7 * 0.21


def test_fields_without_spectra_teach_nothing() -> None:
    surprise = Surprise()
    none = np.zeros((1, 3), bool)
    surprise.saw(Looked(np.ones((1, 3)), np.full((1, 3), 0.5), np.full(3, 0.1), none[0], none))
    np.testing.assert_allclose(surprise.variance(GRID), GRID * (1 - GRID))
