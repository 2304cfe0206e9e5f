"""What goes wrong in the cases of the fault campaign, and how one of them is run and judged."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from served_ioc import ServedIOC

from autoscope.app import load_config, run_session
from autoscope.core import AutoscopeError, ConfigurationError
from autoscope.epics.channels import Channels
from autoscope.records import SessionResult, SessionView, open_session
from autoscope.session import Progress
from autoscope_simulators import SpecimenData, write_specimen

PREFIX = "C:"
FIELDS = 10
ENVELOPE_UM = (5.0, 195.0)
"""What the sessions allow; the served stage itself reaches from 0 to 200 um."""

DEADLINE_S = 90.0
"""Real seconds in which a case must have ended, on a machine that does other work as well."""

BLANKED_S = 2.0
"""Real seconds in which the beam must be blanked after any ending."""

FOUND_S = 90.0
"""Real seconds in which a server that was away for long is found: the library then asks once a minute."""

CONFIG = f"""
[microscope]
kind = "epics"
prefix = "{PREFIX}"
margin_s = 1.5
connect_timeout_s = {FOUND_S}
[envelope]
x_um = [{ENVELOPE_UM[0]}, {ENVELOPE_UM[1]}]
y_um = [{ENVELOPE_UM[0]}, {ENVELOPE_UM[1]}]
[region]
rectangle_um = [0.0, 0.0, 200.0, 200.0]
[focus]
every_s = 60.0
[imaging.overview]
hfw_um = 100.0
width_px = 100
height_px = 100
[imaging.reference]
hfw_um = 20.0
width_px = 100
height_px = 100
[budget]
frames = {4 + FIELDS + 6}
[[targets]]
quantity = "area_fraction"
class = "bright"
half_width = 0.001
[model]
kind = "threshold"
classes = ["dark", "bright"]
thresholds = [0.5]
[policy]
kind = "uniform"
[recovery]
retries = 3
wait_s = 45.0
on_failure = "skip"
"""

ONCE = {
    "stalled move": "StallMove", "missed target": "MissTarget", "lost frame": "LoseFrame",
    "repeated frame": "RepeatFrame", "corrupt frame": "CorruptFrame", "readback NaN": "ReadNaN",
    "lost focus": "LoseFocus",
}  # fmt: skip
PASSING = {
    "slow scan": ("Fault:Slow", 1.0, 0.0), "stage alarm": ("Fault:StageAlarm", 1.0, 0.0),
    "valve closed": ("Health:Valve", 0.0, 1.0), "vacuum lost": ("Health:Vacuum", 0.0, 1.0),
    "beam lost": ("Health:Emission", 0.0, 1.0),
}  # fmt: skip
"""PV, its value during the fault, and after it."""

LINE = {"line cut": ("Fault:Disconnect", 2.0), "server hangs": ("Fault:Silent", 4.0)}
PROCESS = ("IOC restarted", "IOC lost for good", "IOC dead at start", "SIGTERM", "SIGKILL and resume")
KINDS = (*ONCE, *PASSING, *LINE, *PROCESS)
AFTER_S = {"stage alarm": 0.3}
"""How long a passing fault lasts, real seconds; 1.5 where nothing is said."""


@dataclass(slots=True)
class Outcome:
    """What became of one case.

    Attributes:
        kind: of the fault.
        seed: of the session, and of the moment at which it is struck.
        ended: how the session ended.
        took_s: real seconds.
        problems: what must not have happened.
        covered: whether the interval holds the truth; None without an interval.
        warnings: entries in the session's records.
    """

    kind: str
    seed: int
    ended: str = ""
    took_s: float = 0.0
    problems: list[str] = field(default_factory=list)
    covered: bool | None = None
    warnings: int = 0


def blocks(path: Path) -> float:
    """Writes a specimen of bright and dark pixels; returns its bright share."""
    rng = np.random.default_rng(4)
    share = np.clip(rng.normal(0.3, 0.12, (10, 10)), 0.02, 0.9)
    labels = (rng.random((1000, 1000)) < np.kron(share, np.ones((100, 100)))).astype(np.uint8)
    grey = np.where(labels == 1, 200, 60).astype(np.uint8)
    data = SpecimenData(
        name="blocks", pixel_nm=200.0, synthetic=True, source="the fault campaign", licence="CC0",
        detectors={"bse": grey}, classes=labels, class_names=("dark", "bright"),
    )  # fmt: skip
    write_specimen(data, path)
    return float(labels.mean())


class Case:
    """One session and one fault.

    Args:
        kind: what goes wrong.
        seed: of the session and of the moment.
        ioc: the server.
        truth: what the interval must hold.
        root: an empty folder for the session.
    """

    def __init__(self, kind: str, seed: int, ioc: ServedIOC, truth: float, root: Path) -> None:
        self._ioc, self._truth, self._root = ioc, truth, root
        self._kind, self._outcome = kind, Outcome(kind, seed)
        self._rng = random.Random(f"{kind}/{seed}")
        self._when = self._rng.randrange(FIELDS)
        self._struck = False
        self._threads: list[threading.Thread] = []
        self._folder = root / "session"
        self._config = root / "case.toml"
        self._config.write_text(f"seed = {seed}\n{CONFIG}")

    def run(self) -> Outcome:
        """Runs the session and judges it."""
        began_s = time.monotonic()
        names = {name: PREFIX + name for name in ("Beam:Blank", *_fault_pvs())}
        axes = [f"Commanded:{axis}:{end}" for axis in "XY" for end in ("Low", "High")]
        with _open(names | {name: PREFIX + name for name in axes}) as self._pvs:
            self._outcome.ended = self._go()
            ended_s = time.monotonic()
            for thread in self._threads:
                thread.join()
            self._outcome.took_s = round(ended_s - began_s, 2)
            if ended_s - began_s > DEADLINE_S:
                self._problem(f"took longer than {DEADLINE_S:g} s")
            self._judge_instrument(axes)
        if self._folder.exists():
            self._judge_records(open_session(self._folder))
        return self._outcome

    # -- running it --------------------------------------------------------------------------------

    def _go(self) -> str:
        if self._kind == "IOC dead at start":
            return self._dead_at_start()
        if self._kind in {"SIGTERM", "SIGKILL and resume"}:
            return self._signalled()
        try:
            result = run_session(load_config(self._config), self._folder, listener=self._listen)
        except AutoscopeError as error:
            self._problem(f"raised {type(error).__name__}: {str(error)[:80]}")
            return "raised"
        self._expect(result)
        return result.finish_reason

    def _dead_at_start(self) -> str:
        self._ioc.kill()
        try:
            run_session(load_config(self._config, ["microscope.connect_timeout_s=1.0"]), self._folder)
        except ConfigurationError as error:
            if "did not connect" not in str(error) or self._folder.exists():
                self._problem(f"refused with {str(error)[:80]}")
            return "refused"
        else:
            self._problem("a session ran without an IOC")
            return "ran"
        finally:
            self._ioc.start()

    def _signalled(self) -> str:
        number = signal.SIGTERM if self._kind == "SIGTERM" else signal.SIGKILL
        command = [sys.executable, "-m", "autoscope", "run"]
        first = [*command, str(self._config), "--out", str(self._folder)]
        with subprocess.Popen(first, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            while process.poll() is None and self._observations() < self._when:
                time.sleep(0.02)
            process.send_signal(number)
            status = process.wait(DEADLINE_S)
        if number == signal.SIGTERM:
            if status != 130:
                self._problem(f"status {status} after SIGTERM")
            return open_session(self._folder).result().finish_reason
        self._judge_blanked()
        again = [*command, "--resume", str(self._folder)]
        done = subprocess.run(again, capture_output=True, text=True, check=False, timeout=DEADLINE_S)
        if done.returncode not in {0, 1} or not (self._folder / "result.json").exists():
            self._problem(f"resuming ended with status {done.returncode}: {done.stderr[-200:]}")
        return open_session(self._folder).result().finish_reason

    def _observations(self) -> int:
        if not self._folder.exists():
            return 0
        return sum(document.type == "observation" for document in open_session(self._folder).documents())

    def _listen(self, progress: Progress) -> None:
        measured = progress.quantities[0].fields_measured if progress.quantities else 0
        if not self._struck and progress.quantities and measured >= self._when:
            self._struck = True
            self._strike()

    def _strike(self) -> None:
        delay_s = self._rng.uniform(0.0, 0.3)
        if self._kind in ONCE:
            self._pvs[f"Fault:{ONCE[self._kind]}"].write(self._rng.choice((1, 1, 2)))
        elif self._kind in PASSING:
            name, during, after = PASSING[self._kind]
            self._pvs[name].write(during)
            self._later(AFTER_S.get(self._kind, 1.5), lambda: self._pvs[name].write(after))
        elif self._kind in LINE:
            name, seconds = LINE[self._kind]
            self._later(delay_s, lambda: self._pvs[name].write(seconds, wait=False))
        else:
            self._later(delay_s, self._pull)

    def _pull(self) -> None:
        self._ioc.kill()
        if self._kind == "IOC restarted":
            self._ioc.start()

    def _later(self, delay_s: float, act: Callable[[], None]) -> None:
        thread = threading.Timer(delay_s, act)
        thread.start()
        self._threads.append(thread)

    # -- judging it --------------------------------------------------------------------------------

    def _problem(self, what: str) -> None:
        self._outcome.problems.append(what)

    def _expect(self, result: SessionResult) -> None:
        expected = "instrument_fault" if self._kind == "IOC lost for good" else "budget_spent"
        if result.finish_reason != expected:
            self._problem(f"ended with {result.finish_reason}, not {expected}")
        if self._kind not in {"slow scan"} and self._struck and not result.warnings:
            self._problem("nothing in the records says what happened")

    def _judge_instrument(self, axes: list[str]) -> None:
        if self._kind == "IOC lost for good":
            self._ioc.start()
        if self._pvs.wait_connected(FOUND_S):
            self._problem("the IOC cannot be reached afterwards")
            return
        self._judge_blanked()
        for name in axes:
            where_um = self._pvs[name].number()
            if not ENVELOPE_UM[0] <= where_um <= ENVELOPE_UM[1]:
                self._problem(f"{name} = {where_um:g} um lies outside the envelope")
        for name, (pv, _, well) in PASSING.items():
            if name == self._kind:
                self._pvs[pv].write(well)
        for name in ONCE.values():
            self._pvs[f"Fault:{name}"].write(0)

    def _judge_blanked(self) -> None:
        blank = self._pvs["Beam:Blank"]
        if not self._pvs.wait_until(lambda: blank.value == 1, BLANKED_S) or blank.number() != 1:
            self._problem(f"the beam was not blanked within {BLANKED_S:g} s")

    def _judge_records(self, view: SessionView) -> None:
        """Every acknowledged frame is there, and each frame of a field has its value; the interval holds."""
        frames, measured = set[int](), set[int]()
        for document in view.documents():
            if document.type == "frame":
                if view.frame(document.frame).pixels.shape != (100, 100):
                    self._problem(f"frame {document.frame} is not as it was taken")
                frames |= set() if document.field is None else {document.field}
            if document.type == "observation" and document.value is not None:
                measured.add(document.field)
        if frames - measured:
            self._problem(f"fields {sorted(frames - measured)} have a frame and no value")
        result = view.result()
        self._outcome.warnings = len(result.warnings)
        quantity = result.quantities[0]
        if quantity.ci_low is not None and quantity.ci_high is not None:
            self._outcome.covered = quantity.ci_low <= self._truth <= quantity.ci_high


def _fault_pvs() -> Iterator[str]:
    yield from (f"Fault:{name}" for name in ONCE.values())
    yield from (name for name, _, _ in PASSING.values())
    yield from (name for name, _ in LINE.values())


@contextmanager
def _open(names: dict[str, str]) -> Iterator[Channels]:
    channels = Channels(names)
    missing = channels.wait_connected(FOUND_S)
    if missing:
        raise RuntimeError(f"{len(missing)} PVs of the campaign's IOC do not connect, {missing[0]} first")
    try:
        yield channels
    finally:
        channels.close()
