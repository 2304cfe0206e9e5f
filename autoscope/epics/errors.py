"""What can go wrong with an instrument on EPICS, by name."""

from __future__ import annotations

from autoscope.core import FrameError, InstrumentError, StageError, UnreachableError


class DisconnectedError(UnreachableError):
    """A PV lost its connection, or does not answer any more."""


class NotReadyError(UnreachableError):
    """The instrument itself says that it cannot work: vacuum, valve or beam."""


class AlarmError(StageError):
    """A PV that matters now is in a major or invalid alarm."""


class ReadbackError(InstrumentError):
    """A readback is not a finite number."""


class StageStalledError(StageError):
    """A move did not begin, or did not end in time. The stage was told to stop."""


class StageMissedError(StageError):
    """A move ended and the stage does not stand at its target."""


class FrameTimeoutError(FrameError):
    """No new frame came in time."""


class SettingError(InstrumentError):
    """A setting does not read back as it was written."""
