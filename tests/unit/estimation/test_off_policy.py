"""Draws weighted as if they had been made otherwise: by hand, and by all outcomes there are."""

import numpy as np
import pytest

from autoscope.estimation.off_policy import (
    effective_sample_size,
    other_squares,
    resampled,
    self_normalised_mean,
    variance_of_mean,
)

ONCE = np.ones((1, 3))


def test_effective_sample_size_by_hand():
    assert effective_sample_size(np.full(7, 0.3)) == pytest.approx(7)
    assert effective_sample_size(np.array([1.0, 0.0, 0.0])) == pytest.approx(1)
    assert effective_sample_size(np.array([1.0, 2.0, 3.0])) == pytest.approx(36 / 14)
    assert effective_sample_size(np.zeros(4)) == 0


def test_squares_have_the_other_design_s_variance_as_expectation():
    """All five outcomes of a draw, each with its chance, give sum q' (Z' - theta)² exactly."""
    a, y, f = np.full(5, 0.2), np.array([0.1, 0.9, 0.3, 0.4, 0.8]), np.array([0.3, 0.5, 0.3, 0.2, 0.5])
    drawn, other = np.array([0.1, 0.2, 0.3, 0.2, 0.2]), np.array([0.3, 0.3, 0.1, 0.2, 0.1])
    base, theta, step = np.full(5, a @ f), float(a @ y), a * (y - f)
    expected = drawn @ other_squares(base, step, theta, drawn, other)
    assert expected == pytest.approx(other @ (a @ f + step / other - theta) ** 2)
    centred = other_squares(np.full(5, theta), step, theta, drawn, other)
    np.testing.assert_allclose(centred, step**2 / (other * drawn))


def test_means_by_hand():
    values, weights = np.array([1.0, 2.0, 6.0]), np.array([1.0, 1.0, 2.0])
    assert self_normalised_mean(values, weights, ONCE) == pytest.approx([15 / 4])
    assert self_normalised_mean(values, weights, np.array([[2.0, 1.0, 0.0]])) == pytest.approx([4 / 3])
    assert np.isnan(self_normalised_mean(values, np.zeros(3), ONCE)).all()
    assert variance_of_mean(values, weights, ONCE) == pytest.approx([(1 + 2 + 24) / 16])


def test_whole_draws_are_resampled():
    groups = np.array([0, 0, 0, 1, 2, 2])
    counts = resampled(groups, 500, np.random.default_rng(1))
    assert counts.shape == (500, 6)
    np.testing.assert_array_equal(counts[:, 0], counts[:, 2])
    np.testing.assert_array_equal(counts[:, 4], counts[:, 5])
    np.testing.assert_array_equal(counts[:, [0, 3, 4]].sum(axis=1), 3)
    assert counts.mean() == pytest.approx(1, abs=0.05)
