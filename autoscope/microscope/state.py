"""What a microscope says about itself: its kind, its health, its focus, and where it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autoscope.core import BeamSettings, StagePosition
from autoscope.microscope.budget import Spent


@dataclass(frozen=True, slots=True)
class MicroscopeInfo:
    """What kind of microscope this is. Every session records it and the report prints it."""

    kind: Literal["simulated", "epics"]
    simulated: bool
    name: str


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the instrument can go on, and every reason why not."""

    ok: bool
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FocusResult:
    """What an autofocus found.

    Attributes:
        working_distance_mm: the focus that was set.
        stigmator: the stigmator's x and y settings, in the driver's units.
        sharpness: the sharpness reached, in the driver's units (larger is sharper).
    """

    working_distance_mm: float
    stigmator: tuple[float, float]
    sharpness: float


@dataclass(frozen=True, slots=True)
class DriverState:
    """What is needed to go on after an interruption: the account and where the microscope was.

    Attributes:
        spent: what had been spent.
        position: where the stage stood.
        beam: the beam's settings.
        clock_s: the microscope's clock.
        frame_id: number of the last frame.
    """

    spent: Spent
    position: StagePosition
    beam: BeamSettings
    clock_s: float
    frame_id: int
