"""The values that pass between rooms: positions, settings, frames, spectra, estimates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ELECTRONS_PER_PA_US = 6.241509074  # 1e-12 A * 1e-6 s / 1.602176634e-19 C (SI 2019, exact)
"""Electrons in one picoampere flowing for one microsecond."""


@dataclass(frozen=True, slots=True)
class StagePosition:
    """Where the stage is, in specimen coordinates: the point under the beam's rest position."""

    x_um: float
    y_um: float
    z_um: float = 0.0
    tilt_deg: float = 0.0

    def distance_um(self, other: StagePosition) -> float:
        """Straight distance to another position in x, y, z (tilt not counted), um."""
        return math.dist((self.x_um, self.y_um, self.z_um), (other.x_um, other.y_um, other.z_um))


@dataclass(frozen=True, slots=True)
class BeamSettings:
    """The beam: acceleration voltage, current, the detector it is read with, and its focus."""

    kv: float = 20.0
    current_pa: float = 500.0
    detector: str = "bse"
    working_distance_mm: float = 10.0


@dataclass(frozen=True, slots=True)
class ImagingSettings:
    """How one frame is scanned. Pixels are square; ``hfw_um`` is what magnification means here."""

    hfw_um: float
    width_px: int
    height_px: int
    dwell_us: float

    @property
    def pixel_nm(self) -> float:
        """Edge of a pixel, nm."""
        return self.hfw_um * 1000.0 / self.width_px

    @property
    def vfw_um(self) -> float:
        """Vertical field width, um."""
        return self.hfw_um * self.height_px / self.width_px

    @property
    def scan_s(self) -> float:
        """Pixels times dwell time, s; line overheads not included."""
        return self.width_px * self.height_px * self.dwell_us * 1e-6

    def dose_e_per_nm2(self, current_pa: float) -> float:
        """Electrons per nm² that one frame puts on its field: I t_dwell / (e pixel²)."""
        return current_pa * self.dwell_us * ELECTRONS_PER_PA_US / self.pixel_nm**2


@dataclass(frozen=True, slots=True)
class Frame:
    """One acquired image with everything that is needed to read it.

    Attributes:
        pixels: ``height x width`` uint8 or uint16; owned by the frame, read-only.
        position: where the stage read back, at the frame's centre.
        imaging: the scan that made it.
        beam: the beam that made it.
        time_s: the microscope's clock when the scan began, s.
        frame_id: number of the frame on this microscope, counted from 1.
        dose_e_per_nm2: dose of this frame.
        microscope: name of the microscope that took it.
    """

    pixels: NDArray[np.uint8] | NDArray[np.uint16]
    position: StagePosition
    imaging: ImagingSettings
    beam: BeamSettings
    time_s: float
    frame_id: int
    dose_e_per_nm2: float
    microscope: str


@dataclass(frozen=True, slots=True)
class Spectrum:
    """EDS counts at one point.

    Attributes:
        counts: ``channels`` int64; owned by the spectrum, read-only.
        live_s: live time, s.
        real_s: real time, s (live plus dead).
        ev_per_channel: width of a channel, eV.
        offset_ev: energy of the centre of channel 0, eV.
        position: where the beam rested: where the stage was, or a spot of its field.
        beam: the beam that made it.
        time_s: the microscope's clock at the start, s.
    """

    counts: NDArray[np.int64]
    live_s: float
    real_s: float
    ev_per_channel: float
    offset_ev: float
    position: StagePosition
    beam: BeamSettings
    time_s: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and how sure it is.

    Attributes:
        value: the estimate.
        ci_low: lower end of the interval, None where no interval is defensible.
        ci_high: upper end, likewise.
        confidence: nominal coverage, such as 0.95.
        n_fields: fields that were measured.
        estimator: name of the estimator.
    """

    value: float
    ci_low: float | None
    ci_high: float | None
    confidence: float
    n_fields: int
    estimator: str

    @property
    def half_width(self) -> float | None:
        """Half of the interval's width, None without an interval."""
        if self.ci_low is None or self.ci_high is None:
            return None
        return (self.ci_high - self.ci_low) / 2

    @property
    def relative_accuracy_percent(self) -> float | None:
        """%RA = 100 x half-width / value (ASTM E562, section on relative accuracy); None at zero."""
        half = self.half_width
        return None if half is None or self.value == 0 else 100.0 * half / abs(self.value)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a predictor believes of every field before it is measured.

    Attributes:
        value: ``targets x fields``, within each target's bounds.
        spread: ``targets x fields``, root-mean-square of (measured - value) that is expected, positive.
    """

    value: NDArray[np.float64]
    spread: NDArray[np.float64]
