"""A session on the terminal: every target's interval shrinking, budgets, time left."""

from __future__ import annotations

import math
import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autoscope.session import Progress, half_width, wanted_half_width
from autoscope.survey import QuantityState

PLAIN_EVERY_S = 5.0
"""Seconds between two lines when the output is not a terminal."""


class SessionProgress:
    """Shows a session: a live table on a terminal, a line now and then when piped, nothing when quiet."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet)
        self._live: Live | None = None
        self._last_s = 0.0
        self._last_state = ""

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.quiet:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.__exit__(kind, error, traceback)

    def say(self, message: str) -> None:
        """Announces something that takes a while."""
        self._console.print(message)

    def update(self, progress: Progress) -> None:
        """Shows a snapshot; costs nothing when it is too early for another."""
        now = time.monotonic()
        due = now - self._last_s >= (0.1 if self._live is not None else PLAIN_EVERY_S)
        if not due and progress.state == self._last_state:
            return
        self._last_s, self._last_state = now, progress.state
        if self._live is not None:
            self._live.update(_table(progress), refresh=True)
        elif not self._console.quiet:
            print(_line(progress), file=sys.stderr, flush=True)


def _line(progress: Progress) -> str:
    parts = [progress.state]
    if progress.state == "overview":
        parts.append(f"{progress.overview_done}/{progress.overview_all} frames")
    parts.extend(
        f"{_name(state)} {_value(state)} ({state.fields_measured} fields)" for state in progress.quantities
    )
    parts.append(f"beam {clock(progress.spent.beam_time_s)}")
    if progress.left is not None:
        parts.append(f"left {clock(progress.left.p50_s)} (p90 {clock(progress.left.p90_s)})")
    return "  ".join(parts)


def _table(progress: Progress) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    head = Text(progress.state, style="bold")
    if progress.state == "overview":
        bar = ProgressBar(total=progress.overview_all, completed=progress.overview_done, width=30)
        table.add_row(head, bar, f"{progress.overview_done} of {progress.overview_all} frames")
    else:
        table.add_row(head, "", "")
    for state in progress.quantities:
        table.add_row(_name(state), _interval_bar(state), _value(state))
    left = ""
    if progress.left is not None:
        left = f"  left {clock(progress.left.p50_s)} (p90 {clock(progress.left.p90_s)})"
    return Group(table, Text(f"beam time {clock(progress.spent.beam_time_s)}{_of_budget(progress)}{left}"))


def _interval_bar(state: QuantityState) -> ProgressBar:
    """How much of the way to the wanted width is gone, in measured information (1/width²)."""
    half, wanted = half_width(state), wanted_half_width(state)
    done = 0.0 if not half or not wanted else min(1.0, (wanted / half) ** 2)
    return ProgressBar(total=1.0, completed=1.0 if state.met else done, width=30)


def _name(state: QuantityState) -> str:
    """The class, and the quantity where it is not an area fraction."""
    target = state.target
    if target.quantity == "area_fraction":
        return target.class_name
    return f"{target.class_name} {target.quantity.replace('_', ' ')}".strip()


def _value(state: QuantityState) -> str:
    half, wanted = half_width(state), wanted_half_width(state)
    goal = "" if wanted is None else f", wanted ± {wanted:.3g}"
    if not math.isfinite(state.estimate):
        return f"no estimate yet{goal}"
    if half is None:
        return f"{state.estimate:.4f}{goal}"
    return f"{state.estimate:.4f} ± {half:.4f}{goal}"


def _of_budget(progress: Progress) -> str:
    limit = progress.budget.beam_time_s
    frames = "" if progress.budget.frames is None else f" of {progress.budget.frames}"
    time_limit = "" if limit is None else f" of {clock(limit)}"
    return f"{time_limit}, {progress.spent.frames}{frames} frames"


def clock(seconds: float) -> str:
    """``1:02:03`` or ``2:03``."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
