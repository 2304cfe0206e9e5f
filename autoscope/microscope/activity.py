"""What a microscope is doing at the moment and how long that should take, for whoever watches it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Activity:
    """One action of a microscope, or the pause between two of them.

    Attributes:
        what: such as ``"a frame"``; empty while it waits for the next action.
        predicted_s: how long it should take.
        since_s: when it began, real seconds on ``time.monotonic``.
    """

    what: str
    predicted_s: float
    since_s: float


class ActivityLog:
    """Holds the present activity; one thread does, any thread may look."""

    def __init__(self) -> None:
        self.now = Activity("", 0.0, time.monotonic())

    @contextmanager
    def doing(self, what: str, predicted_s: float) -> Iterator[None]:
        """Around an action."""
        self.now = Activity(what, predicted_s, time.monotonic())
        try:
            yield
        finally:
            self.now = Activity("", 0.0, time.monotonic())
