"""Corrected intervals of a model that is wrong hold the truth as often as they say."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture
def benchmark(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("expert_correction")


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["active", "uniform"])
def test_forty_answers_make_up_for_a_model_that_finds_too_much(benchmark: ModuleType, policy: str) -> None:
    """With a coverage of 0.95, fewer than 50 of 60 sessions happen once in 5000 times."""
    table, model = benchmark.SYNTHETIC["banded"](), benchmark.Model(bias=0.05, slope=0.1, noise=0.02)
    sessions = [benchmark.simulate(table, policy, model, 100, 40, 0.5, seed) for seed in range(60)]
    assert {s.covers for s in sessions} == {"expert-corrected"}
    assert all(30 <= s.answers <= 40 for s in sessions)  # chance asks for a little fewer now and then
    covered = sum(abs(s.error) <= s.half for s in sessions)
    assert covered >= 50
    assert sum(abs(s.model_error) <= s.model_half for s in sessions) == 0
    assert abs(np.mean([s.error for s in sessions])) < 0.004
    assert np.mean([s.half for s in sessions]) < 0.03
