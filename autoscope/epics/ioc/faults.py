"""Faults that a test or a demonstration can inject through PVs."""

from __future__ import annotations

from autoscope.epics.ioc.line import Line
from autoscope.epics.ioc.served import PVs

ONCE = {
    "StallMove": "the next moves never end: DMOV stays 0",
    "MissTarget": "the next moves end a hundred micrometres short",
    "LoseFrame": "the next scans never deliver a frame",
    "RepeatFrame": "the next scans end without a new unique number",
    "CorruptFrame": "the next frames have another size than was asked for",
    "ReadNaN": "the next positions read back as NaN",
    "LoseFocus": "the next autofocus runs find nothing",
    "LoseSpectrum": "the next spectra fail",
}
"""Each holds how many times it is still going to happen; a client writes a number."""


class Faults:
    """Fault PVs, named ``Fault:...``; all are 0 on a healthy instrument.

    Args:
        pvs: where they are added. ``Fault:Slow`` is seconds added to every scan, ``Fault:StageAlarm`` 1
            puts the axes into a major alarm, ``Fault:Disconnect`` cuts all clients off for so many
            seconds, and ``Fault:Silent`` lets the server hang for so long.
        line: the server, which the last two act upon.
    """

    def __init__(self, pvs: PVs, line: Line) -> None:
        self._pvs, self._line = pvs, line
        pvs.number("Fault:Disconnect", 0.0, "s", self._disconnect)
        pvs.number("Fault:Silent", 0.0, "s", self._silence)
        for name in ONCE:
            pvs.integer(f"Fault:{name}", 0)
        pvs.number("Fault:Slow", 0.0, "s")

    async def take(self, name: str) -> bool:
        """Whether a fault is due; counts it down."""
        pv = self._pvs[f"Fault:{name}"]
        if pv.value <= 0:
            return False
        await pv.write(pv.value - 1)
        return True

    async def _disconnect(self, seconds: float) -> None:
        await self._pvs["Fault:Disconnect"].write(0.0)
        if seconds > 0:
            self._line.cut(seconds)

    async def _silence(self, seconds: float) -> None:
        await self._pvs["Fault:Silent"].write(0.0)
        if seconds > 0:
            self._line.hang(seconds)

    @property
    def slow_s(self) -> float:
        """Seconds added to every scan."""
        return max(0.0, float(self._pvs["Fault:Slow"].value))
