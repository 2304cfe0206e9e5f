"""An operator's commands reach a running session by its folder, and its records say so."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from autoscope.app import load_config, run_session
from autoscope.records import (
    CommandDocument,
    FinishedDocument,
    ObservationDocument,
    SessionResult,
    StateDocument,
    open_session,
    send_command,
)
from autoscope.session import Progress


class Operator:
    """Watches a session as its listener, and sends commands by the folder as soon as it may."""

    def __init__(self, folder: Path, *plan: tuple[str, str]) -> None:
        self.folder, self.plan = folder, list(plan)
        self.sent: list[str] = []

    def __call__(self, progress: Progress) -> None:
        while self.plan and progress.state == self.plan[0][0]:
            _, command = self.plan.pop(0)
            self.sent.append(send_command(self.folder, command, by="test").id)
            if command != "resume":
                self._wait(command)

    def _wait(self, command: str) -> None:
        """Gives the session's listener time to hear it; its documents say that it did."""
        heard.wait(5.0)
        heard.clear()


heard = threading.Event()


@pytest.fixture(autouse=True)
def hear(monkeypatch: pytest.MonkeyPatch) -> None:
    from autoscope.session import SessionControl

    obey = SessionControl.obey

    def obeyed(self, command) -> None:
        obey(self, command)
        heard.set()

    heard.clear()
    monkeypatch.setattr(SessionControl, "obey", obeyed)


def run(write_config, folder: Path, operator: Operator) -> SessionResult:
    return run_session(load_config(write_config()), folder, listener=operator)


def test_pause_resume_and_stop(write_config, tmp_path):
    folder = tmp_path / "session"
    operator = Operator(folder, ("measuring", "pause"), ("paused", "resume"), ("measuring", "stop"))
    result = run(write_config, folder, operator)
    assert result.finish_reason == "stopped_by_operator"
    documents = open_session(folder).documents()
    assert [d.state for d in documents if isinstance(d, StateDocument)] == [
        "overview", "measuring", "paused", "measuring", "stopping", "done",
    ]  # fmt: skip
    taken_up = [d for d in documents if isinstance(d, CommandDocument)]
    assert [(d.command, d.by) for d in taken_up] == [("pause", "test"), ("resume", "test"), ("stop", "test")]
    assert [d.id for d in taken_up] == operator.sent
    assert isinstance(documents[-1], FinishedDocument)


def test_a_skipped_field_stays_in_the_population(write_config, tmp_path):
    folder = tmp_path / "session"
    result = run(write_config, folder, Operator(folder, ("measuring", "skip")))
    lost = [
        d for d in open_session(folder).documents() if isinstance(d, ObservationDocument) and d.value is None
    ]
    assert [d.note for d in lost] == ["skipped by the operator"]
    assert result.quantities[0].fields_lost == 1


def test_what_was_asked_before_an_interruption_is_not_done_after_it(write_config, tmp_path):
    from autoscope.app.running import resume_session

    folder = tmp_path / "session"
    run(write_config, folder, Operator(folder, ("measuring", "stop")))
    send_command(folder, "stop")
    assert resume_session(folder).finish_reason == "targets_reached"
