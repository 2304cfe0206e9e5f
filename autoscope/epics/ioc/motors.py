"""The stage as motor records: targets in, readbacks and DMOV out."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import numpy as np

from autoscope.core import InstrumentError, StagePosition
from autoscope.epics.ioc.faults import Faults
from autoscope.epics.ioc.served import PVs
from autoscope.microscope import Microscope

AXES = {"X": "x_um", "Y": "y_um", "Z": "z_um", "T": "tilt_deg"}
"""Axes and the part of a position that each of them is."""

UPDATE_S = 0.02
"""Real seconds between two readbacks of a moving stage."""

MISS_UM = 100.0
"""How far from its target an injected miss leaves the stage."""

NAN_S = 0.5
"""Real seconds after which an injected NaN is over."""

MAJOR, STATE_ALARM = 2, 7
"""EPICS alarm severity and status of an axis that reports an error."""

Worker = Callable[..., Awaitable[Any]]


class Motors:
    """Four motor records over one stage. Targets that are written while ``Defer`` is 1 start together.

    Args:
        pvs: where they are added.
        microscope: whose stage it is.
        worker: runs a blocking call in the thread that owns the microscope.
        faults: what is to go wrong.
    """

    def __init__(self, pvs: PVs, microscope: Microscope, worker: Worker, faults: Faults) -> None:
        self._pvs, self._microscope, self._worker, self._faults = pvs, microscope, worker, faults
        self._task: asyncio.Task[None] | None = None
        self._stalled = asyncio.Event()
        self._severity = 0
        here = microscope.position()
        for axis, field in AXES.items():
            self._add(axis, getattr(here, field), getattr(microscope.envelope, field) or (0.0, 0.0))
            for end in ("Low", "High"):
                pvs.number(f"Commanded:{axis}:{end}", getattr(here, field), "deg" if axis == "T" else "um")
                pvs.read_only(f"Commanded:{axis}:{end}")
        pvs.integer("Stage:Defer", 0, self._deferred)
        pvs.integer("Fault:StageAlarm", 0, self._alarm)

    @property
    def moving(self) -> bool:
        """Whether a move is under way."""
        return self._task is not None and not self._task.done()

    async def stop(self) -> None:
        """Stops the stage; the readbacks follow."""
        self._microscope.stop_stage()
        self._stalled.set()
        if self._task is not None:
            await asyncio.wait([self._task])

    def _add(self, axis: str, value: float, limits: tuple[float, float]) -> None:
        pvs, unit = self._pvs, "deg" if axis == "T" else "um"
        name = f"Stage:{axis}"
        pvs.number(f"{name}.VAL", value, unit, self._target)
        pvs.alias(name, f"{name}.VAL")
        pvs.number(f"{name}.RBV", value, unit)
        pvs.integer(f"{name}.DMOV", 1)
        pvs.integer(f"{name}.STOP", 0, self._stop)
        pvs.text(f"{name}.EGU", unit)
        pvs.number(f"{name}.LLM", limits[0], unit)
        pvs.number(f"{name}.HLM", limits[1], unit)
        pvs.integer(f"{name}.STAT", 0)
        pvs.integer(f"{name}.SEVR", 0)
        speed, rise_s = _profile(self._microscope)
        pvs.number(f"{name}.VELO", speed, f"{unit}/s")
        pvs.number(f"{name}.ACCL", rise_s, "s")
        fixed = ("RBV", "DMOV", "EGU", "LLM", "HLM", "STAT", "SEVR", "VELO", "ACCL")
        pvs.read_only(*(f"{name}.{field}" for field in fixed))

    async def _target(self, value: float) -> None:
        if not self._pvs["Stage:Defer"].value:
            await self._go()

    async def _deferred(self, value: int) -> None:
        if not value:
            await self._go()

    async def _stop(self, value: int) -> None:
        if value:
            await self.stop()
            for axis in AXES:
                if self._pvs[f"Stage:{axis}.STOP"].value:
                    await self._pvs[f"Stage:{axis}.STOP"].write(0)

    async def _alarm(self, value: int) -> None:
        self._severity = MAJOR if value else 0
        for axis in AXES:
            await self._pvs[f"Stage:{axis}.SEVR"].write(self._severity)
            await self._pvs[f"Stage:{axis}.STAT"].write(STATE_ALARM if value else 0)
            await self._read_back(axis, self._pvs[f"Stage:{axis}.RBV"].value)

    async def _read_back(self, axis: str, value: float) -> None:
        status = STATE_ALARM if self._severity else 0
        await self._pvs[f"Stage:{axis}.RBV"].write(value, severity=self._severity, status=status)

    async def _go(self) -> None:
        """Starts for the targets as they are now; a stage under way is stopped first, as a motor would."""
        if self.moving:
            await self.stop()
        target = StagePosition(**{f: self._pvs[f"Stage:{a}.VAL"].value for a, f in AXES.items()})
        await self._remember(target)
        here = self._microscope.position()
        axes = [a for a, f in AXES.items() if getattr(target, f) != getattr(here, f)]
        for axis in axes:
            await self._pvs[f"Stage:{axis}.DMOV"].write(0)
        self._stalled.clear()
        self._task = asyncio.create_task(self._move(target, axes))

    async def _remember(self, target: StagePosition) -> None:
        """Keeps the lowest and the highest place that each axis was ever sent to, refused ones as well."""
        for axis, field in AXES.items():
            low, high = (self._pvs[f"Commanded:{axis}:{end}"] for end in ("Low", "High"))
            await low.write(min(low.value, getattr(target, field)))
            await high.write(max(high.value, getattr(target, field)))

    async def _move(self, target: StagePosition, axes: list[str]) -> None:
        stall, miss = await self._faults.take("StallMove"), await self._faults.take("MissTarget")
        if miss:
            centre = math.copysign(MISS_UM, self._microscope.position().x_um - target.x_um)
            target = StagePosition(target.x_um + centre, target.y_um, target.z_um, target.tilt_deg)
        try:
            if stall:
                await self._stalled.wait()
            else:
                await self._travel(target)
        except InstrumentError as error:
            print(f"the move to {target} was refused: {error}", flush=True)
        nan = await self._faults.take("ReadNaN")
        await self._publish(nan=nan)
        for axis in axes:
            await self._pvs[f"Stage:{axis}.VAL"].write(getattr(self._microscope.position(), AXES[axis]))
            await self._pvs[f"Stage:{axis}.DMOV"].write(1)
        if nan:
            await asyncio.sleep(NAN_S)
            await self._publish()

    async def _travel(self, target: StagePosition) -> None:
        await self._worker(partial(self._microscope.begin_move, target))
        waiting = asyncio.ensure_future(self._worker(self._microscope.wait_for_stage))
        while not waiting.done():
            await asyncio.wait([waiting], timeout=UPDATE_S)
            await self._publish()
        await waiting

    async def _publish(self, *, nan: bool = False) -> None:
        here = self._microscope.position()
        for axis, field in AXES.items():
            value = math.nan if nan else getattr(here, field)
            if self._pvs[f"Stage:{axis}.RBV"].value != value:
                await self._read_back(axis, value)


def _profile(microscope: Microscope) -> tuple[float, float]:
    """Top speed, um/s, and the time that it takes to reach it, as the microscope predicts its moves.

    For long moves of a trapezoidal profile ``t = d / v + v / a + settling``, and for short ones
    ``t = 2 sqrt(d / a) + settling``: two differences give both.
    """
    far = microscope.predict_travel_s(np.array([1e6, 2e6, 1e-6, 4e-6]))
    speed = 1e6 / float(far[1] - far[0])
    root = float(far[3] - far[2]) / 2e-3  # 2 (sqrt(4) - sqrt(1)) 1e-3 / sqrt(a)
    return _rounded(speed), _rounded(speed * root**2)


def _rounded(value: float) -> float:
    """Nine digits: what differences of predictions are good for."""
    return float(f"{value:.9g}")
