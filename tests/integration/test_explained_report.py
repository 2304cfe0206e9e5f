"""What a session's model looked at, in its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from autoscope.app.cli import main
from autoscope.perception import shipped_model

pytest.importorskip("captum")


def test_the_report_shows_what_the_model_looked_at(
    write_config: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = f'kind = "segmentation"\nweights = "{shipped_model("pearlite")}"'
    config = write_config(**{'kind = "truth"': weights, "half_width = 0.05": "half_width = 0.3"})
    session = tmp_path / "session"
    assert main(["run", str(config), "--out", str(session)]) == 0
    assert main(["report", str(session), "--explain", "influential"]) == 0
    page = (session / "report.html").read_text(encoding="utf-8")
    assert page.count("What the model looked at on field") == 3
    assert main(["report", str(session), "--explain", "no field"]) == 2
    assert "no field of this index was measured" in capsys.readouterr().err
    assert main(["report", str(session)]) == 0
    assert "What the model looked at" not in (session / "report.html").read_text(encoding="utf-8")


def test_only_a_network_can_be_explained(
    write_config: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(**{"half_width = 0.05": "half_width = 0.3"})
    session = tmp_path / "session"
    assert main(["run", str(config), "--out", str(session)]) == 0
    assert main(["report", str(session), "--explain", "influential"]) == 2
    assert "only a segmentation network can be explained" in capsys.readouterr().err
