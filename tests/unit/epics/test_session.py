"""A whole session over Channel Access against the simulated microscope, and what becomes of a lost server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from autoscope.app import load_config, run_session
from autoscope.app.config import Config, NotificationsConfig
from autoscope.app.loading import config_from, dump_config
from autoscope.core import ConfigurationError
from autoscope.epics.channels import Channels
from autoscope.records import WarningDocument, open_session
from autoscope.session import Progress

ROOT = Path(__file__).parents[3]


def configuration(prefix: str, **recovery: object) -> Config:
    document: dict[str, Any] = {
        "seed": 3,
        "microscope": {
            "kind": "epics", "prefix": prefix, "margin_s": 2.0,
            "timing": {"stage_settle_s": 0.1, "image_overhead_s": 0.2, "autofocus_s": 0.5},
        },
        "imaging": {
            "overview": {"hfw_um": 100.0, "width_px": 100, "height_px": 100},
            "reference": {"hfw_um": 20.0, "width_px": 64, "height_px": 64},
        },
        "budget": {"frames": 12},
        "targets": [{"quantity": "area_fraction", "class": "bright", "half_width": 0.01}],
        "model": {"kind": "threshold", "classes": ["dark", "bright"]},
        "policy": {"kind": "uniform"},
        "recovery": recovery,
    }  # fmt: skip
    return config_from(document)


def warnings_of(folder: Path) -> str:
    return "\n".join(d.message for d in open_session(folder).documents() if isinstance(d, WarningDocument))


@pytest.fixture
def faults(quick: object) -> Channels:
    channels = Channels({name: f"Q:Fault:{name}" for name in ("LoseFrame", "StallMove", "CorruptFrame")})
    assert channels.wait_connected(20.0) == ()
    return channels


@pytest.mark.slow
def test_a_session_ends_with_a_report_that_says_simulated_over_epics(quick: object, tmp_path: Path) -> None:
    result = run_session(configuration("Q:"), tmp_path / "s")
    assert result.finish_reason == "budget_spent"
    assert result.microscope.kind == "epics"
    assert result.microscope.simulated
    assert result.spent.frames == 12
    assert "simulated, over EPICS" in (tmp_path / "s" / "report.html").read_text()


@pytest.mark.slow
def test_what_fails_once_is_done_again_and_written_down(
    quick: object, faults: Channels, tmp_path: Path
) -> None:
    pending = ["LoseFrame", "StallMove", "CorruptFrame"]

    def inject(progress: Progress) -> None:
        if pending and progress.quantities and progress.quantities[0].fields_measured:
            faults[pending.pop()].write(1)

    result = run_session(configuration("Q:", retries=2), tmp_path / "s", listener=inject)
    assert result.finish_reason == "budget_spent"
    assert result.quantities[0].fields_lost == 0
    said = warnings_of(tmp_path / "s")
    for error in ("FrameTimeoutError", "StageStalledError", "FrameError"):
        assert error in said


def test_what_fails_for_good_is_a_fault(quick: object, faults: Channels, tmp_path: Path) -> None:
    def inject(progress: Progress) -> None:
        if progress.quantities and progress.quantities[0].fields_measured:
            faults["CorruptFrame"].write(50)

    try:
        result = run_session(configuration("Q:", retries=1), tmp_path / "s", listener=inject)
    finally:
        faults["CorruptFrame"].write(0)
    assert result.finish_reason == "instrument_fault"


@pytest.mark.slow
def test_a_field_that_fails_for_good_is_skipped_and_reported(
    quick: object, faults: Channels, tmp_path: Path
) -> None:
    struck: list[bool] = []

    def inject(progress: Progress) -> None:
        if not struck and progress.quantities and progress.quantities[0].fields_measured:
            struck.append(True)
            faults["CorruptFrame"].write(2)

    frame = {"retries": 1, "on_failure": "skip", "refocus": True}
    config = configuration("Q:", retries=0, frame=frame)
    result = run_session(config, tmp_path / "s", listener=inject)
    assert result.finish_reason == "budget_spent"
    assert result.quantities[0].fields_lost == 1
    said = warnings_of(tmp_path / "s")
    assert "the instrument focuses and it is taken again" in said
    assert "it is skipped" in said


@pytest.mark.slow
def test_a_stalled_move_is_told_while_it_lasts(quick: object, faults: Channels, tmp_path: Path) -> None:
    told = tmp_path / "told.jsonl"
    script = f"import sys; open({str(told)!r}, 'a').write(sys.stdin.read() + chr(10))"
    struck: list[bool] = []

    def inject(progress: Progress) -> None:
        if not struck and progress.quantities and progress.quantities[0].fields_measured:
            struck.append(True)
            faults["StallMove"].write(1)

    config = configuration("Q:", retries=1)
    notifications = NotificationsConfig(command=(sys.executable, "-c", script), overdue_s=1.0)
    config = config.model_copy(update={"notifications": notifications})
    run_session(config, tmp_path / "s", listener=inject)
    documents = [json.loads(line) for line in told.read_text().splitlines()]
    [moving] = [d for d in documents if d["state"] == "overdue" and d["reason"].startswith("a move")]
    assert moving["during"] == "measuring"
    assert moving["session"] == "s"
    assert (documents[-1]["state"], documents[-1]["reason"]) == ("done", "budget_spent")


@pytest.mark.slow
def test_a_hook_that_fails_is_a_warning_of_the_result(quick: object, tmp_path: Path) -> None:
    config = configuration("Q:")
    budget = config.budget.model_copy(update={"frames": 5})
    notifications = NotificationsConfig(command=("/no/such/program",))
    config = config.model_copy(update={"notifications": notifications, "budget": budget})
    result = run_session(config, tmp_path / "s")
    assert any("could not be started" in warning for warning in result.warnings)
    assert "could not be started" in (tmp_path / "s" / "report.html").read_text()


@pytest.mark.slow
def test_sessions_leave_nothing_behind_in_their_process(quick: object, tmp_path: Path) -> None:
    """``benchmarks/growth.py`` does the same with a hundred."""
    process = psutil.Process()
    held: list[tuple[int, int, int, int]] = []
    for number in range(6):
        config = configuration("Q:")
        config = config.model_copy(update={"budget": config.budget.model_copy(update={"frames": 5})})
        run_session(config, tmp_path / f"s{number}")
        sockets = len(process.net_connections(kind="all"))
        held.append((threading.active_count(), process.num_fds(), sockets, len(process.children())))
    assert held[2] == held[-1], held


@pytest.mark.slow
def test_sigterm_ends_a_session_with_a_result_and_the_beam_blanked(quick: object, tmp_path: Path) -> None:
    config, folder = configuration("Q:"), tmp_path / "s"
    (tmp_path / "c.toml").write_text(dump_config(config))
    channels = Channels({"blank": "Q:Beam:Blank"})
    assert channels.wait_connected(20.0) == ()
    command = [sys.executable, "-m", "autoscope", "run", str(tmp_path / "c.toml"), "--out", str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        deadline_s = time.monotonic() + 90
        while (
            not (folder / "events.jsonl").exists()
            or "observation" not in (folder / "events.jsonl").read_text()
        ):
            assert process.poll() is None
            assert time.monotonic() < deadline_s
            time.sleep(0.02)
        process.terminate()
        assert process.wait(60) == 130
    assert channels["blank"].number() == 1
    assert json.loads((folder / "result.json").read_text())["finish_reason"] == "stopped_by_operator"
    channels.close()


@pytest.mark.slow
def test_a_server_that_comes_back_is_waited_for(own: Any, tmp_path: Path) -> None:
    restarts: list[threading.Thread] = []

    def replug() -> None:
        own.kill()
        own.start()

    def pull(progress: Progress) -> None:
        if not restarts and progress.quantities and progress.quantities[0].fields_measured == 2:
            restarts.append(threading.Thread(target=replug))
            restarts[0].start()

    result = run_session(configuration(own.prefix, wait_s=90.0), tmp_path / "s", listener=pull)
    restarts[0].join()
    assert result.finish_reason == "budget_spent"
    said = warnings_of(tmp_path / "s")
    assert "DisconnectedError" in said
    assert "the instrument was back after" in said


@pytest.mark.slow
def test_a_server_that_is_lost_for_good_leaves_a_result(own: Any, tmp_path: Path) -> None:
    def pull(progress: Progress) -> None:
        if progress.quantities and progress.quantities[0].fields_measured == 2:
            own.kill()

    result = run_session(configuration(own.prefix, wait_s=2.0), tmp_path / "s", listener=pull)
    assert result.finish_reason == "instrument_fault"
    assert "could not be made safe, look after it" in warnings_of(tmp_path / "s")
    assert (tmp_path / "s" / "report.html").exists()


def test_the_truth_of_a_simulation_is_refused_on_an_instrument(tmp_path: Path) -> None:
    config = configuration("Q:")
    config = config.model_copy(update={"model": config.model.model_copy(update={"kind": "truth"})})
    with pytest.raises(ConfigurationError, match='"epics" has no truth'):
        run_session(config, tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_killed_session_leaves_the_beam_blanked_within_two_seconds(own: Any) -> None:
    script = (
        "import time, tomllib\n"
        "from autoscope.epics import EpicsMicroscope, PVMap, default_pvs\n"
        f"m = EpicsMicroscope(PVMap.model_validate(tomllib.loads(default_pvs())), prefix={own.prefix!r})\n"
        "m._do_blank(False)\nprint('unblanked', flush=True)\ntime.sleep(60)"
    )
    channels = Channels({"blank": f"{own.prefix}Beam:Blank", "beat": f"{own.prefix}Heartbeat"})
    assert channels.wait_connected(20.0) == ()
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"unblanked\n"
        assert channels["blank"].number() == 0
        assert channels.wait_until(lambda: channels["beat"].value > 0, 5.0)
        process.kill()
    killed_s = time.monotonic()
    assert channels.wait_until(lambda: channels["blank"].value == 1, 5.0)
    assert time.monotonic() - killed_s < 2.0
    channels.close()


@pytest.mark.slow
def test_doctor_says_what_every_pv_says(quick: object, tmp_path: Path) -> None:
    text = (
        (ROOT / "configs/epics.toml")
        .read_text()
        .replace("SEM:", "Q:")
        .replace("../autoscope", str(ROOT / "autoscope"))
    )
    path = tmp_path / "epics.toml"
    path.write_text(text)
    assert load_config(path).microscope.kind == "epics"
    for prefix, status in (("Q:", 0), ("NOBODY:", 2)):
        path.write_text(text.replace('"Q:"', f'"{prefix}"'))
        command = [sys.executable, "-m", "autoscope", "doctor", str(path), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False, timeout=120)
        findings = {item["name"]: item for item in json.loads(done.stdout)}
        x = findings[f"stage.x.readback ({prefix}Stage:X.RBV)"]
        assert x["ok"] == (status == 0)
        assert ("um, no alarm" in x["detail"]) == (status == 0)
        if status:
            assert done.returncode == status
            assert findings["configuration"]["detail"] == "75 of 75 PVs do not connect"
