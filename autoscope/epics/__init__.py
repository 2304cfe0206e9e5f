"""A microscope over EPICS Channel Access, and the IOC that serves any microscope over it."""

from typing import TYPE_CHECKING, Any

from autoscope.core import FrameError
from autoscope.epics.errors import (
    AlarmError,
    DisconnectedError,
    FrameTimeoutError,
    NotReadyError,
    ReadbackError,
    SettingError,
    StageMissedError,
    StageStalledError,
)
from autoscope.epics.pv_map import PVMap, default_pvs

if TYPE_CHECKING:
    from autoscope.epics.microscope import Costs, EpicsMicroscope

__all__ = [
    "AlarmError",
    "Costs",
    "DisconnectedError",
    "EpicsMicroscope",
    "FrameError",
    "FrameTimeoutError",
    "NotReadyError",
    "PVMap",
    "ReadbackError",
    "SettingError",
    "StageMissedError",
    "StageStalledError",
    "default_pvs",
]


def __getattr__(name: str) -> Any:
    """The Channel Access library waits until it is asked for."""
    if name in {"Costs", "EpicsMicroscope"}:
        from autoscope.epics import microscope

        return getattr(microscope, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
