"""What hindsight promises is bracketed: chance flatters one figure, and not the other."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture
def benchmark(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("design_headroom")


def test_each_world_is_given_what_suits_it(benchmark: ModuleType) -> None:
    """World 1 gains 20 % by the first departure and world 2 loses 10 %; the second only scatters."""
    of_world_1 = np.log([[1, 0.8, 0.9], [1, 0.8, 1.1]])
    of_world_2 = np.log([[1, 1.1, 0.9], [1, 1.1, 1.3]])
    times = 1000 * np.exp(np.array([of_world_1, of_world_2]))
    rows = {row.choice: row for row in benchmark.headroom(times, ["the rule", "first", "second"])}
    assert rows["first"].mean == pytest.approx((np.log(0.8) + np.log(1.1)) / 2)
    assert rows["first"].error == pytest.approx(np.log(1.1 / 0.8) / 2)
    assert rows["first"].between == pytest.approx(np.log(1.1 / 0.8) / np.sqrt(2))  # none of it is chance
    assert rows["second"].between == 0
    assert rows["each world's best: at most"].mean == pytest.approx(np.log(0.8) / 2)
    judged = np.log(0.8), (0 + np.log(1.3)) / 2  # world 2: each play chooses for the other
    assert rows["each world's best: at least"].mean == pytest.approx(np.mean(judged))


def test_plays_are_kept_and_departures_depart(benchmark: ModuleType, tmp_path: Path) -> None:
    known = {name: benchmark.departures("phase")[name] for name in ("the rule", "batch = 8", "tilt = 0.5")}
    options = Namespace(
        out=tmp_path / "plays.jsonl", specimen="phase", instrument="quick stage", side=12, worlds=1, repeats=2
    )
    found = benchmark.played(options, known)
    assert len(np.unique(found)) == found.size
    assert len(options.out.read_text(encoding="utf-8").splitlines()) == found.size
    before = options.out.read_bytes()
    np.testing.assert_array_equal(benchmark.played(options, known), found)
    assert options.out.read_bytes() == before
