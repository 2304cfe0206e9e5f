"""The clock of a microscope on EPICS: time as it passes, or as its simulation says that it passes."""

from __future__ import annotations

import time

from autoscope.microscope import Clock


class ScaledClock(Clock):
    """Time that passes by itself, faster or slower than on the wall.

    Args:
        scale: real seconds for each of the clock's; 1 on every real instrument.
    """

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self._offset_s = -time.monotonic() / scale

    def now_s(self) -> float:
        """Seconds since the clock was made, or since the time that it was set to."""
        return self._offset_s + time.monotonic() / self.scale

    def sleep(self, seconds: float) -> None:
        """Waits until this much of the clock's time has passed."""
        time.sleep(max(0.0, seconds * self.scale))

    def set(self, now_s: float) -> None:
        """Takes up the time of an interrupted session."""
        self._offset_s += now_s - self.now_s()
