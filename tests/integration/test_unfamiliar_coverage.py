"""The benchmark of coverage on a specimen with planted defects takes the steps that a session takes."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest


@pytest.fixture
def benchmark(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("unfamiliar_coverage")


@pytest.mark.slow
def test_planted_fields_are_taken_again_and_count_at_their_worst_case(benchmark: ModuleType) -> None:
    found = benchmark.population(size_um=160.0, seed=1, share=0.2)
    assert len(found.grid) == sum(found.actions.values()) == 25
    assert found.actions["worst case"] == len(found.lost) > 0
    assert found.actions["familiar at first sight"] > 0
    assert found.values.shape == found.face_values.shape == (1, 25)
