"""Which classes the beam excites."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi

from autoscope_simulators.excitation import generation_shares


def disc(radius_px: float, size: int = 201) -> np.ndarray:
    rows, columns = np.indices((size, size)) - size // 2
    return (rows**2 + columns**2 <= radius_px**2).astype(np.uint8)


@pytest.mark.parametrize("ratio", [0.7, 1.0, 1.5, 2.5])
def test_a_sphere_in_its_matrix_gets_the_mass_of_a_normal_ball(ratio: float) -> None:
    """P(|x| < r) of a normal distribution in three dimensions is the chi law with 3 degrees."""
    shares = generation_shares(disc(ratio * 20), (100, 100), 20.0, matrix=0)
    assert shares[1] == pytest.approx(chi.cdf(ratio, 3), abs=0.02)
    assert sum(shares.values()) == pytest.approx(1)


def test_a_large_inclusion_is_all_there_is() -> None:
    assert generation_shares(np.ones((9, 9), np.uint8), (4, 4), 2.0, matrix=0) == {1: pytest.approx(1), 0: 0}


def test_half_and_half_at_a_straight_border_without_a_matrix() -> None:
    labels = np.zeros((41, 40), np.uint8)
    labels[:, 20:] = 2
    shares = generation_shares(labels, (20, 19.5), 4.0, matrix=None)
    assert shares == {0: pytest.approx(0.5), 2: pytest.approx(0.5)}


def test_a_beam_beside_the_inclusion_sees_less_of_it() -> None:
    labels = disc(20)
    at = [generation_shares(labels, (100, 100 + offset), 10.0, matrix=0)[1] for offset in (0, 10, 20, 40)]
    assert at == sorted(at, reverse=True)
    assert at[-1] < 0.05
