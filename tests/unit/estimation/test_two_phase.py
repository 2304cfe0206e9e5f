"""Two-phase correction: hand-computed values, and unbiasedness by enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from autoscope.core import EstimationError
from autoscope.estimation import Corrected, FirstPhase, SecondPhase, corrected_half_width, two_phase

NAN = float("nan")


def second(difference: list[float], chance: list[float], propensity: list[float], n: int) -> SecondPhase:
    """Frames of single-field draws on a population of ``n`` equal fields."""
    d = np.array(difference)
    m = len(d)
    return SecondPhase(np.arange(m), np.full(m, 1 / n), np.array(propensity), np.array(chance), d, d, d)


def first(values: list[float]) -> FirstPhase:
    return FirstPhase(np.array(values), np.ones(len(values)))


def test_two_frames_by_hand() -> None:
    # Population of 4, both frames asked with phi = 1/2; g = 0 for the first draw.
    # D_1 = 0 + 0 + 2 * (1/4) * 0.1 / (1/4) = 0.2; then g = 2 * 0.1 / (1 + 2) = 1/15, before = (1/4) * 0.2,
    # rest = 3/4: D_2 = 0.05 + 0.05 + 2 * (1/4) * (0.2 - 1/15) / (1/3) = 0.3
    found = two_phase(first([0.5, 0.7]), second([0.1, 0.2], [0.5, 0.5], [0.25, 1 / 3], 4))
    assert found.shift == pytest.approx((0.2 + 0.3) / 2)
    assert found.estimate == pytest.approx(0.6 + 0.25)
    assert found.answers == 2
    assert (found.below, found.above) == (0.0, 0.0)


def test_frames_that_nobody_was_asked_about_change_the_rest_only_through_the_mean() -> None:
    found = two_phase(first([0.5, 0.5]), second([NAN, 0.1], [0.5, 1.0], [0.25, 1 / 3], 4))
    # D_1 = 0, D_2 = 0 + 0 + (1/4) 0.1 / (1/3)
    assert found.shift == pytest.approx(0.075 / 2)


def test_it_is_unbiased_over_both_phases() -> None:
    """Every order of drawing two of three fields, every outcome of the coins, with their probabilities."""
    d, weight = np.array([0.3, -0.1, 0.05]), np.array([0.5, 0.3, 0.2])
    q1 = np.array([0.2, 0.5, 0.3])
    phi = np.array([0.4, 0.7, 0.9])
    expected = 0.0
    for i, j in itertools.permutations(range(3), 2):
        q2 = q1[j] / (1 - q1[i])
        for coins in itertools.product([True, False], repeat=2):
            chance = q1[i] * q2
            asked = []
            for field, coin in zip((i, j), coins, strict=True):
                chance *= phi[field] if coin else 1 - phi[field]
                asked.append(d[field] if coin else NAN)
            rows = np.array([i, j])
            values = np.array(asked)
            phase = SecondPhase(
                np.arange(2), weight[rows], np.array([q1[i], q2]), phi[rows], values, values, values
            )
            expected += chance * two_phase(first([0.0, 0.0]), phase).shift
    assert expected == pytest.approx(weight @ d)


def test_batches_are_draws_of_several_frames() -> None:
    rows = SecondPhase(
        np.array([0, 0]), np.full(2, 0.25), np.full(2, 0.5), np.ones(2), *(np.array([0.1, 0.3]),) * 3
    )
    # One draw of two of four fields, all asked: sum a d / pi = 0.25 (0.1 + 0.3) / 0.5
    assert two_phase(first([0.5]), rows).shift == pytest.approx(0.2)


def test_draws_after_the_last_request_count_for_the_model_alone() -> None:
    phase = second([0.1, 0.1], [1.0, 1.0], [0.1, 0.1], 10)
    short, long = two_phase(first([0.5, 0.7]), phase), two_phase(first([0.5, 0.7, 0.6, 0.6]), phase)
    assert long.shift == pytest.approx(short.shift)
    assert long.drawing_error < short.drawing_error


def test_a_frame_that_nobody_could_answer_widens_both_ends() -> None:
    zero = np.zeros(2)
    phase = SecondPhase(
        np.arange(2),
        np.full(2, 0.1),
        np.full(2, 0.1),
        np.ones(2),
        zero,
        np.array([0.0, -0.4]),
        np.array([0.0, 0.6]),
    )
    found = two_phase(first([0.4, 0.6]), phase)
    # Only the second draw's term: 0.1 / 0.1 times the extreme, averaged over two draws
    assert found.below == pytest.approx(0.4 / 2)
    assert found.above == pytest.approx(0.6 / 2)
    assert found.shift == 0.0


def test_a_complete_census_with_all_answers_has_only_their_error() -> None:
    # The pseudo-values of a census are all the same: no error of drawing is left.
    d = [0.1, 0.1, 0.1]
    found = two_phase(first([0.5, 0.5, 0.5]), second(d, [1.0] * 3, [1 / 4, 1 / 3, 1 / 2], 4))
    assert found.drawing_error == 0.0
    assert found.estimate == pytest.approx(0.5 + found.shift)


@pytest.mark.parametrize("chance", [0.0, -0.1, 1.1, NAN])
def test_a_frame_without_a_chance_is_refused(chance: float) -> None:
    with pytest.raises(EstimationError, match="chance"):
        two_phase(first([0.5, 0.5]), second([0.1, NAN], [0.5, chance], [0.5, 0.5], 4))


def test_more_frames_than_draws_are_refused() -> None:
    with pytest.raises(EstimationError, match="do not fit"):
        two_phase(first([0.5]), second([0.1, 0.1], [0.5, 0.5], [0.5, 0.5], 4))


def test_the_half_width_is_t_times_se_with_the_price_of_stopping_on_the_draws_alone() -> None:
    base = Corrected(0.5, 0, 0, 0.02, 0.0, 0.0, 0.02, 20, 21.0)
    assert corrected_half_width(base, 0.95) == pytest.approx(2.0859634 * 0.02)
    both = Corrected(0.5, 0, 0, 0.02, 0.02, 0.0, 0.0, 20, 21.0)
    assert corrected_half_width(both, 0.95) == pytest.approx(1.1 * 2.0859634 * 0.02)
    few = Corrected(0.5, 0, 0, 0.02, 0.02, 0.0, 0.0, 1, 1.0)
    assert corrected_half_width(few, 0.95) == float("inf")
