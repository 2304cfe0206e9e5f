"""Dead time, pile-up and Poisson counts."""

from __future__ import annotations

import math

import numpy as np
import pytest

from autoscope.core import ConfigurationError
from autoscope.xray import Counting, EnergyAxis, pile_up

AXIS = EnergyAxis(100, 10.0)


def line(channel: int, rate: float) -> np.ndarray:
    spectrum = np.zeros(100)
    spectrum[channel] = rate
    return spectrum


def test_two_photons_at_once_are_one_of_their_sum() -> None:
    rate, tau_us = 1e5, 1.0
    piled = pile_up(line(20, rate), AXIS, tau_us)
    together = 1 - math.exp(-rate * tau_us * 1e-6)
    pairs = together * rate / (1 + together)
    assert piled[40] == pytest.approx(pairs)
    assert piled[20] == pytest.approx(rate - 2 * pairs)
    assert np.count_nonzero(piled > 1e-6) == 2


def test_the_sum_of_energies_counts_not_of_channels() -> None:
    piled = pile_up(line(20, 1e5), EnergyAxis(100, 10.0, offset_ev=-50.0), 1.0)
    # channel 20 is at 150 eV; the sum, 300 eV, is channel 35
    assert np.argmax(np.delete(piled, 20)) + 1 == 35


def test_energy_is_kept() -> None:
    rng = np.random.default_rng(1)
    rate = np.where(np.arange(100) < 40, rng.uniform(0, 5e3, 100), 0.0)
    piled = pile_up(rate, AXIS, 0.5)
    assert piled @ AXIS.energies_ev == pytest.approx(rate @ AXIS.energies_ev)


def test_nothing_piles_up_where_nothing_comes() -> None:
    assert not pile_up(np.zeros(100), AXIS, 1.0).any()


def test_counts_follow_live_time() -> None:
    counting, rng = Counting(), np.random.default_rng(0)
    totals = [counting.draw(line(20, 1000.0), 2.0, AXIS, rng).sum() for _ in range(400)]
    assert np.mean(totals) == pytest.approx(2000, abs=4 * math.sqrt(2000 / 400))
    assert np.var(totals) == pytest.approx(2000, rel=0.3)


def test_dead_time_grows_with_the_rate() -> None:
    assert Counting(processing_us=2.0).real_s(3.0, 1e5) == pytest.approx(3 * math.exp(0.2))
    with pytest.raises(ConfigurationError, match="processing_us = -1 us"):
        Counting(processing_us=-1.0)
