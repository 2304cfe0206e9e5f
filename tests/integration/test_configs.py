"""Every shipped configuration loads, plans, and runs for a few steps on a small specimen of its kind."""

from pathlib import Path

import pytest

from autoscope.app.loading import load_config
from autoscope.app.planning import plan_session
from autoscope.app.running import check, run_session
from autoscope.records import ObservationDocument, open_session

CONFIGS = Path(__file__).parents[2] / "configs"
SMALL = {
    "quickstart": ["microscope.specimen_size_um=[256.0, 256.0]"],
    "pearlite": ["microscope.specimen_size_um=[256.0, 256.0]"],
    "inclusions": ["microscope.specimen_size_um=[400.0, 400.0]"],
    "superalloy": ["microscope.specimen_size_um=[20.0, 20.0]"],
    "imported": [],
    "active_learning": ["microscope.specimen_size_um=[256.0, 256.0]", "microscope.time_scale=0.0"],
    "grains": ["imaging.overview.hfw_um=64.0"],
    "defects": ["microscope.specimen_size_um=[256.0, 256.0]"],
    "map": [],
}
SESSIONS = sorted(
    path.stem
    for path in CONFIGS.glob("*.toml")
    if "[[targets]]" in path.read_text() and 'kind = "epics"' not in path.read_text()
)
"""A session over EPICS needs an IOC: tests/unit/epics has one."""


@pytest.fixture(autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Synthetic specimens are generated into a folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def test_every_configuration_is_tried_here() -> None:
    assert sorted(SMALL) == SESSIONS


@pytest.mark.parametrize("name", SESSIONS)
def test_it_plans_and_runs_for_a_few_steps(name: str, specimen: Path, tmp_path: Path) -> None:
    overrides = list(SMALL[name])
    if name in {"imported", "grains"}:
        overrides.append(f"microscope.specimen={specimen}")
    if name == "active_learning":
        overrides.append(f"labels.queue='sqlite:///{tmp_path / 'labels.db'}'")
    config = load_config(CONFIGS / f"{name}.toml", overrides)
    with check(config) as checked:
        plan = plan_session(checked)
    frames = plan.overview_frames + 6
    assert plan.fields_in_region > 6
    config = load_config(CONFIGS / f"{name}.toml", [*overrides, f"budget.frames={frames}"])
    result = run_session(config, tmp_path / "session")
    documents = open_session(tmp_path / "session").documents()
    steps = {d.step for d in documents if isinstance(d, ObservationDocument)}
    assert result.finish_reason == "budget_spent"
    assert len(steps) == 6
    assert (tmp_path / "session" / "report.html").stat().st_size > 10_000
