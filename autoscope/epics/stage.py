"""The stage: axes with the meanings of the EPICS motor record, moved together along a straight line."""

from __future__ import annotations

import time
from dataclasses import dataclass

from autoscope.core import InstrumentError, MoveStoppedError, StagePosition
from autoscope.epics.channels import Channel, Channels
from autoscope.epics.errors import StageMissedError, StageStalledError

FIELDS = {"x": "x_um", "y": "y_um", "z": "z_um", "tilt": "tilt_deg"}
"""Axes and the part of a position that each of them moves."""

TOLERANCE = 1.0
"""How far from its target an axis may stand after a move, um or degrees."""

START_S = 2.0
"""How long an axis that is not at its target may take to say that it moves."""

STOP_S = 1.5
"""How long a stage may take to stand still after it was stopped."""

LOOK_AGAIN_S = 0.05
"""Longest time between two questions to a stage that is stopping."""

SAME_TWICE = 20
"""How often a position is read until it is the same twice: the axes of a moving stage are read one by one."""


@dataclass(slots=True)
class Axis:
    """One axis during a move: its target, how often it had moved before, and whether it was stopped."""

    name: str
    target: float
    falls: int
    rests: bool = False


class EpicsStage:
    """Moves axes together and watches them.

    Args:
        channels: the instrument's PVs.
        real_s_per_s: real seconds for each second of the clock.
        margin_s: how much longer than predicted a move may take, real seconds.
    """

    def __init__(self, channels: Channels, real_s_per_s: float, margin_s: float) -> None:
        self._channels, self._real_s_per_s, self._margin_s = channels, real_s_per_s, margin_s
        self.axes = tuple(name for name in FIELDS if f"stage.{name}.target" in channels)
        self._moving: list[Axis] = []
        self._began_s = self._lasts_s = 0.0
        self._stopped = False

    def position(self) -> StagePosition:
        """Where the axes read that they are; axes that are not mapped read 0.

        Raises:
            ReadbackError: an axis reads no finite number.
            DisconnectedError: an axis does not answer.
        """
        here = self._read()
        for _ in range(SAME_TWICE if self._moving else 0):
            again = self._read()
            if again == here:
                break
            here = again
        return here

    def begin(self, target: StagePosition, lasts_s: float) -> None:
        """Starts all axes that are not at the target yet; ``lasts_s`` is the prediction.

        Raises:
            InstrumentError: the target needs an axis that is not mapped.
            AlarmError: an axis is in alarm; nothing has moved.
        """
        here = self._read()
        wanted = {name: getattr(target, field) for name, field in FIELDS.items()}
        fixed = [n for n in FIELDS if n not in self.axes and wanted[n] != getattr(here, FIELDS[n])]
        if fixed:
            raise InstrumentError(f"the move to {target} needs the axis {fixed[0]}, which is not mapped")
        moving = [name for name in self.axes if wanted[name] != getattr(here, FIELDS[name])]
        for name in moving:
            self._channel(name, "readback").require_no_alarm()
        self._moving = [Axis(name, wanted[name], self._channel(name, "done").falls) for name in moving]
        self._stopped = False
        self._began_s, self._lasts_s = time.monotonic(), lasts_s * self._real_s_per_s
        self._write_targets()

    def is_moving(self) -> bool:
        """Whether an axis that was started has not arrived yet."""
        return any(not self._ended(axis) for axis in self._moving)

    def wait(self) -> None:
        """Waits until the move has ended.

        Raises:
            MoveStoppedError: it was stopped before its target.
            StageStalledError: it did not begin or end in time; the stage was told to stop.
            StageMissedError: it ended elsewhere.
            DisconnectedError: an axis lost its connection.
        """
        moving = self._moving
        deadline_s = self._began_s + 2 * self._lasts_s + self._margin_s - time.monotonic()
        done = [f"stage.{axis.name}.done" for axis in moving]
        if not self._channels.wait_until(lambda: not self.is_moving(), deadline_s, *done):
            self._stall(moving)
        self._moving = []
        stopped, self._stopped = self._stopped, False
        here = self._read()
        missed = [axis for axis in moving if abs(getattr(here, FIELDS[axis.name]) - axis.target) > TOLERANCE]
        if stopped and missed:
            raise MoveStoppedError(f"the move was stopped at ({here.x_um:g}, {here.y_um:g}) um")
        for axis in missed:
            channel = self._channel(axis.name, "readback")
            channel.require_no_alarm()
            raise StageMissedError(
                f"{channel} ended at {getattr(here, FIELDS[axis.name]):g}, its target was {axis.target:g}"
                f" (within {TOLERANCE:g})"
            )

    def stop(self) -> None:
        """Stops every axis and waits, not for long, until they stand still."""
        moving = self.is_moving()
        for name in self.axes:
            self._channel(name, "stop").write(1, wait=False)
        if not moving:
            return
        self._stopped = True
        for axis in self._moving:  # answered once the target is taken up and the stop has been acted upon
            self._channel(axis.name, "stop").write(1)
        if self._comes_to_rest():
            for axis in self._moving:
                axis.rests = True

    def _comes_to_rest(self) -> bool:
        """Asks the axes themselves, since what they said last may be older than the move."""
        done = [f"stage.{name}.done" for name in self.axes]
        deadline_s = time.monotonic() + STOP_S
        while not all(self._channels.numbers(*done)):
            if time.monotonic() > deadline_s:
                return False
            self._channels.wait_until(self._say_rest, LOOK_AGAIN_S)
        return True

    def _say_rest(self) -> bool:
        return all(self._channel(name, "done").value for name in self.axes)

    def _ended(self, axis: Axis) -> bool:
        if axis.rests:
            return True
        done = self._channel(axis.name, "done")
        if not done.value:
            return False
        if done.falls > axis.falls or self._stopped:
            return True
        readback = self._channel(axis.name, "readback").value
        near = readback is not None and abs(readback - axis.target) <= 1e-9 * max(1.0, abs(axis.target))
        return near or time.monotonic() - self._began_s > START_S + self._lasts_s

    def _stall(self, moving: list[Axis]) -> None:
        late = [axis for axis in moving if not self._ended(axis)]
        self.stop()
        self._moving, self._stopped = [], False
        names = ", ".join(str(self._channel(axis.name, "done")) for axis in late)
        raise StageStalledError(
            f"{names} did not report the end of a move that was predicted to take {self._lasts_s:.3g} s"
            f" within {2 * self._lasts_s + self._margin_s:.3g} s; the stage was told to stop"
        )

    def _write_targets(self) -> None:
        together = self._channels.get("stage.defer") if len(self._moving) > 1 else None
        if together is not None:
            together.write(1)
        for axis in self._moving:
            self._channel(axis.name, "target").write(axis.target, wait=together is not None)
        if together is not None:
            together.write(0)

    def _read(self) -> StagePosition:
        values = self._channels.numbers(*(f"stage.{name}.readback" for name in self.axes))
        return StagePosition(**{FIELDS[name]: value for name, value in zip(self.axes, values, strict=True)})

    def _channel(self, axis: str, signal: str) -> Channel:
        return self._channels[f"stage.{axis}.{signal}"]
