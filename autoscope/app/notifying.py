"""A session that somebody is told about: the watchdog and the notifier around one run."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from autoscope.app.config import Config
from autoscope.core import AutoscopeError
from autoscope.microscope import Microscope
from autoscope.records import FinishReason
from autoscope.session import (
    Journal,
    Listener,
    Notice,
    NotificationSettings,
    Notifier,
    Progress,
    SessionControl,
    Watchdog,
)

FAULTS: tuple[FinishReason, ...] = ("instrument_fault", "failed")
"""Endings that are told as ``failed``."""


class ToldSession:
    """Around the run of a session: whoever wants to know is told, and the records say who could not be.

    Args:
        config: says whom to tell.
        folder: the session's.
        microscope: what is looked at.
        journal: takes what could not be told.
        control: says what the session waits for.
        listener: told of every step besides.
    """

    def __init__(
        self,
        config: Config,
        folder: Path,
        microscope: Microscope,
        journal: Journal,
        control: SessionControl,
        listener: Listener | None,
    ) -> None:
        settings = settings_of(config)
        self._journal, self._listener = journal, listener
        self._notifier = Notifier(settings, folder.name, config.sample.id)
        self._watchdog = None
        if settings.wanted:
            self._watchdog = Watchdog(microscope, control, self._notifier.tell, overdue_s=settings.overdue_s)

    def __enter__(self) -> Self:
        if self._watchdog is not None:
            self._watchdog.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._watchdog is not None:
            self._watchdog.__exit__(kind, error, traceback)
        if error is not None:
            self._notifier.tell(Notice("failed", str(error) or type(error).__name__, "failed"))
        self._notifier.close()
        with suppress(AutoscopeError):  # a full disk has been told already
            self._write_failures()

    def saw(self, progress: Progress) -> None:
        """Takes a step of the session."""
        if self._watchdog is not None:
            self._watchdog.saw(progress)
        self._write_failures()
        if self._listener is not None:
            self._listener(progress)

    def ended(self, reason: FinishReason) -> bool:
        """Tells the ending and waits until it is told; whether the records say more than before."""
        self._notifier.tell(Notice("failed" if reason in FAULTS else "done", reason, "done"))
        self._notifier.close()
        return self._write_failures()

    def _write_failures(self) -> bool:
        failures = self._notifier.failures()
        for failure in failures:
            self._journal.warn_once(failure)
        return bool(failures)


def settings_of(config: Config) -> NotificationSettings:
    """Whom a configuration tells of what."""
    n = config.notifications
    return NotificationSettings(n.command, n.url or "", n.on, n.timeout_s, n.overdue_s)
