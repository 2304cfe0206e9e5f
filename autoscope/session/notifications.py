"""Telling somebody who is not there: a command or an HTTP address is handed a JSON document."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import threading
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Literal

Alert = Literal["overdue", "paused", "failed", "done"]
"""What somebody may want to be told of."""

ALERTS: tuple[Alert, ...] = ("overdue", "paused", "failed", "done")


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell.

    Attributes:
        state: what the session is.
        reason: why, in a sentence.
        during: the session's state when it happened, such as ``measuring``.
    """

    state: Alert
    reason: str
    during: str


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """Whom to tell of what.

    Attributes:
        command: program and arguments; the document is its standard input. Empty for none.
        url: the document is posted there; ``$NAME`` stands for a variable of the environment. Empty for none.
        on: what is told.
        timeout_s: how long the command, and the posting, may take each.
        overdue_s: how much longer than predicted an action may take before the session is overdue.
    """

    command: tuple[str, ...] = ()
    url: str = ""
    on: tuple[Alert, ...] = ALERTS
    timeout_s: float = 10.0
    overdue_s: float = 30.0

    @property
    def wanted(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self.on and (self.command or self.url))


class Notifier:
    """Tells in a thread of its own, in order; never blocks and never raises.

    What could not be told is kept for the session's records; no address and no argument is in there,
    because they may hold secrets.

    Args:
        settings: whom to tell of what.
        session: name of the session's folder.
        sample: what the sample is called.
    """

    def __init__(self, settings: NotificationSettings, session: str, sample: str = "") -> None:
        self._settings, self._session, self._sample = settings, session, sample
        self._pending: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._failures: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._told = 0

    def tell(self, notice: Notice) -> None:
        """Sends a notice on its way, where it is wanted; returns at once."""
        if not self._settings.wanted or notice.state not in self._settings.on:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="autoscope-notifier", daemon=True)
            self._thread.start()
        self._told += 1
        self._pending.put(self._document(notice))

    def failures(self) -> list[str]:
        """What could not be told since the last call, a sentence each."""
        found: list[str] = []
        while not self._failures.empty():
            found.append(self._failures.get())
        return found

    def close(self) -> None:
        """Waits until everything has been told, no longer than the timeouts of two notices."""
        if self._thread is None:
            return
        self._pending.put(None)
        self._thread.join(4 * self._settings.timeout_s + 1.0)
        if self._thread.is_alive():
            self._failures.put("notifications: the last ones were not told in time")
        self._thread = None

    def _document(self, notice: Notice) -> bytes:
        document = {
            "schema": "autoscope.notification/1", "session": self._session, "sample": self._sample,
            "state": notice.state, "reason": notice.reason, "during": notice.during,
            "time": datetime.now(UTC).isoformat(timespec="seconds"),
        }  # fmt: skip
        return json.dumps(document).encode()

    def _work(self) -> None:
        while (document := self._pending.get()) is not None:
            state = json.loads(document)["state"]
            if self._settings.command:
                self._failed(state, "notifications.command", self._run(document))
            if self._settings.url:
                self._failed(state, "notifications.url", self._post(document))

    def _failed(self, state: str, key: str, problem: str) -> None:
        if problem:
            self._failures.put(f"{key}: nobody was told that the session is {state}: {problem}")

    def _run(self, document: bytes) -> str:
        """Runs the command; returns what went wrong."""
        quiet, limit_s = subprocess.DEVNULL, self._settings.timeout_s
        try:
            process = subprocess.Popen(
                self._settings.command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            return f"{self._settings.command[0]} could not be started ({error.strerror})"
        with process:
            try:
                process.communicate(document, limit_s)
            except subprocess.TimeoutExpired:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                return f"{self._settings.command[0]} did not end within {limit_s:g} s and was killed"
        status = process.returncode
        return f"{self._settings.command[0]} ended with status {status}" if status else ""

    def _post(self, document: bytes) -> str:
        """Posts the document; returns what went wrong."""
        url = os.path.expandvars(self._settings.url)
        if not url.startswith(("http://", "https://")):
            return "it is no http:// or https:// address; is its variable of the environment set?"
        try:
            request = urllib.request.Request(
                url, data=document, headers={"Content-Type": "application/json"}, method="POST"
            )
            with urllib.request.urlopen(request, timeout=self._settings.timeout_s):
                return ""
        except urllib.error.HTTPError as error:
            error.close()
            return f"the server answered with status {error.code}"
        except urllib.error.URLError as error:
            cause = error.reason.strerror if isinstance(error.reason, OSError) else None
            return f"the server cannot be reached ({cause or type(error.reason).__name__})"
        except (HTTPException, OSError, ValueError) as error:
            return f"the posting failed ({type(error).__name__})"
