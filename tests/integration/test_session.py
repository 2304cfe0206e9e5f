"""Whole sessions on a small synthetic steel, in process."""

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autoscope.app.cli import main
from autoscope.app.loading import load_config
from autoscope.app.running import resume_session, run_session
from autoscope.core import ConfigurationError, ModelError, SessionFailedError
from autoscope.records import DecisionDocument, ObservationDocument, StateDocument, open_session
from autoscope.session import Progress, SessionControl

Write = Callable[..., Path]

RESULT_KEYS = {
    "schema", "autoscope_version", "finish_reason", "microscope", "sample", "started", "finished", "specimen",
    "seed", "policy", "model", "spent", "quantities", "inclusions", "labels", "warnings",
}  # fmt: skip
QUANTITY_KEYS = {
    "quantity", "class", "unit", "estimate", "ci_low", "ci_high", "confidence", "relative_accuracy_percent",
    "fields_measured", "fields_in_region", "estimator", "tier", "target_met", "covers",
}  # fmt: skip
SPENT_KEYS = {
    "beam_time_s", "wall_time_s", "dose_e_per_nm2_max", "eds_live_s", "frames", "spectra", "stage_travel_um",
}  # fmt: skip


def truth_of(config: Path, capsys: pytest.CaptureFixture[str]) -> float:
    assert main(["specimen", "truth", "--config", str(config), "--json"]) == 0
    return float(json.loads(capsys.readouterr().out)["quantities"][0]["truth"])


def test_a_session_finds_the_truth_and_leaves_what_the_contract_says(
    write_config: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, out = write_config(), tmp_path / "session"
    assert main(["run", str(config), "--out", str(out), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    result = json.loads((out / "result.json").read_text())
    assert printed == result
    assert set(result) >= RESULT_KEYS
    assert set(result["spent"]) >= SPENT_KEYS
    (quantity,) = result["quantities"]
    assert set(quantity) >= QUANTITY_KEYS
    assert result["finish_reason"] == "targets_reached"
    assert result["microscope"]["simulated"] is True
    assert quantity["target_met"]
    assert (quantity["ci_high"] - quantity["ci_low"]) / 2 <= 0.05
    assert quantity["fields_in_region"] == 256
    assert quantity["ci_low"] <= truth_of(config, capsys) <= quantity["ci_high"]
    for name in ("session.h5", "events.jsonl", "report.html", "config.toml"):
        assert (out / name).stat().st_size > 0


def test_documents_are_what_the_contract_says(write_config: Write, tmp_path: Path) -> None:
    out = tmp_path / "session"
    run_session(load_config(write_config()), out)
    lines = [json.loads(line) for line in (out / "events.jsonl").read_text().splitlines()]
    assert all({"type", "seq", "time"} <= set(line) for line in lines)
    assert [line["seq"] for line in lines] == list(range(len(lines)))
    decisions = [line for line in lines if line["type"] == "decision"]
    wanted = {"field", "x_um", "y_um", "preset", "propensity", "candidates", "reason", "predicted_cost_s"}
    assert all(wanted | {"policy_sha256"} <= set(d) for d in decisions)
    assert decisions[0]["propensity"] == pytest.approx(1 / 256)
    observations = [line for line in lines if line["type"] == "observation"]
    assert all({"field", "quantity", "class", "value", "predicted"} <= set(o) for o in observations)
    assert [d["field"] for d in decisions] == [o["field"] for o in observations]


def test_the_config_in_the_folder_is_exactly_what_ran(write_config: Write, tmp_path: Path) -> None:
    config = load_config(write_config(), ["targets.0.half_width=0.06"], seed=8)
    out = tmp_path / "session"
    run_session(config, out)
    assert load_config(out / "config.toml") == config


def test_the_same_seed_gives_the_same_session(write_config: Write, tmp_path: Path) -> None:
    config = load_config(write_config())
    first, second = (run_session(config, tmp_path / name) for name in ("one", "two"))
    other = run_session(load_config(write_config(), seed=4), tmp_path / "three")
    assert first.quantities == second.quantities
    assert first.spent.beam_time_s == second.spent.beam_time_s
    assert first.quantities != other.quantities


def test_a_raster_is_a_census_without_an_interval_before_its_end(
    write_config: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, out = write_config(), tmp_path / "session"
    status = main(["run", str(config), "--out", str(out), "--json", "--set", "policy.kind=raster"])
    result = json.loads(capsys.readouterr().out)
    (quantity,) = result["quantities"]
    assert (status, result["finish_reason"]) == (0, "exhausted")
    assert quantity["estimate"] == pytest.approx(truth_of(config, capsys), abs=1e-12)
    assert quantity["ci_low"] == pytest.approx(quantity["ci_high"])
    assert quantity["fields_measured"] == 256


def test_an_unfinished_raster_has_no_interval(write_config: Write, tmp_path: Path) -> None:
    config = load_config(write_config(), ["policy.kind=raster", "budget.frames=40"])
    result = run_session(config, tmp_path / "session")
    assert result.finish_reason == "budget_spent"
    assert result.quantities[0].ci_low is None


@pytest.mark.parametrize("kind", ["systematic", "proportional"])
def test_other_designs_find_the_truth_too(
    kind: str, write_config: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config()
    result = run_session(load_config(path, [f"policy.kind={kind}"]), tmp_path / "session")
    (quantity,) = result.quantities
    assert result.finish_reason in {"targets_reached", "exhausted"}
    assert quantity.ci_low is not None
    assert quantity.ci_high is not None
    assert quantity.ci_low - 0.02 <= truth_of(path, capsys) <= quantity.ci_high + 0.02


@pytest.mark.parametrize(
    ("override", "spent", "limit"),
    [
        ("budget.frames=20", "frames", 20),
        ("budget.beam_time_s=100.0", "beam_time_s", 100.0),
        ("budget.dose_e_per_nm2=0.05", "dose_e_per_nm2_max", 0.05),
    ],
)
def test_budgets_hold(override: str, spent: str, limit: float, write_config: Write, tmp_path: Path) -> None:
    result = run_session(load_config(write_config(), [override]), tmp_path / "session")
    assert result.finish_reason == "budget_spent"
    assert getattr(result.spent, spent) <= limit
    assert any(override.split("=", maxsplit=1)[0].split(".")[1] in warning for warning in result.warnings)


def stop_after(fields: int, control: SessionControl) -> Callable[[Progress], None]:
    def listen(progress: Progress) -> None:
        if progress.quantities and progress.quantities[0].fields_measured >= fields:
            control.stop()

    return listen


def test_a_stopped_session_reports_what_it_measured_and_goes_on_when_resumed(
    write_config: Write, tmp_path: Path
) -> None:
    config, control = load_config(write_config()), SessionControl()
    whole = run_session(config, tmp_path / "whole")
    stopped = run_session(config, tmp_path / "cut", control=control, listener=stop_after(20, control))
    assert stopped.finish_reason == "stopped_by_operator"
    measured = stopped.quantities[0].fields_measured
    assert 20 <= measured < 50
    resumed = resume_session(tmp_path / "cut")
    assert resumed.finish_reason == "targets_reached"
    first = [d.field for d in documents(tmp_path / "whole", DecisionDocument)][:measured]
    again = [d.field for d in documents(tmp_path / "cut", DecisionDocument)][:measured]
    assert again == first
    assert whole.quantities[0].target_met


def documents(folder: Path, kind: type) -> list[Any]:
    return [d for d in open_session(folder).documents() if isinstance(d, kind)]


def test_a_paused_session_waits_and_goes_on(write_config: Write, tmp_path: Path) -> None:
    control, seen = SessionControl(), []

    def listen(progress: Progress) -> None:
        if progress.quantities and progress.quantities[0].fields_measured == 5 and "paused" not in seen:
            control.pause()
        if progress.state == "paused":
            seen.append("paused")
            threading.Timer(0.05, control.resume).start()

    result = run_session(load_config(write_config()), tmp_path / "session", control=control, listener=listen)
    assert seen == ["paused"]
    assert result.finish_reason == "targets_reached"
    states = [d.state for d in documents(tmp_path / "session", StateDocument)]
    assert states == ["overview", "measuring", "paused", "measuring", "done"]


def test_a_skipped_field_stays_in_the_population_at_its_worst_case(
    write_config: Write, tmp_path: Path
) -> None:
    control, skipped = SessionControl(), []

    def listen(progress: Progress) -> None:
        if progress.quantities and progress.quantities[0].fields_measured == 5 and not skipped:
            skipped.append(True)
            control.skip_field()

    result = run_session(load_config(write_config()), tmp_path / "session", control=control, listener=listen)
    lost = [d for d in documents(tmp_path / "session", ObservationDocument) if d.value is None]
    assert [d.note for d in lost] == ["skipped by the operator"]
    assert result.quantities[0].fields_lost == 1


def test_a_session_is_never_written_over(write_config: Write, tmp_path: Path) -> None:
    config, out = load_config(write_config()), tmp_path / "session"
    run_session(config, out)
    before = (out / "events.jsonl").read_bytes()
    with pytest.raises(ConfigurationError, match="--resume"):
        run_session(config, out)
    assert (out / "events.jsonl").read_bytes() == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="not a session"):
        run_session(config, other)
    assert [p.name for p in other.iterdir()] == ["thesis.txt"]


def test_resuming_a_finished_session_returns_its_result(write_config: Write, tmp_path: Path) -> None:
    out = tmp_path / "session"
    result = run_session(load_config(write_config()), out)
    before = (out / "events.jsonl").read_bytes()
    assert resume_session(out).quantities == result.quantities
    assert (out / "events.jsonl").read_bytes() == before


@pytest.mark.parametrize("lost", [("result.json", "report.html"), ("report.html",)])
def test_resuming_writes_what_a_process_killed_at_the_very_end_did_not_come_to(
    lost: tuple[str, ...], write_config: Write, tmp_path: Path
) -> None:
    out = tmp_path / "session"
    run_session(load_config(write_config()), out)
    written = {name: (out / name).read_bytes() for name in ("events.jsonl", "result.json", "report.html")}
    for name in lost:
        (out / name).unlink()
    resume_session(out)
    assert {name: (out / name).read_bytes() for name in written} == written


@pytest.mark.parametrize("command", [["run", "--resume"], ["report"]])
def test_what_is_no_session_is_refused(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, str(tmp_path)]) == 2
    assert str(tmp_path) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("region.rectangle_um=[0, 0, 300, 300]", "reaches beyond the specimen"),
        ("envelope.x_um=[0.0, 100.0]", "field centres lie outside envelope.x_um"),
        ("targets.0.class=perlite", "perlite"),
        ("imaging.reference.hfw_um=400.0", "not one whole reference field"),
        ("imaging.overview.hfw_um=8.0", "smaller than a reference"),
        ("beam.detector=se", "beam.detector = 'se'"),
        ("microscope.specimen=nowhere.h5", "nowhere.h5"),
        ("targets.0.quantity=grain_size", "grain_size"),
        ("eds.enabled=true", "eds.enabled"),
        ("eds.max_live_time_s=3.0", "max_live_s"),
        ("policy.kind=learned", "learned"),
        ("model.kind=segmentation", "model.weights"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_touched(
    override: str, said: str, write_config: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "session"
    status = main(["run", str(write_config()), "--out", str(out), "--set", override])
    assert status == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_session_that_fails_says_so_in_a_result_and_a_report(
    write_config: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ModelError("the model came apart")

    monkeypatch.setattr("autoscope.app.preparing.survey_of", broken)
    out = tmp_path / "session"
    assert main(["run", str(write_config()), "--out", str(out)]) == 1
    assert "autoscope: error: the model came apart" in capsys.readouterr().err
    result = json.loads((out / "result.json").read_text())
    assert (result["finish_reason"], result["spent"]["frames"]) == ("failed", 4)
    assert any("the model came apart" in warning for warning in result["warnings"])
    assert "the model came apart" in (out / "report.html").read_text()
    with pytest.raises(SessionFailedError) as caught:
        resume_session(out)
    assert isinstance(caught.value.__cause__, ModelError)


def test_keep_out_zones_hold_and_are_reported(write_config: Write, tmp_path: Path) -> None:
    config = load_config(write_config(), ["envelope.keep_out=[[100.0, 100.0, 140.0, 140.0]]"])
    result = run_session(config, tmp_path / "session")
    assert any("keep-out" in warning for warning in result.warnings)
    frames = [d for d in open_session(tmp_path / "session").documents() if d.type == "frame"]
    assert not [f for f in frames if 100 <= f.x_um <= 140 and 100 <= f.y_um <= 140]


@pytest.mark.parametrize("tier", ["anytime", "guaranteed"])
def test_other_tiers_run(tier: str, write_config: Write, tmp_path: Path) -> None:
    overrides = [f"statistics.tier={tier}", "policy.exploration=0.5", "targets.0.half_width=0.1"]
    result = run_session(load_config(write_config(), overrides), tmp_path / "session")
    assert result.quantities[0].tier == tier
    assert result.finish_reason in {"targets_reached", "exhausted"}
