"""The column: where the beam is focused, how much it blurs, and what a scan shows."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autoscope.core import (
    ELECTRONS_PER_PA_US,
    BeamSettings,
    ImagingSettings,
    Rectangle,
    StagePosition,
    component_rng,
)
from autoscope_simulators.charging import charge
from autoscope_simulators.detection import detect, digitise
from autoscope_simulators.imperfections import Drift, Imperfections
from autoscope_simulators.patches import Patches
from autoscope_simulators.resampling import Axis, copy, image
from autoscope_simulators.specimen_file import SpecimenFile


@dataclass(frozen=True, slots=True)
class Blur:
    """Standard deviations of the beam's blur in x and y, um."""

    x_um: float
    y_um: float


SHARP = Blur(0.0, 0.0)
"""The blur of an infinite depth of focus."""


class Column:
    """Everything between the specimen and the pixels: focus, blur, drift, magnification, noise.

    Args:
        specimen: what is imaged.
        imperfections: how badly.
        seed: the session's seed.
        working_distance_mm: at which the specimen's centre is in focus at time 0 (but for the offset).
    """

    def __init__(
        self, specimen: SpecimenFile, imperfections: Imperfections, seed: int, working_distance_mm: float
    ) -> None:
        self._specimen, self._imperfections, self._seed = specimen, imperfections, seed
        self._focus_mm = working_distance_mm
        self._drift_x = Drift(seed, "x", imperfections.stage_drift_um)
        self._drift_y = Drift(seed, "y", imperfections.stage_drift_um)
        self._drift_focus = Drift(seed, "focus", imperfections.focus_drift_um)
        extent, radius_um = specimen.extent, imperfections.patch_radius_um
        self._relief = Patches(seed, "relief", extent, imperfections.relief_per_mm2, radius_um)
        self._charging = Patches(seed, "charging", extent, imperfections.charging_per_mm2, radius_um)

    def plane_mm(self, position: StagePosition, time_s: float) -> float:
        """The working distance at which a position is in focus.

        The surface is a tilted plane with the planted relief on it; raising the specimen shortens the
        distance by as much; tilting the stage (about the x axis through the specimen's centre) adds the
        tilt's own slope.
        """
        known = self._imperfections
        x0, y0 = self._specimen.extent.centre
        dx_mm, dy_mm = (position.x_um - x0) / 1000, (position.y_um - y0) / 1000
        slope_um = known.focal_tilt_mrad[0] * dx_mm + known.focal_tilt_mrad[1] * dy_mm
        tilt_um = math.tan(math.radians(position.tilt_deg)) * (position.y_um - y0)
        wander_um = known.focus_offset_um + self._drift_focus.at(time_s)
        raised_um = position.z_um + self.relief_um(position)
        return self._focus_mm + (slope_um + tilt_um + wander_um - raised_um) / 1000

    def relief_um(self, position: StagePosition) -> float:
        """How much higher than the plane the surface stands at a position."""
        raised = self._relief.hold(position.x_um, position.y_um)
        return self._imperfections.relief_um if raised else 0.0

    def blur(
        self, position: StagePosition, beam: BeamSettings, time_s: float, stigmator: tuple[float, float]
    ) -> Blur:
        """The blur where the stage stands.

        Out of focus by d the beam is a disc of radius ``alpha d`` with alpha its half-angle; a disc has
        the variance ``r² / 4`` along each axis. Astigmatism at 0 degrees shifts the foci of x and y apart;
        that at 45 degrees blurs both alike, which keeps the kernel separable.
        """
        if self._imperfections.convergence_mrad == 0:
            return SHARP
        defocus_um = (beam.working_distance_mm - self.plane_mm(position, time_s)) * 1000
        straight = self._imperfections.astigmatism_um[0] - stigmator[0]
        oblique = self._imperfections.astigmatism_um[1] - stigmator[1]
        per_um = self._imperfections.convergence_mrad * 1e-3 / 2
        return Blur(
            per_um * math.hypot(defocus_um + straight, oblique),
            per_um * math.hypot(defocus_um - straight, oblique),
        )

    def footprint(self, position: StagePosition, imaging: ImagingSettings, time_s: float) -> Rectangle:
        """What the scan really covers: drifted, at the true magnification, foreshortened by the tilt."""
        scale = 1 + self._imperfections.pixel_size_error
        half_x = imaging.hfw_um * scale / 2
        half_y = imaging.vfw_um * scale / 2 / math.cos(math.radians(position.tilt_deg))
        x, y = self.lands(position, time_s)
        return Rectangle(x - half_x, y - half_y, x + half_x, y + half_y)

    def lands(self, position: StagePosition, time_s: float) -> tuple[float, float]:
        """Where a resting beam hits the specimen, drift included: ``(x_um, y_um)``."""
        return position.x_um + self._drift_x.at(time_s), position.y_um + self._drift_y.at(time_s)

    def spot(self, position: StagePosition, spot_um: tuple[float, float]) -> StagePosition:
        """Where on the stage the scan coils put a resting beam, with the magnification's error."""
        scale = 1 + self._imperfections.pixel_size_error
        dy_um = spot_um[1] * scale / math.cos(math.radians(position.tilt_deg))
        return replace(position, x_um=position.x_um + spot_um[0] * scale, y_um=position.y_um + dy_um)

    def scan(
        self,
        position: StagePosition,
        imaging: ImagingSettings,
        beam: BeamSettings,
        time_s: float,
        *,
        stigmator: tuple[float, float],
        keys: tuple[str, *tuple[int, ...]],
    ) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """One frame, ``height x width``; black where there is no specimen.

        Args:
            position: where the stage stands.
            imaging: the scan.
            beam: the beam.
            time_s: the clock when the scan begins; drift within a frame is not simulated.
            stigmator: its settings, um of focus difference.
            keys: name and numbers of the frame's generator: the same keys give the same noise.
        """
        covered = self.footprint(position, imaging, time_s)
        blur = self.blur(position, beam, time_s, stigmator)
        level, rows, columns = self._axes(covered, imaging, blur)
        raster = self._specimen.levels(beam.detector)[level]
        known, dtype = self._imperfections, raster.dtype
        charged = self._charged(position, imaging)
        pixels = None if known.noise or charged else copy(raster, rows, columns)
        if pixels is None:
            signal = image(raster, rows, columns)
            if charged:
                charging_rng = component_rng(self._seed, f"charging {keys[0]}", *keys[1:])
                signal = charge(signal, float(np.iinfo(dtype).max), charged, charging_rng)
            if known.noise:
                electrons = beam.current_pa * imaging.dwell_us * ELECTRONS_PER_PA_US * known.detected_share
                amplifier_e = known.amplifier_noise_e * math.sqrt(imaging.dwell_us)
                rng = component_rng(self._seed, *keys)
                signal = detect(signal, float(np.iinfo(dtype).max), electrons, amplifier_e, rng)
            pixels = digitise(signal, dtype)
        if not self._specimen.shows_only_specimen(*self._specimen.window_px(covered)):
            pixels[~self._specimen.valid_window(covered, pixels.shape)] = 0
        return pixels

    def _charged(self, position: StagePosition, imaging: ImagingSettings) -> float:
        """How badly a frame charges: on a wide frame the dose that falls on a patch is a small one."""
        known = self._imperfections
        if not self._charging.hold(position.x_um, position.y_um):
            return 0.0
        patch_um2 = math.pi * known.patch_radius_um**2
        return known.charging_strength * min(1.0, patch_um2 / (imaging.hfw_um * imaging.vfw_um))

    def _axes(self, covered: Rectangle, imaging: ImagingSettings, blur: Blur) -> tuple[int, Axis, Axis]:
        """The pyramid level to read and the scan's two directions in its pixels.

        The level's pixels are at most half of a frame's pixel or of the blur, so that averaging over them
        again is as good as averaging over native pixels.
        """
        native_um = self._specimen.pixel_nm / 1000
        step_x, step_y = covered.width_um / imaging.width_px, covered.height_um / imaging.height_px
        detail_um = max(min(step_x, step_y), min(blur.x_um, blur.y_um))
        finest = max(0, math.floor(math.log2(detail_um / native_um) + 1e-9) - 1)
        level = min(finest, len(self._specimen.levels(self._specimen.detectors[0])) - 1)
        pixel_um = native_um * 2**level
        rows = Axis(covered.y0_um / pixel_um, step_y / pixel_um, imaging.height_px, blur.y_um / pixel_um)
        columns = Axis(covered.x0_um / pixel_um, step_x / pixel_um, imaging.width_px, blur.x_um / pixel_um)
        return level, rows, columns
