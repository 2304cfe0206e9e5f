"""Channel Access with deadlines: every wait ends, and a lost connection is an error with a name."""

from __future__ import annotations

import math
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from autoscope.core import ConfigurationError
from autoscope.epics.errors import AlarmError, DisconnectedError, ReadbackError

ANSWER_S = 2.0
"""How long a connected PV may take to answer."""

FIRST_VALUE_S = 1.0
"""How long a connected PV may take to say its first value by itself."""

BIG = frozenset({"image.data", "spectrum.counts"})
"""Signals that are read when they are wanted, not with every change."""

MAJOR = 2
"""EPICS alarm severities: 0 none, 1 minor, 2 major, 3 invalid."""

SETTINGS = {
    "EPICS_CA_MAX_ARRAY_BYTES": "200000000",  # a 65 megapixel frame of 16 bit fits
    "EPICS_CA_CONN_TMO": "5",  # a server that does not answer for so long is lost
    "EPICS_CA_MAX_SEARCH_PERIOD": "60",  # a server that comes back is found within that time
}
"""Environment of the Channel Access library where nothing else is set."""


def channel_access() -> Any:
    """Imports pyepics with an environment that suits images.

    Raises:
        ConfigurationError: it is not installed.
    """
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    try:
        import epics
    except ImportError as error:
        raise ConfigurationError(
            f"driving a microscope over EPICS needs pyepics ({error}): install autoscope[epics]"
        ) from error
    return epics


class Channel:
    """One PV: its last value, reads and writes with a deadline.

    Args:
        key: of the signal, such as ``stage.x.target``.
        name: of the PV.
        changed: notified of every change of value or connection.

    Raises:
        DisconnectedError: its server died while the connection was being taken over.
    """

    def __init__(self, key: str, name: str, changed: threading.Condition) -> None:
        self.key, self.name = key, name
        self._changed = changed
        self._ca = channel_access().ca
        self._attach = self._ca.use_initial_context
        self.value: Any = None
        self.severity = 0
        self.falls = 0
        monitored = key not in BIG
        self.connected = False
        try:
            self._pv = channel_access().PV(
                name, form="time", auto_monitor=monitored, connection_callback=self._on_connection,
                callback=self._on_value if monitored else None,
            )  # fmt: skip
        except (
            TypeError
        ) as error:  # the library asks a channel that it still counts as connected for its type
            raise DisconnectedError(f"{self} was lost while it was being connected") from error

    def _on_connection(self, conn: bool = False, **ignored: object) -> None:
        with self._changed:
            self.connected = conn
            self._changed.notify_all()

    def _on_value(self, value: Any = None, severity: int = 0, **ignored: object) -> None:
        with self._changed:
            self.value, self.severity = value, severity or 0
            if not value:
                self.falls += 1
            self._changed.notify_all()

    def ask(self) -> None:
        """Sends the question that the next :meth:`read` waits for; many can be asked at once."""
        self._require_connected()
        self._attach()
        with self._named_errors():
            self._ca.get(self._pv.chid, wait=False)

    def read(self, *, asked: bool = False) -> Any:
        """The value now, from the server.

        Raises:
            DisconnectedError: it is not connected or does not answer.
        """
        if not asked:
            self.ask()
        with self._named_errors():
            value = self._ca.get_complete(self._pv.chid, timeout=ANSWER_S)
        if value is None:
            raise self._silent()
        return value

    def number(self, *, asked: bool = False) -> float:
        """The value now as a finite number.

        Raises:
            ReadbackError: it is not one.
            DisconnectedError: it is not connected or does not answer.
        """
        value = self.read(asked=asked)
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ReadbackError(f"{self} reads {value!r}, which is not a number") from None
        if not math.isfinite(number):
            raise ReadbackError(f"{self} reads {number}, which is not a finite number")
        return number

    def text(self) -> str:
        """The value now as text; an enumeration reads as the name of its state."""
        self._require_connected()
        self._attach()
        with self._named_errors():
            value = self._pv.get(timeout=ANSWER_S, use_monitor=False, as_string=True)
        if value is None:
            raise self._silent()
        return str(value)

    def write(self, value: object, *, wait: bool = True) -> None:
        """Writes a value; waits until the server has processed it, unless told not to.

        Raises:
            DisconnectedError: it is not connected or does not answer.
        """
        self._require_connected()
        self._attach()
        done = threading.Event()
        with self._named_errors():
            self._pv.put(value, callback=(lambda **ignored: done.set()) if wait else None)
            self._ca.flush_io()
        if wait and not done.wait(ANSWER_S):
            raise DisconnectedError(f"{self} did not take {value!r} within {ANSWER_S:g} s")

    def catch_up(self) -> None:
        """Takes the value of a PV whose first change was not told.

        Raises:
            DisconnectedError: it is not connected or does not answer.
        """
        value = self.read()
        with self._changed:
            if self.value is None:
                self.value = value

    def unit(self) -> str:
        """The engineering unit that the record says."""
        return str(self.details().get("units") or "")

    def details(self) -> Mapping[str, Any]:
        """Value, unit, limits, alarm: everything that the server says."""
        self._require_connected()
        self._attach()
        with self._named_errors():
            details = self._pv.get_with_metadata(timeout=ANSWER_S, form="ctrl", use_monitor=False)
        if details is None:
            raise self._silent()
        return dict(details)

    def require_no_alarm(self) -> None:
        """Refuses to go on with a PV in a major alarm.

        Raises:
            AlarmError: it is in one.
        """
        if self.severity >= MAJOR:
            raise AlarmError(f"{self} is in a {'major' if self.severity == MAJOR else 'invalid'} alarm")

    def close(self) -> None:
        """Gives the PV up. The library keeps one connection for each name, for whoever asks next."""
        self._attach()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._pv.disconnect()
        self.connected = False

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Around every call of the library: its errors get a name, its warnings are no news."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        except (self._ca.ChannelAccessException, self._ca.ChannelAccessGetFailure) as error:
            raise DisconnectedError(f"{self}: {error}") from error

    def _silent(self) -> DisconnectedError:
        return DisconnectedError(f"{self} did not answer within {ANSWER_S:g} s")

    def _require_connected(self) -> None:
        if not self.connected:
            raise DisconnectedError(f"{self} is not connected")

    def __str__(self) -> str:
        return f"{self.key} ({self.name})"


class Channels(Mapping[str, Channel]):
    """All PVs of an instrument by their signals' keys; connecting begins at once.

    Args:
        names: PV names by key.

    Raises:
        DisconnectedError: a server died meanwhile; nothing stays connected.
    """

    def __init__(self, names: Mapping[str, str]) -> None:
        self._changed = threading.Condition()
        self._channels: dict[str, Channel] = {}
        try:
            for key, name in names.items():
                self._channels[key] = Channel(key, name, self._changed)
        except DisconnectedError:
            self.close()
            raise

    def __getitem__(self, key: str) -> Channel:
        return self._channels[key]

    def __iter__(self) -> Any:
        return iter(self._channels)

    def __len__(self) -> int:
        return len(self._channels)

    @property
    def missing(self) -> tuple[Channel, ...]:
        """What is not connected now."""
        return tuple(channel for channel in self.values() if not channel.connected)

    def numbers(self, *keys: str) -> tuple[float, ...]:
        """Several values now, asked for at once.

        Raises:
            ReadbackError: one is not a finite number.
            DisconnectedError: one is not connected or does not answer.
        """
        for key in keys:
            self[key].ask()
        return tuple(self[key].number(asked=True) for key in keys)

    def wait_connected(self, timeout_s: float) -> tuple[Channel, ...]:
        """Waits for all connections and first values; returns what is still missing then."""
        self._wait(lambda: not self.missing, timeout_s)
        missing = self.missing
        if not missing:
            self._wait(lambda: not self._unheard(), FIRST_VALUE_S)
            for channel in self._unheard():
                channel.catch_up()
        return missing

    def _unheard(self) -> list[Channel]:
        """What is connected and has not said its value by itself."""
        return [c for c in self.values() if c.key not in BIG and c.value is None]

    def wait_until(self, true: Callable[[], bool], timeout_s: float, *needed: str) -> bool:
        """Waits until something is true of the last values; False when time is up.

        Raises:
            DisconnectedError: a needed PV lost its connection meanwhile.
        """

        def ended() -> bool:
            return true() or any(not self[key].connected for key in needed)

        self._wait(ended, timeout_s)
        if true():
            return True
        lost = [str(self[key]) for key in needed if not self[key].connected]
        if lost:
            raise DisconnectedError(f"{', '.join(lost)} lost the connection")
        return False

    def close(self) -> None:
        """Gives all PVs up."""
        for channel in self.values():
            channel.close()

    def _wait(self, true: Callable[[], bool], timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not true() and (left_s := deadline - time.monotonic()) > 0:
                self._changed.wait(left_s)
