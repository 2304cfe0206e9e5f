"""What actions cost on the simulated microscope, in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autoscope.core import ConfigurationError, ImagingSettings

MUST_BE_POSITIVE = ("stage_speed_um_per_s", "stage_acceleration_um_per_s2", "beam_current_pa")
"""Fields of :class:`Timing` that may not be zero."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Times and speeds of stage, scan and detectors.

    Measured on real SEMs: 1.5 s median (1.9 s p90) overhead per image, and 7.4 s median (7.8 s p90) per
    absolute stage move. The image overhead here is that median. The stage is a quick one: a move of 50 um
    takes 1.45 s, one of 2.7 mm 6.9 s; ``stage_settle_s = 6.9`` gives short moves the measured median.

    Attributes:
        stage_speed_um_per_s: top speed.
        stage_acceleration_um_per_s2: of speeding up and of slowing down.
        stage_settle_s: rest after every move before a frame may be taken.
        image_overhead_s: per frame, whatever its size.
        line_overhead_us: per line: flyback of the beam.
        beam_current_pa: the current that the beam starts with; the dose of a second.
        autofocus_s: per autofocus.
        spectrum_overhead_s: per spectrum.

    Raises:
        ConfigurationError: a value is negative, not finite, or zero where it may not be.
    """

    stage_speed_um_per_s: float = 500.0
    stage_acceleration_um_per_s2: float = 1000.0
    stage_settle_s: float = 1.0
    image_overhead_s: float = 1.5
    line_overhead_us: float = 100.0
    beam_current_pa: float = 500.0
    autofocus_s: float = 12.0
    spectrum_overhead_s: float = 2.0

    def __post_init__(self) -> None:
        problems = []
        for item in fields(self):
            value = getattr(self, item.name)
            if item.name in MUST_BE_POSITIVE:
                if not (math.isfinite(value) and value > 0):
                    problems.append(f"timing.{item.name} = {value:g} must be positive")
            elif not (math.isfinite(value) and value >= 0):
                problems.append(f"timing.{item.name} = {value:g} must not be negative")
        if problems:
            raise ConfigurationError(*problems)

    def travel_s(self, distance_um: ArrayLike) -> NDArray[np.float64]:
        """Seconds of straight moves, settling included; 0 where nothing moves.

        The speed rises and falls linearly (trapezoidal profile): ``2 sqrt(d / a)`` up to ``d = v² / a``,
        ``d / v + v / a`` beyond.

        Args:
            distance_um: ``n``, not negative.
        """
        d = np.asarray(distance_um, float)
        v, a = self.stage_speed_um_per_s, self.stage_acceleration_um_per_s2
        run_s = np.where(d < v**2 / a, 2 * np.sqrt(d / a), d / v + v / a)
        return np.where(d > 0, run_s + self.stage_settle_s, 0.0)

    def travelled_um(self, distance_um: float, elapsed_s: float) -> float:
        """How far a move over a distance has come a time after its start."""
        a = self.stage_acceleration_um_per_s2
        top = min(self.stage_speed_um_per_s, math.sqrt(distance_um * a))
        ramp_s = top / a
        run_s = float(self.travel_s(distance_um)) - self.stage_settle_s
        if distance_um <= 0 or elapsed_s >= run_s:
            return distance_um
        if elapsed_s <= 0:
            return 0.0
        if elapsed_s < ramp_s:
            return a * elapsed_s**2 / 2
        if elapsed_s <= run_s - ramp_s:
            return top * (elapsed_s - ramp_s / 2)
        return distance_um - a * (run_s - elapsed_s) ** 2 / 2

    def image_s(self, imaging: ImagingSettings) -> float:
        """Seconds of a frame: overhead, lines, pixels times dwell."""
        return self.image_overhead_s + imaging.height_px * self.line_overhead_us * 1e-6 + imaging.scan_s
