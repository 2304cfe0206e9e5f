"""What a session is told about how to image and focus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from autoscope.core import (
    BeamSettings,
    FocusError,
    FrameError,
    ImagingSettings,
    InstrumentError,
    Region,
    StageError,
)


@dataclass(frozen=True, slots=True)
class FaultPolicy:
    """What follows a failure.

    Attributes:
        retries: how often a frame or a move that failed is tried again.
        on_failure: whether a field that failed for good ends the session or is skipped and reported.
        refocus: whether the instrument focuses before it is tried again.
    """

    retries: int = 1
    on_failure: Literal["stop", "skip"] = "stop"
    refocus: bool = False


@dataclass(frozen=True, slots=True)
class FocusPolicy:
    """What follows an autofocus that finds no focus.

    Attributes:
        retries: how often it is tried again, where the focus is not kept.
        on_failure: ``"keep"`` goes on with the focus as it was; the others count as a failure of the field.
    """

    retries: int = 1
    on_failure: Literal["keep", "stop", "skip"] = "keep"


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    """What happens when the instrument fails in the middle of a session.

    Attributes:
        retries: how often what failed is tried again.
        wait_s: real seconds to wait for an instrument that cannot be reached or is not healthy.
        on_failure: whether a field that failed for good ends the session or is skipped and reported.
        stage: where moves have a policy of their own.
        frame: where frames have.
        autofocus: what follows an autofocus that finds nothing.
    """

    retries: int = 1
    wait_s: float = 0.0
    on_failure: Literal["stop", "skip"] = "stop"
    stage: FaultPolicy | None = None
    frame: FaultPolicy | None = None
    autofocus: FocusPolicy = FocusPolicy()

    def of(self, error: InstrumentError) -> FaultPolicy:
        """What follows this failure."""
        if isinstance(error, FocusError):
            kept = self.autofocus.on_failure
            return FaultPolicy(self.autofocus.retries, self.on_failure if kept == "keep" else kept)
        own = {StageError: self.stage, FrameError: self.frame}
        for kind, policy in own.items():
            if isinstance(error, kind) and policy is not None:
                return policy
        return FaultPolicy(self.retries, self.on_failure)


@dataclass(frozen=True, slots=True)
class SessionSettings:
    """How a session images and when it refocuses.

    Attributes:
        region: what is reported on.
        overview: scan of the overview.
        reference: scan at the reference magnification.
        beam: voltage, current, detector, first working distance.
        focus_every_s: longest time between two autofocus runs.
        sharpness_drop: relative drop of sharpness that triggers one.
        recovery: what happens when the instrument fails.
    """

    region: Region
    overview: ImagingSettings
    reference: ImagingSettings
    beam: BeamSettings
    focus_every_s: float
    sharpness_drop: float
    recovery: RecoveryPolicy = RecoveryPolicy()
