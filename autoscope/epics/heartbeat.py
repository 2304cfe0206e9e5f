"""A sign of life to the instrument: where it stops, the instrument blanks the beam by itself."""

from __future__ import annotations

import threading

from autoscope.core import UnreachableError
from autoscope.epics.channels import Channel

EVERY_S = 0.4
"""Seconds between two beats."""


class Heartbeat:
    """Counts a PV up while a session runs, and sets it to 0 when it ends in good order.

    Args:
        channel: the PV; 0 means that nobody needs to be watched.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to beat; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._beat, name="autoscope-heartbeat", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends in good order."""
        if self._thread is None:
            return
        self._ended.set()
        self._thread.join()
        self._thread = None
        self._write(0)

    def _beat(self) -> None:
        count = 0
        while not self._ended.is_set():
            count = count % 1_000_000 + 1
            self._write(count)
            self._ended.wait(EVERY_S)

    def _write(self, count: int) -> None:
        try:
            self._channel.write(count, wait=False)
        except UnreachableError:
            return  # the session's own calls say so
