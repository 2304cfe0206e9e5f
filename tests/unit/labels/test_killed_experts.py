"""Experts' processes that are killed lose nothing and double nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def campaign(load_benchmark: Callable[[str], ModuleType]) -> ModuleType:
    return load_benchmark("label_queue")


@pytest.mark.slow
def test_nothing_is_lost_or_doubled(url: str, campaign: ModuleType, tmp_path: Path) -> None:
    diaries = tmp_path / "diaries"
    diaries.mkdir()
    found = campaign.campaign(url, experts=3, requests=60, kills=2, share=0.2, folder=diaries)
    assert (found.lost, found.doubled, found.wrong) == (0, 0, 0)
    assert found.answers >= 60
    assert found.acknowledged <= found.answers
