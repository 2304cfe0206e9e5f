"""Sessions that count inclusions and measure grain size, from configuration to report."""

import json
from pathlib import Path

import pytest

from autoscope.app.cli import main
from autoscope.app.loading import load_config
from autoscope.app.planning import plan_session
from autoscope.app.running import check, resume_session, run_session
from autoscope.records import InclusionsDocument, open_session
from autoscope.session import Progress, SessionControl
from autoscope_simulators import SpecimenFile, write_specimen
from autoscope_simulators.synthetic import generate

SESSION = """
seed = {seed}
[microscope]
kind = "simulated"
specimen = "{specimen}"
[imaging.overview]
hfw_um = 256.0
width_px = 256
height_px = 256
[imaging.reference]
hfw_um = {hfw_um}
width_px = {width_px}
height_px = {width_px}
dwell_us = 5.0
[policy]
kind = "uniform"
"""
COUNT = """
[[targets]]
quantity = "inclusions_per_mm2"
class = "sulphide"
min_feature_um = 1.5
relative = 0.3
"""
GRAINS = """
[[targets]]
quantity = "grain_size"
relative = 0.05
"""
SHARE = """
[[targets]]
quantity = "area_fraction"
class = "sulphide"
min_feature_um = 1.5
relative = 0.5
"""
TRUTH = '[model]\nkind = "truth"\n'


@pytest.fixture(scope="module")
def inclusions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small steel with inclusions and grains: 24 x 24 fields of 25.6 um."""
    path = tmp_path_factory.mktemp("specimen") / "inclusions.h5"
    write_specimen(generate("inclusions", seed=3, size_um=(615.0, 615.0)), path)
    return path


def written(folder: Path, specimen: Path, *tables: str, seed: int = 1, hfw_um: float = 38.4) -> Path:
    path = folder / "session.toml"
    text = SESSION.format(specimen=specimen, seed=seed, hfw_um=hfw_um, width_px=round(hfw_um / 0.3))
    path.write_text(text + "".join(tables))
    return path


def truth(config: Path, capsys: pytest.CaptureFixture[str]) -> list[float]:
    assert main(["specimen", "truth", "--config", str(config), "--json"]) == 0
    return [q["truth"] for q in json.loads(capsys.readouterr().out)["quantities"]]


def test_the_specimen_has_grains_under_its_inclusions(inclusions: Path) -> None:
    with SpecimenFile(inclusions) as specimen:
        assert specimen.has_grains
        assert specimen.grains_window(specimen.tiles[0]).min() >= 1


def test_several_quantities_are_known_at_once(
    inclusions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written(tmp_path, inclusions, COUNT, GRAINS, SHARE, TRUTH)
    out = tmp_path / "session"
    assert main(["run", str(config), "--out", str(out), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["finish_reason"] == "targets_reached"
    for quantity, exact in zip(result["quantities"], truth(config, capsys), strict=True):
        assert quantity["target_met"]
        half = (quantity["ci_high"] - quantity["ci_low"]) / 2
        assert quantity["ci_low"] - half <= exact <= quantity["ci_high"] + half
    counted, grains, share = result["quantities"]
    assert [q["unit"] for q in result["quantities"]] == ["1/mm2", "um", "1"]
    assert counted["estimate"] > 100
    number = grains["extra"]["grain_size_number"]
    assert grains["extra"]["grain_size_number_low"] < number < grains["extra"]["grain_size_number_high"]
    assert share["estimate"] < 0.01
    page = (out / "report.html").read_text()
    for said in (
        "Number density of inclusions of sulphide", "per mm²", "Mean lineal intercept of the grains", "µm",
        f"G = {number:.2f}", "Inclusions smaller than 1.5 µm", "Features smaller than 1.5 µm",
        "Inclusions that were counted", "per µm",
    ):  # fmt: skip
        assert said in page


def test_a_census_is_the_truth_and_lists_every_inclusion(
    inclusions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written(tmp_path, inclusions, COUNT, GRAINS, TRUTH)
    result = run_session(load_config(config, ["policy.kind=raster"]), tmp_path / "session")
    assert result.finish_reason == "exhausted"
    assert [q.estimate for q in result.quantities] == pytest.approx(truth(config, capsys))
    side_um = 16 * 38.4
    with SpecimenFile(inclusions) as specimen:
        expected = [
            (i.x_um, i.y_um)
            for i in specimen.inclusions
            if i.class_name == "sulphide" and i.equivalent_diameter_um >= 1.5
            and max(i.x_um, i.y_um) < side_um
        ]  # fmt: skip
    assert sorted((i.x_um, i.y_um) for i in result.inclusions) == sorted(expected)
    assert {i.class_name for i in result.inclusions} == {"sulphide"}
    assert min(i.equivalent_diameter_um for i in result.inclusions) >= 1.5


def test_an_interrupted_count_goes_on_and_lists_nothing_twice(inclusions: Path, tmp_path: Path) -> None:
    config, control = load_config(written(tmp_path, inclusions, COUNT, TRUTH)), SessionControl()

    def listen(progress: Progress) -> None:
        if progress.quantities and progress.quantities[0].fields_measured >= 20:
            control.stop()

    run_session(config, tmp_path / "cut", control=control, listener=listen)
    resumed = resume_session(tmp_path / "cut")
    assert resumed.finish_reason == "targets_reached"
    documents = [d for d in open_session(tmp_path / "cut").documents() if isinstance(d, InclusionsDocument)]
    assert len({d.field for d in documents}) == len(documents)
    places = [(i.x_um, i.y_um) for i in resumed.inclusions]
    assert len(set(places)) == len(places) == sum(len(d.inclusions) for d in documents) > 0


def test_a_frame_shows_the_inclusions_that_the_truth_has(inclusions: Path, tmp_path: Path) -> None:
    """Grey-level thresholds on rendered frames: inclusions are dark, and lie where the table says."""
    model = '[model]\nkind = "threshold"\nclasses = ["dark", "matrix"]\nthresholds = [0.52]\n'
    count = COUNT.replace("sulphide", "dark").replace("1.5", "2.5")
    config = load_config(written(tmp_path, inclusions, count, model), ["budget.frames=49"])
    result = run_session(config, tmp_path / "session")
    with SpecimenFile(inclusions) as specimen:
        table = specimen.inclusions
    assert len(result.inclusions) >= 5
    for found in result.inclusions:
        x, y, d = found.x_um, found.y_um, found.equivalent_diameter_um
        near = min(table, key=lambda i: (i.x_um - x) ** 2 + (i.y_um - y) ** 2)
        assert abs(near.x_um - x) < 1.0
        assert abs(near.y_um - y) < 1.0
        assert near.equivalent_diameter_um == pytest.approx(d, rel=0.35)


def test_a_count_that_finds_nothing_ends_with_a_bound(inclusions: Path, tmp_path: Path) -> None:
    nothing = COUNT.replace("1.5", "50.0").replace("relative = 0.3", "half_width = 20.0")
    result = run_session(load_config(written(tmp_path, inclusions, nothing, TRUTH)), tmp_path / "session")
    (quantity,) = result.quantities
    assert result.finish_reason == "targets_reached"
    assert (quantity.estimate, quantity.ci_low) == (0.0, 0.0)
    assert quantity.relative_accuracy_percent is None
    assert quantity.ci_high is not None
    assert 0 < quantity.ci_high <= 40.0
    assert "rule of three" in quantity.estimator


@pytest.mark.parametrize("tier", ["anytime", "guaranteed"])
def test_other_tiers_run(tier: str, inclusions: Path, tmp_path: Path) -> None:
    overrides = [f"statistics.tier={tier}", "policy.exploration=0.5", "targets.0.highest=50000.0"]
    config = load_config(written(tmp_path, inclusions, COUNT, GRAINS, TRUTH), overrides)
    result = run_session(config, tmp_path / "session")
    assert result.finish_reason in {"targets_reached", "exhausted"}
    assert all(q.target_met for q in result.quantities)


def test_the_plan_speaks_in_the_units_of_the_targets(inclusions: Path, tmp_path: Path) -> None:
    overrides = ["budget.beam_time_s=600.0"]
    with check(load_config(written(tmp_path, inclusions, COUNT, GRAINS, TRUTH), overrides)) as checked:
        plan = plan_session(checked)
    assert [t.unit for t in plan.targets] == ["1/mm2", "um"]
    assert plan.targets[0].spread_p50 == pytest.approx(1e6 / 38.4**2)
    assert plan.targets[1].spread_p50 == pytest.approx(0.15 * 3.84)
    assert all(50 <= t.fields_p50 <= t.fields_p90 <= 256 for t in plan.targets)
    printed = json.loads(json.dumps(plan.to_json()))["targets"]
    assert [t["class"] for t in printed] == [t.class_name for t in plan.targets]
    assert "class_name" not in printed[0]


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("targets.0.class=chromite", "chromite"),
        ("targets.1.class=oxide", "not its grain boundaries"),
        ("model.kind=segmentation", "model.weights"),
    ],
)
def test_contradictions_are_found_before_anything_is_touched(
    override: str, said: str, inclusions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = written(tmp_path, inclusions, COUNT, GRAINS, TRUTH)
    assert main(["run", str(config), "--out", str(tmp_path / "out"), "--set", override]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_grain_size_without_a_class_needs_numbered_grains(
    inclusions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = '[model]\nkind = "threshold"\nclasses = ["dark", "bright"]\n'
    config = written(tmp_path, inclusions, GRAINS, model)
    assert main(["doctor", str(config)]) == 2
    captured = capsys.readouterr()
    assert "class of the grain boundaries" in " ".join((captured.out + captured.err).split())
