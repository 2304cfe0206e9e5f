"""Failures of the instrument as states of a session: try again, wait for recovery, or give up and say so."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from autoscope.core import (
    BudgetError,
    ClosedError,
    InstrumentError,
    KeepOutError,
    LimitError,
    MoveStoppedError,
    UnreachableError,
)
from autoscope.microscope import Microscope
from autoscope.session.control import SessionControl
from autoscope.session.journal import Journal
from autoscope.session.settings import SessionSettings
from autoscope.survey.focus import FocusKeeper

T = TypeVar("T")

REFUSALS = (BudgetError, ClosedError, KeepOutError, LimitError, MoveStoppedError)
"""What no second attempt changes."""

LOOK_EVERY_S = 0.5
"""Real seconds between two looks at an instrument that is waited for."""

PAUSE_S = 0.5
"""Real seconds before what failed is tried again; twice as long before the second time, and so on."""


class Recovery:
    """Tries again and waits, within what the policy allows. Everything it does is written down.

    Args:
        microscope: the instrument.
        settings: hold the policy, and the beam that an instrument needs again after an interruption.
        journal: the session's records.
        control: the operator may stop the session while it waits.
        focus: told where the policy wants a new focus.
    """

    def __init__(
        self,
        microscope: Microscope,
        settings: SessionSettings,
        journal: Journal,
        control: SessionControl,
        focus: FocusKeeper,
    ) -> None:
        self._microscope, self._settings, self._focus = microscope, settings, focus
        self._journal, self._control = journal, control

    def attempt(self, what: str, first: Callable[[], T], again: Callable[[], T]) -> T:
        """Does something; when it fails, does ``again`` instead, as often as the policy allows.

        Args:
            what: for the records, such as ``field 17``.
            first: the first attempt.
            again: every further one, from wherever the failure left the instrument.

        Raises:
            InstrumentError: the last failure.
        """
        failures, action = Counter[type[InstrumentError]](), first
        while True:
            try:
                return action()
            except REFUSALS:
                raise
            except InstrumentError as error:
                if isinstance(error, UnreachableError) or self._problems():
                    self._wait(f"{what}: {_named(error)}", error)
                else:
                    policy = self._settings.recovery.of(error)
                    if failures[type(error)] >= policy.retries:
                        raise
                    failures[type(error)] += 1
                    self._again(f"{what}: {_named(error)}", failures[type(error)], refocus=policy.refocus)
            action = again

    def _again(self, what: str, number: int, *, refocus: bool) -> None:
        """Writes a failure down and gives what may pass by itself the time to do so."""
        if refocus:
            self._focus.lost()
        self._journal.warn(f"{what}; {'the instrument focuses and ' * refocus}it is taken again")
        self._control.wait_for_stop(PAUSE_S * number)

    def require_healthy(self) -> None:
        """Waits until the instrument says that it is healthy.

        Raises:
            InstrumentError: it does not in time.
        """
        problems = self._problems()
        if problems:
            self._wait(f"the instrument is not healthy: {problems}", InstrumentError(problems))

    def _problems(self) -> str:
        health = self._microscope.health()
        return "" if health.ok else "; ".join(health.problems)

    def _wait(self, what: str, error: InstrumentError) -> None:
        """Makes the instrument safe and waits until it is well; raises ``error`` where it is not in time."""
        limit_s, began_s = self._settings.recovery.wait_s, time.monotonic()
        if limit_s <= 0:
            raise error
        self._journal.warn(f"{what}; the session waits up to {limit_s:g} s for the instrument")
        with self._control.waiting(f"{what}; the session waits for the instrument"):
            self._wait_until_well(error, began_s)
        with suppress(UnreachableError):  # lost again: the next attempt says so and waits again
            self._microscope.make_safe()
            self._microscope.set_beam(self._settings.beam)
            self._journal.warn(f"the instrument was back after {time.monotonic() - began_s:.0f} s")

    def _wait_until_well(self, error: InstrumentError, began_s: float) -> None:
        limit_s = self._settings.recovery.wait_s
        with suppress(InstrumentError):
            self._microscope.make_safe()
        while self._problems():
            if time.monotonic() - began_s > limit_s:
                self._journal.warn(f"the instrument did not recover within {limit_s:g} s: {self._problems()}")
                raise error
            if self._control.wait_for_stop(LOOK_EVERY_S):
                raise error


def _named(error: InstrumentError) -> str:
    return f"{type(error).__name__}: {error}"
