"""Long work on the terminal: a bar where there is one, plain lines when piped, nothing when quiet."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

PLAIN_EVERY_S = 10.0
"""Seconds between two lines when the output is not a terminal."""


class WorkBar:
    """Shows how far a piece of work is; a context manager.

    Args:
        what: what is done, such as ``"training"``.
        quiet: say nothing.
    """

    def __init__(self, what: str, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._what = what
        self._bar: Progress | None = None
        self._last_s = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.quiet:
            columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            self._bar.__enter__()
            self._task = self._bar.add_task(self._what, total=None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, traceback)

    def update(self, done: float, of: float, detail: str = "") -> None:
        """Shows ``done`` of ``of``; cheap when called often."""
        text = f"{self._what}{': ' if detail else ''}{detail}"
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=of, description=text)
            return
        now = time.monotonic()
        if not self._console.quiet and (now - self._last_s >= PLAIN_EVERY_S or done >= of):
            self._last_s = now
            print(f"{text}  {100 * done / of:.0f} %", file=sys.stderr, flush=True)
