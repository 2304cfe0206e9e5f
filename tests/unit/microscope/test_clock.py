"""Clocks."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscope.microscope import SimulatedClock, WallClock


@given(st.lists(st.floats(0, 1e4), max_size=20))
def test_simulated_time_is_what_was_slept(naps: list[float]) -> None:
    clock, expected = SimulatedClock(start_s=2.0), 2.0
    for nap in naps:
        clock.sleep(nap)
        expected += nap
    assert clock.now_s() == expected


def test_simulated_time_takes_no_real_time_and_never_runs_back() -> None:
    clock, began = SimulatedClock(), time.monotonic()
    clock.sleep(3600.0)
    clock.sleep(-5.0)
    assert clock.now_s() == 3600.0
    assert time.monotonic() - began < 1.0


def test_scaled_time_takes_its_share_of_real_time() -> None:
    clock, began = SimulatedClock(scale=0.01), time.monotonic()
    clock.sleep(3.0)
    assert clock.now_s() == 3.0
    assert time.monotonic() - began >= 0.03


@pytest.mark.parametrize("scale", [-1.0, float("nan")])
def test_a_scale_is_not_negative(scale: float) -> None:
    with pytest.raises(ValueError, match="scale"):
        SimulatedClock(scale=scale)


def test_an_interrupted_clock_is_taken_up() -> None:
    clock = SimulatedClock()
    clock.set(42.0)
    assert clock.now_s() == 42.0


def test_wall_time_passes() -> None:
    clock = WallClock()
    before = clock.now_s()
    clock.sleep(0.02)
    clock.sleep(-1.0)
    assert 0.02 <= clock.now_s() - before < 5.0
