"""Looks at a running session from a thread of its own, and says when it stalls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from autoscope.microscope import Activity, Microscope
from autoscope.session.control import SessionControl
from autoscope.session.notifications import Notice
from autoscope.session.progress import Progress

LOOK_EVERY_S = 0.5
"""Real seconds between two looks."""

AGAIN_S = 600.0
"""Real seconds for which the same kind of delay is not told again."""

PREDICTABLE_FIELDS = 10
"""Fields after which the predicted end of a session is taken at its word."""


class Watchdog:
    """Tells of delays and of waiting.

    A session is overdue when an action takes longer than predicted, or when it is later than its 90th
    percentile; it is paused by an operator, or by itself while it waits for an instrument that was lost.

    Args:
        microscope: what it does is looked at, never touched.
        control: says what the session waits for.
        tell: takes the notices; called from both threads.
        overdue_s: how much longer than predicted an action may take; also how long there may be no action.
    """

    def __init__(
        self,
        microscope: Microscope,
        control: SessionControl,
        tell: Callable[[Notice], None],
        *,
        overdue_s: float,
    ) -> None:
        self._microscope, self._control, self._tell = microscope, control, tell
        self._overdue_s = overdue_s
        self._state = "idle"
        self._began_s = time.monotonic()
        self._waited_for = ""
        self._late: dict[str, float] = {}
        self._seen: Activity | None = None
        self._due_s: float | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="autoscope-watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def state(self) -> str:
        """The session's state when it was last heard of."""
        return self._state

    def saw(self, progress: Progress) -> None:
        """Learns of a step; called by the session, in its own thread."""
        before, self._state = self._state, progress.state
        if progress.state == "paused" and before != "paused":
            self._tell(Notice("paused", "the operator holds the session", "paused"))
        self._look_at_the_end(progress)

    def look(self) -> None:
        """Looks once."""
        waiting = self._control.waiting_for
        if waiting and waiting != self._waited_for:
            self._tell(Notice("paused", waiting, self._state))
        self._waited_for = waiting
        if not waiting and self._state not in {"paused", "done", "failed"}:
            self._look_at(self._microscope.activity)

    def _work(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            self.look()

    def _look_at(self, activity: Activity) -> None:
        took_s = time.monotonic() - max(activity.since_s, self._began_s)
        if took_s <= activity.predicted_s + self._overdue_s or activity is self._seen:
            return
        self._seen = activity
        if not activity.what:
            self._overdue("computing", f"the instrument has had nothing to do for {took_s:.0f} s")
            return
        predicted = f"and was predicted to take {activity.predicted_s:.3g} s"
        self._overdue(activity.what, f"{activity.what} has taken {took_s:.0f} s {predicted}")

    def _overdue(self, what: str, reason: str) -> None:
        now_s = time.monotonic()
        if now_s - self._late.get(what, -AGAIN_S) >= AGAIN_S:
            self._late[what] = now_s
            self._tell(Notice("overdue", reason, self._state))

    def _look_at_the_end(self, progress: Progress) -> None:
        """Holds the session to the end that was predicted once enough fields were measured."""
        if progress.left is None or progress.state != "measuring":
            return
        now_s = self._microscope.clock.now_s()
        if self._due_s is None:
            if min(state.fields_measured for state in progress.quantities) >= PREDICTABLE_FIELDS:
                self._due_s = now_s + progress.left.p90_s
        elif now_s > self._due_s and progress.left.p50_s > 0:
            self._overdue(
                "session",
                "the session is later than the end that was predicted with nine chances in ten;"
                f" about {progress.left.p50_s:.0f} s are left",
            )
