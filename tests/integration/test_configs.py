"""Every shipped configuration loads, plans, and runs for a few steps on a small specimen of its kind."""

import os
from pathlib import Path

import pytest

from autoscope.app.loading import load_config
from autoscope.app.planning import plan_session
from autoscope.app.running import check, run_session
from autoscope.records import ObservationDocument, open_session

CONFIGS = Path(__file__).parents[2] / "configs"
DATA = Path(os.environ.get("AUTOSCOPE_DATA", CONFIGS.parents[1] / "shared" / "data"))
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


@pytest.fixture
def spectrum_image(tmp_path: Path) -> Path:
    """The real map of a dacite as a specimen."""
    from autoscope.app.cli import main

    pytest.importorskip("rsciio")
    path = DATA / "eds_p45" / "P45_8bit_compressed_80keV_range.bcf"
    if not path.exists():
        pytest.skip(f"{path} is not here: set AUTOSCOPE_DATA to the folder of the real data")
    out = tmp_path / "map.h5"
    assert main(["specimen", "import", str(path), "--map-current-pa", "15000", "-o", str(out)]) == 0
    return out


def test_every_configuration_is_tried_here() -> None:
    assert sorted(SMALL) == SESSIONS


@pytest.mark.parametrize("name", SESSIONS)
def test_it_plans_and_runs_for_a_few_steps(
    name: str, specimen: Path, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    overrides = list(SMALL[name])
    if name == "map":
        overrides.append(f"microscope.specimen={request.getfixturevalue('spectrum_image')}")
    if name != "defects":  # a second look at a field takes a frame of the budget
        overrides.append("model.unfamiliar='off'")
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
    assert len(steps) == 6 or (name == "defects" and 3 <= len(steps) <= 6)
    assert (tmp_path / "session" / "report.html").stat().st_size > 10_000
