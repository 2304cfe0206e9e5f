"""What an operator may ask of a running session, from any thread or signal handler."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from autoscope.records import Command


class SessionControl:
    """Pause, resume, skip and stop. Requests are taken up between two actions of the microscope."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self._running = threading.Event()
        self._running.set()
        self._skip = threading.Event()
        self._waiting_for = ""
        self._obeyed: deque[Command] = deque()

    @property
    def waiting_for(self) -> str:
        """Why the session itself waits at the moment, empty while it does not."""
        return self._waiting_for

    @contextmanager
    def waiting(self, reason: str) -> Iterator[None]:
        """Around everything for which the session waits by itself."""
        self._waiting_for = reason
        try:
            yield
        finally:
            self._waiting_for = ""

    def obey(self, command: Command) -> None:
        """Does what a command from another process asks; the runner writes down that it was taken up."""
        actions = {"pause": self.pause, "resume": self.resume, "stop": self.stop, "skip": self.skip_field}
        self._obeyed.append(command)  # first: whoever wakes up finds it
        actions[command.command]()

    def take_obeyed(self) -> tuple[Command, ...]:
        """The commands that were obeyed since the last call; each is given once."""
        return tuple(self._obeyed.popleft() for _ in range(len(self._obeyed)))

    def stop(self) -> None:
        """Ends the session cleanly: what was measured is kept and reported."""
        self._stop.set()
        self._running.set()

    def pause(self) -> None:
        """Holds the session before its next move."""
        self._running.clear()

    def resume(self) -> None:
        """Lets a paused session go on."""
        self._running.set()

    def skip_field(self) -> None:
        """Gives up the field that is being visited; it stays in the population at its worst case."""
        self._skip.set()

    @property
    def stop_requested(self) -> bool:
        """Whether the session is to end."""
        return self._stop.is_set()

    @property
    def paused(self) -> bool:
        """Whether the session is to be held."""
        return not self._running.is_set()

    def take_skip(self) -> bool:
        """Whether a skip was asked for; asking clears it."""
        if self._skip.is_set():
            self._skip.clear()
            return True
        return False

    def wait_for_stop(self, timeout_s: float) -> bool:
        """Blocks until the session is to end, or time is up; returns whether it is to end."""
        return self._stop.wait(timeout_s)

    def wait_while_paused(self) -> None:
        """Blocks until the session may go on or must stop."""
        self._running.wait()
