"""Half-widths against textbook numbers, the betting interval against its definition."""

import math

import numpy as np
import pytest

from autoscope.estimation import BettingInterval, combine, sequence_half_width, t_half_width
from autoscope.estimation.betting import TRUNCATION


def test_t_half_width_with_the_textbook_quantile():
    z = np.array([0.1, 0.2, 0.4, 0.3, 0.5])  # t(0.975, 4) = 2.776445
    combined = combine(z, np.ones(5))
    expected = 2.776445 * z.std(ddof=1) / math.sqrt(5)
    assert t_half_width(combined, 0.95, allowance=1.0) == pytest.approx(expected, rel=1e-6)
    assert t_half_width(combined, 0.95) == pytest.approx(1.1 * expected, rel=1e-6)


def test_confidence_sequence_by_hand():
    combined = combine([0.0, 0.2], [50.0, 50.0])  # SE = 0.1, sum w = 100, U = 100
    rho2 = 0.953 * 0.05**2
    expected = math.sqrt((100 + 1 / rho2) * (math.log(1 + 100 * rho2) + 2 * math.log(20))) / 100
    assert sequence_half_width(combined, 100.0, 0.95, 0.05) == pytest.approx(expected)


def test_no_interval_from_one_draw():
    combined = combine([0.1], [1.0])
    assert math.isinf(t_half_width(combined, 0.95))
    assert math.isinf(sequence_half_width(combined, 1.0, 0.95, 0.01))


def test_betting_ends_are_where_a_capital_reaches_its_limit():
    rng = np.random.default_rng(3)
    z = rng.beta(2, 8, 400)
    interval = BettingInterval(0.0, 1.0, 0.95)
    for value in z:
        interval.update(value, value, 0.0, 1.0, 1.5)

    def log_capital(m, sign):
        room = m if sign > 0 else 1 - m
        return np.log1p(np.minimum(1.5, TRUNCATION / room) * sign * (z - m)).cumsum().max()

    assert log_capital(interval.low, 1) == pytest.approx(math.log(40), abs=1e-2)
    assert log_capital(interval.high, -1) == pytest.approx(math.log(40), abs=1e-2)
    assert interval.low < z.mean() < interval.high


def test_betting_on_nothing_found_is_close_to_the_rule_of_three():
    interval = BettingInterval(0.0, 1.0, 0.95)
    for _ in range(300):
        interval.update(0.0, 0.0, 0.0, 1.0, 100.0)
    assert interval.low == 0.0
    # every stake is c / (1 - m): the capital against m is (1 + 0.9 m / (1 - m))^300 = 40
    growth = 40 ** (1 / 300) - 1
    assert interval.high == pytest.approx(growth / (0.9 + growth), abs=1e-5)


def test_values_that_the_range_excludes_are_cut_off():
    interval = BettingInterval(0.0, 1.0, 0.95)
    interval.update(0.4, 0.4, 0.3, 0.6, 1.0)
    assert (interval.low, interval.high) == (0.3, 0.6)


def test_an_unmeasured_field_widens_both_ends():
    sure, unsure = BettingInterval(0.0, 1.0, 0.95), BettingInterval(0.0, 1.0, 0.95)
    z = np.random.default_rng(0).uniform(0.2, 0.4, 200)
    for i, value in enumerate(z):
        low, high = (0.0, 1.0) if i == 50 else (value, value)
        sure.update(value, value, 0.0, 1.0, 5.0)
        unsure.update(low, high, 0.0, 1.0, 5.0)
    assert unsure.low < sure.low < sure.high < unsure.high
