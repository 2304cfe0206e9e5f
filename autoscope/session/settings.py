"""What a session is told about how to image and focus."""

from __future__ import annotations

from dataclasses import dataclass

from autoscope.core import BeamSettings, ImagingSettings, Region


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
    """

    region: Region
    overview: ImagingSettings
    reference: ImagingSettings
    beam: BeamSettings
    focus_every_s: float
    sharpness_drop: float
