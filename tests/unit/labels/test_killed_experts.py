"""Experts' processes that are killed lose nothing and double nothing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def campaign(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The benchmark's module, by the name by which its processes import it too."""
    folder = Path(__file__).parents[3] / "benchmarks"
    monkeypatch.syspath_prepend(str(folder))
    spec = importlib.util.spec_from_file_location("label_queue", folder / "label_queue.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "label_queue", module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_nothing_is_lost_or_doubled(url: str, campaign: ModuleType, tmp_path: Path) -> None:
    diaries = tmp_path / "diaries"
    diaries.mkdir()
    found = campaign.campaign(url, experts=3, requests=60, kills=2, share=0.2, folder=diaries)
    assert (found.lost, found.doubled, found.wrong) == (0, 0, 0)
    assert found.answers >= 60
    assert found.acknowledged <= found.answers
