"""Time belongs to the microscope: a real instrument's clock runs by itself, a simulated one is moved on."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod


class Clock(ABC):
    """Seconds on a microscope, counted from an arbitrary start."""

    @abstractmethod
    def now_s(self) -> float:
        """Seconds since the clock's start."""

    @abstractmethod
    def sleep(self, seconds: float) -> None:
        """Lets the microscope's time pass."""


class WallClock(Clock):
    """Time as it passes."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def now_s(self) -> float:
        """Seconds since this clock was made."""
        return time.monotonic() - self._start

    def sleep(self, seconds: float) -> None:
        """Waits."""
        time.sleep(max(0.0, seconds))


class SimulatedClock(Clock):
    """Time that only passes when the simulation says so.

    Args:
        scale: real seconds for each simulated one; 0 lets an hour pass in no time.
    """

    def __init__(self, scale: float = 0.0, start_s: float = 0.0) -> None:
        if not scale >= 0:
            raise ValueError(f"scale = {scale} must not be negative")
        self._now_s = start_s
        self._scale = scale

    def now_s(self) -> float:
        """Simulated seconds since the start."""
        return self._now_s

    def sleep(self, seconds: float) -> None:
        """Moves the simulated time on."""
        if seconds > 0:
            if self._scale:
                time.sleep(seconds * self._scale)
            self._now_s += seconds

    def set(self, now_s: float) -> None:
        """Takes up the time of an interrupted session."""
        self._now_s = now_s
