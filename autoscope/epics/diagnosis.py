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


def diagnose(names: Mapping[str, str], timeout_s: float) -> tuple[PVReport, ...]:
    """Connects to all PVs at once and asks each of them.

    Args:
        names: PV names by signal.
        timeout_s: how long connecting may take, for all of them together.
    """
    channels = Channels(names)
    try:
        channels.wait_connected(timeout_s)
        return tuple(_report(channel) for channel in channels.values())
    finally:
        channels.close()


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
