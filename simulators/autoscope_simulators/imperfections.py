"""What is not perfect about the simulated microscope: noise, focus, drift, calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

import numpy as np

from autoscope.core import ConfigurationError, component_rng

DRIFT_PERIODS_S = (1200.0, 2900.0, 7000.0)
"""Periods of the sinusoids that drift is made of: 20 minutes to 2 hours."""

NOT_NEGATIVE = (
    "amplifier_noise_e",
    "charging_per_mm2",
    "charging_strength",
    "convergence_mrad",
    "focus_drift_um",
    "patch_radius_um",
    "relief_per_mm2",
    "stage_drift_um",
    "stage_repeatability_um",
)
"""Fields of :class:`Imperfections` that are magnitudes."""


@dataclass(frozen=True, slots=True)
class Imperfections:
    """How the image differs from the specimen. The defaults are those of an ordinary, well-kept SEM.

    Attributes:
        noise: whether frames have shot and amplifier noise.
        detected_share: detected electrons per beam electron where the specimen is brightest (full scale).
            A backscatter yield of 0.3 to 0.5 seen by a detector that catches a quarter of it gives 0.1.
        amplifier_noise_e: detected electrons (rms) that the amplifier's white noise amounts to in 1 us.
        convergence_mrad: half-angle of the beam's cone; 0 gives an infinite depth of focus.
        focal_tilt_mrad: slope of the specimen's surface in x and y: um of focus per mm of stage.
        focus_offset_um: how far out of focus the specimen's centre is at the start.
        focus_drift_um: rms of the slow wander of the focus over hours.
        stage_drift_um: rms of the slow wander in x and in y over hours, which the stage does not see.
        stage_repeatability_um: rms miss of a move in x and in y; the stage's encoder reads it.
        astigmatism_um: the column's astigmatism at 0 and at 45 degrees, as a difference of focus.
        pixel_size_error: relative error of the magnification: 0.01 images 1 % more than was asked for.
        relief_per_mm2: places where the surface stands higher or lower than the plane, out of focus until
            the microscope is focused there.
        relief_um: how much higher.
        charging_per_mm2: places that do not conduct and charge under the beam, however it is focused.
        charging_strength: how badly; see :mod:`autoscope_simulators.charging`.
        patch_radius_um: radius of these places.

    Raises:
        ConfigurationError: a value is negative where it may not be, or not finite.
    """

    noise: bool = True
    detected_share: float = 0.1
    amplifier_noise_e: float = 3.0
    convergence_mrad: float = 5.0
    focal_tilt_mrad: tuple[float, float] = (4.0, -2.5)
    focus_offset_um: float = 0.0
    focus_drift_um: float = 8.0
    stage_drift_um: float = 0.2
    stage_repeatability_um: float = 0.0
    astigmatism_um: tuple[float, float] = (0.0, 0.0)
    pixel_size_error: float = 0.0
    relief_per_mm2: float = 0.0
    relief_um: float = 150.0
    charging_per_mm2: float = 0.0
    charging_strength: float = 1.0
    patch_radius_um: float = 40.0

    def __post_init__(self) -> None:
        problems = [
            f"imperfections.{name} = {getattr(self, name):g} must not be negative"
            for name in NOT_NEGATIVE
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0)
        ]
        signed = (self.focus_offset_um, self.relief_um, *self.focal_tilt_mrad, *self.astigmatism_um)
        if not np.isfinite(signed).all():
            problems.append(
                "imperfections: focus_offset_um, relief_um, focal_tilt_mrad, astigmatism_um must be finite"
            )
        if not 0 < self.detected_share <= 1:
            problems.append(f"imperfections.detected_share = {self.detected_share:g} must lie in (0, 1]")
        if not abs(self.pixel_size_error) < 0.5:
            problems.append(
                f"imperfections.pixel_size_error = {self.pixel_size_error:g} must lie in (-0.5, 0.5)"
            )
        if problems:
            raise ConfigurationError(*problems)

    @classmethod
    def ideal(cls) -> Self:
        """A perfect instrument: no noise, always in focus, no drift, exact magnification."""
        return cls(
            noise=False, amplifier_noise_e=0.0, convergence_mrad=0.0, focal_tilt_mrad=(0.0, 0.0),
            focus_drift_um=0.0, stage_drift_um=0.0,
        )  # fmt: skip


class Drift:
    """A slow random wander of one coordinate: a function of the clock and the seed, 0 at time 0.

    A stationary process in its spectral representation (Shinozuka and Deodatis 1991) with three periods
    of equal power, less its value at time 0. Being a function, it needs no state to go on after an
    interruption.

    Args:
        seed: the session's seed.
        name: which coordinate, such as ``"focus"``.
        rms: standard deviation of the stationary process.
    """

    def __init__(self, seed: int, name: str, rms: float) -> None:
        phases = component_rng(seed, f"drift {name}").uniform(0, 2 * math.pi, len(DRIFT_PERIODS_S))
        self._waves = [
            (2 * math.pi / period, phase)
            for period, phase in zip(DRIFT_PERIODS_S, phases.tolist(), strict=True)
        ]
        self._amplitude = rms * math.sqrt(2 / len(DRIFT_PERIODS_S))

    def at(self, time_s: float) -> float:
        """The wander since time 0."""
        if self._amplitude == 0:
            return 0.0
        waves = (math.sin(rate * time_s + phase) - math.sin(phase) for rate, phase in self._waves)
        return self._amplitude * sum(waves)
