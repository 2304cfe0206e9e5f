"""What every PV of a map says, all of them at once; reads only."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from autoscope.epics.channels import BIG, Channel, Channels
from autoscope.epics.errors import DisconnectedError

ALARMS = ("no alarm", "minor alarm", "major alarm", "invalid")
"""Names of the EPICS alarm severities."""


@dataclass(frozen=True, slots=True)
class PVReport:
    """One PV.

    Attributes:
        signal: its key in the PV map.
        pv: its name.
        connected: whether it answers.
        value: as text; the length of an array.
        unit: as the record says.
        low: lower control limit, None without limits.
        high: upper control limit.
        alarm: its severity in words.
        round_trip_ms: how long a reading took.
    """

    signal: str
    pv: str
    connected: bool
    value: str = ""
    unit: str = ""
    low: float | None = None
    high: float | None = None
    alarm: str = ""
    round_trip_ms: float | None = None

    def __str__(self) -> str:
        if not self.connected:
            return "does not connect"
        limits = "" if self.low is None else f", limits [{self.low:g}, {self.high:g}]"
        value = f"{self.value} {self.unit}".strip()
        return f"{value}{limits}, {self.alarm}, {self.round_trip_ms:.1f} ms"


class Diagnosis:
    """Connects to all PVs at once, from now on; the library does so while something else is done.

    Args:
        names: PV names by signal.
        timeout_s: how long connecting may take, for all of them together.
    """

    def __init__(self, names: Mapping[str, str], timeout_s: float) -> None:
        self._deadline_s = time.monotonic() + timeout_s
        self._channels = Channels(names)

    def reports(self) -> tuple[PVReport, ...]:
        """Asks each PV, once all have connected or time is up, and lets them go."""
        try:
            self._channels.wait_connected(max(0.0, self._deadline_s - time.monotonic()))
            return tuple(_report(channel) for channel in self._channels.values())
        finally:
            self._channels.close()


def _report(channel: Channel) -> PVReport:
    if not channel.connected:
        return PVReport(channel.key, channel.name, False)
    try:
        began_s = time.perf_counter()
        value = channel.read()
        took_ms = 1e3 * (time.perf_counter() - began_s)
        details = channel.details()
    except DisconnectedError:
        return PVReport(channel.key, channel.name, False)
    low, high = details.get("lower_ctrl_limit"), details.get("upper_ctrl_limit")
    limited = low is not None and high is not None and low < high
    return PVReport(
        signal=channel.key,
        pv=channel.name,
        connected=True,
        value=f"{len(value)} values" if channel.key in BIG else f"{value}",
        unit=str(details.get("units") or ""),
        low=float(low) if limited and low is not None else None,
        high=float(high) if limited and high is not None else None,
        alarm=ALARMS[min(int(details.get("severity") or 0), len(ALARMS) - 1)],
        round_trip_ms=took_ms,
    )
