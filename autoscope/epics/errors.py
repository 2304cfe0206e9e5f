"""What can go wrong with an instrument on EPICS, by name."""

from __future__ import annotations

from autoscope.core import InstrumentError, UnreachableError


class DisconnectedError(UnreachableError):
    """A PV lost its connection, or does not answer any more."""


class NotReadyError(UnreachableError):
    """The instrument itself says that it cannot work: vacuum, valve or beam."""


class AlarmError(InstrumentError):
    """A PV that matters now is in a major or invalid alarm."""


class ReadbackError(InstrumentError):
    """A readback is not a finite number."""


class StageStalledError(InstrumentError):
    """A move did not begin, or did not end in time. The stage was told to stop."""


class StageMissedError(InstrumentError):
    """A move ended and the stage does not stand at its target."""


class FrameTimeoutError(InstrumentError):
    """No new frame came in time."""


class FrameError(InstrumentError):
    """A frame came and is not the one that was asked for."""


class SettingError(InstrumentError):
    """A setting does not read back as it was written."""
