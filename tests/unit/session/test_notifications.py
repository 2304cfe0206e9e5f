"""Whoever is not there is told, in time and without ever holding the session up."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from autoscope.microscope import Activity, Budget, SimulatedClock, Spent
from autoscope.session import (
    Notice,
    NotificationSettings,
    Notifier,
    Progress,
    SessionControl,
    TimeLeft,
    Watchdog,
)
from autoscope.survey import QuantityState, Target

DONE = Notice("done", "targets_reached", "done")


def told(settings: NotificationSettings, *notices: Notice) -> list[str]:
    """Tells everything and returns what failed."""
    notifier = Notifier(settings, "session-7", "steel")
    for notice in notices:
        notifier.tell(notice)
    notifier.close()
    return notifier.failures()


class Receiver(HTTPServer):
    """Keeps what it is posted and answers with a status."""

    def __init__(self, status: int) -> None:
        self.status, self.received = status, list[dict[str, Any]]()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?token=s3cret"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(json.loads(body) | {"type": self.headers["Content-Type"]})
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(params=[200])
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    with Receiver(request.param) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_command_is_handed_the_document(tmp_path: Path) -> None:
    script = f"import sys; open({str(tmp_path / 'told')!r}, 'w').write(sys.stdin.read())"
    assert told(NotificationSettings(command=(sys.executable, "-c", script)), DONE) == []
    document = json.loads((tmp_path / "told").read_text())
    assert document.pop("time")
    assert document == {
        "schema": "autoscope.notification/1", "session": "session-7", "sample": "steel", "state": "done",
        "reason": "targets_reached", "during": "done",
    }  # fmt: skip


def test_an_address_is_posted_the_document(receiver: Receiver) -> None:
    assert told(NotificationSettings(url=receiver.url), DONE) == []
    [document] = receiver.received
    assert (document["state"], document["type"]) == ("done", "application/json")


def test_an_address_may_stay_in_the_environment(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOSCOPE_TEST_HOOK", receiver.url)
    assert told(NotificationSettings(url="$AUTOSCOPE_TEST_HOOK"), DONE) == []
    assert len(receiver.received) == 1


def test_only_what_is_wanted_is_told(receiver: Receiver) -> None:
    settings = NotificationSettings(url=receiver.url, on=("failed",))
    assert told(settings, DONE, Notice("failed", "no beam", "measuring")) == []
    assert [document["state"] for document in receiver.received] == ["failed"]


@pytest.mark.parametrize("receiver", [500], indirect=True)
def test_a_server_that_refuses_is_a_sentence_without_the_address(receiver: Receiver) -> None:
    [said] = told(NotificationSettings(url=receiver.url), DONE)
    assert said.startswith("notifications.url: nobody was told that the session is done: ")
    assert "status 500" in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (NotificationSettings(command=("/no/such/program", "s3cret")), "could not be started"),
        (NotificationSettings(command=(sys.executable, "-c", "raise SystemExit(3)", "s3cret")), "status 3"),
        (NotificationSettings(url="http://127.0.0.1:1/s3cret"), "cannot be reached"),
        (NotificationSettings(url="$AUTOSCOPE_NO_SUCH_VARIABLE_s3cret"), "environment"),
    ],
)
def test_a_hook_that_fails_is_a_sentence_without_secrets(settings: NotificationSettings, said: str) -> None:
    [failure] = told(settings, DONE)
    assert said in failure
    assert "s3cret" not in failure


def test_a_command_that_hangs_is_killed_and_holds_nobody_up(tmp_path: Path) -> None:
    hangs = (sys.executable, "-c", "import time; time.sleep(600)")
    notifier = Notifier(NotificationSettings(command=hangs, timeout_s=0.5), "s")
    began_s = time.monotonic()
    notifier.tell(DONE)
    assert time.monotonic() - began_s < 0.4
    notifier.close()
    assert time.monotonic() - began_s < 10
    [failure] = notifier.failures()
    assert "did not end within 0.5 s and was killed" in failure


class Watched:
    """A watchdog over a microscope that does what the test says; its own thread is not started."""

    def __init__(self, overdue_s: float = 0.0) -> None:
        self.notices: list[Notice] = []
        self.control, self.clock = SessionControl(), SimulatedClock()
        self.microscope: Any = SimpleNamespace(activity=Activity("", 1e9, 0.0), clock=self.clock)
        self.dog = Watchdog(self.microscope, self.control, self.notices.append, overdue_s=overdue_s)

    def does(self, what: str, predicted_s: float) -> None:
        self.microscope.activity = Activity(what, predicted_s, time.monotonic())
        self.dog.look()

    def progress(self, fields: int, left: TimeLeft | None, state: str = "measuring") -> None:
        target = Target("area_fraction", "pearlite", half_width=0.01, relative=None, confidence=0.95)
        quantity = QuantityState(target, 0.2, 0.1, 0.3, False, fields, 0, "")
        self.dog.saw(Progress(state, 1, 1, (quantity,), Spent(), Budget(), left))


def test_an_action_is_overdue_only_when_it_takes_longer_than_predicted() -> None:
    watched = Watched()
    watched.does("a move", 1e6)
    assert watched.notices == []
    watched.does("a move", 0.0)
    [notice] = watched.notices
    assert (notice.state, notice.reason[:14]) == ("overdue", "a move has tak")


def test_the_same_delay_is_told_once() -> None:
    watched = Watched()
    for what in ("a frame", "a frame", "a move", ""):
        watched.does(what, 0.0)
    said = [notice.reason for notice in watched.notices]
    assert [reason.split(" has ")[0] for reason in said] == ["a frame", "a move", "the instrument"]


def test_a_session_that_waits_is_paused_and_not_overdue() -> None:
    watched = Watched()
    with watched.control.waiting("field 3: the valve is closed"):
        watched.does("", 0.0)
        watched.does("", 0.0)
    assert [(n.state, n.reason) for n in watched.notices] == [("paused", "field 3: the valve is closed")]
    watched.notices.clear()
    watched.progress(3, None, state="paused")
    watched.does("", 0.0)
    assert [notice.reason for notice in watched.notices] == ["the operator holds the session"]


def test_a_session_that_is_later_than_its_90th_percentile_is_overdue_once() -> None:
    watched = Watched()
    watched.progress(9, TimeLeft(1.0, 2.0))  # too early to be taken at its word
    watched.clock.sleep(50.0)
    watched.progress(10, TimeLeft(60.0, 100.0))  # due at 150 s
    watched.clock.sleep(100.0)
    watched.progress(30, TimeLeft(20.0, 30.0))
    assert watched.notices == []
    watched.clock.sleep(1.0)
    for _ in range(2):
        watched.progress(31, TimeLeft(19.0, 29.0))
    [notice] = watched.notices
    assert notice.state == "overdue"
    assert "about 19 s are left" in notice.reason


def test_a_watchdog_looks_by_itself_and_leaves_no_thread() -> None:
    watched = Watched()
    watched.microscope.activity = replace(watched.microscope.activity, predicted_s=0.0)
    told_of = threading.Event()
    dog = Watchdog(watched.microscope, watched.control, lambda notice: told_of.set(), overdue_s=0.0)
    before = threading.active_count()
    with dog:
        assert told_of.wait(10.0)
    assert threading.active_count() == before
