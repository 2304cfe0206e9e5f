"""The simulated microscope: a specimen file behind the same abstraction as a real instrument."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from autoscope.core import (
    BeamSettings,
    ConfigurationError,
    ImagingSettings,
    Spectrum,
    StagePosition,
    component_rng,
)
from autoscope.microscope import (
    Budget,
    DriverState,
    Envelope,
    FocusResult,
    Health,
    Microscope,
    MicroscopeInfo,
    SimulatedClock,
    SpectrumTest,
)
from autoscope_simulators.autofocus import BLUR_PER_STEP, Setting, as_result, find_focus, sharpness_at
from autoscope_simulators.imperfections import Imperfections
from autoscope_simulators.optics import Column
from autoscope_simulators.specimen_file import SpecimenFile
from autoscope_simulators.spectrometer import Spectrometer
from autoscope_simulators.stage import SimulatedStage
from autoscope_simulators.timing import Timing

FOCUS_FRAME_PX = 256
"""Edge of the frames that the autofocus takes."""

FOCUS_DWELL_US = 10.0
"""Their dwell time."""

FOCUS_ZOOMS = (16, 4, 1)
"""Their native pixels per pixel, from the first sweep to the last."""

FOCUS_REACH = 0.5
"""By what share of the working distance the autofocus changes it at most."""

START_CANDIDATES = 32
"""Places along each side of the specimen that are tried for a start outside keep-out zones."""


class SimulatedMicroscope(Microscope):
    """True in position, magnification, dwell, focus, drift, dose and time, on a stored specimen.

    Everything random is a function of the seed and the frame's number or the clock, so that a session
    which goes on after an interruption sees the same pixels. The voltage changes no pixel; spectra are
    refused at another voltage than theirs. Frames that an
    autofocus takes cost its time; their dose is not booked.

    Args:
        specimen: an open specimen file; the microscope closes it when it is closed.
        envelope: what the stage and the beam may do.
        budget: what may be spent.
        seed: of noise and drift.
        timing: what actions cost.
        imperfections: how the image differs from the specimen.
        time_scale: real seconds per simulated one; 0: an hour passes in no time.
        working_distance_mm: where the specimen's centre is in focus at the start, and the beam's setting.
        clock: another clock than one that only actions move on; ``time_scale`` must be its own.

    Raises:
        ConfigurationError: the envelope leaves no place on the specimen to start from.
    """

    def __init__(
        self,
        specimen: SpecimenFile,
        *,
        envelope: Envelope | None = None,
        budget: Budget | None = None,
        seed: int = 0,
        timing: Timing | None = None,
        imperfections: Imperfections | None = None,
        time_scale: float = 0.0,
        working_distance_mm: float = 10.0,
        clock: SimulatedClock | None = None,
    ) -> None:
        super().__init__(envelope=envelope or Envelope(), budget=budget)
        self._specimen, self._seed = specimen, seed
        self._timing = timing or Timing()
        self._imperfections = imperfections or Imperfections()
        self._clock = clock or SimulatedClock(time_scale)
        start = _start(specimen, self.envelope)
        self._stage = SimulatedStage(self._clock, self._timing, start, time_scale)
        self._column = Column(specimen, self._imperfections, seed, working_distance_mm)
        self._spectrometer = Spectrometer(specimen, seed)
        self._beam = BeamSettings(
            current_pa=self._timing.beam_current_pa,
            detector=specimen.detectors[0],
            working_distance_mm=working_distance_mm,
        )
        self._stigmator = (0.0, 0.0)
        self._blanked = True

    @property
    def info(self) -> MicroscopeInfo:
        """Says that this is a simulation, and of what."""
        return MicroscopeInfo("simulated", True, f"simulated microscope on {self._specimen.name}")

    @property
    def clock(self) -> SimulatedClock:
        """The simulated time."""
        return self._clock

    @property
    def detectors(self) -> tuple[str, ...]:
        """The detectors that the specimen file holds."""
        return self._specimen.detectors

    @property
    def specimen(self) -> SpecimenFile:
        """What is on the stage."""
        return self._specimen

    @property
    def column(self) -> Column:
        """Focus, blur and scan, without the stage, the clock and the books."""
        return self._column

    def predict_travel_s(self, distance_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """See :meth:`Timing.travel_s`. A tilt alone takes no time."""
        return self._timing.travel_s(distance_um)

    def predict_image_s(self, imaging: ImagingSettings) -> float:
        """See :meth:`Timing.image_s`."""
        return self._timing.image_s(imaging)

    def predict_spectrum_s(self, live_s: float) -> float:
        """Overhead, live time, and the dead time at the place where the beam is now."""
        if not self._specimen.has_eds:
            return self._timing.spectrum_overhead_s + live_s
        place, beam = self._column.lands(self._stage.position(), self._clock.now_s()), self._beam
        real_s = self._spectrometer.real_s(place, live_s, beam.kv, beam.current_pa)
        return self._timing.spectrum_overhead_s + real_s

    def predict_autofocus_s(self) -> float:
        """A constant."""
        return self._timing.autofocus_s

    def _do_read_position(self) -> StagePosition:
        return self._stage.position()

    def _do_begin_move(self, target: StagePosition) -> None:
        self._stage.begin(self._landing(target))

    def _do_wait_for_stage(self) -> None:
        self._stage.wait()

    def _do_is_moving(self) -> bool:
        return self._stage.is_moving()

    def _do_stop_stage(self) -> None:
        self._stage.stop()

    def _do_read_beam(self) -> BeamSettings:
        return self._beam

    def _do_set_beam(self, beam: BeamSettings) -> None:
        self._beam = beam

    def _do_blank(self, blanked: bool) -> None:
        self._blanked = blanked

    def _do_is_blanked(self) -> bool:
        return self._blanked

    def _do_acquire_image(self, imaging: ImagingSettings) -> NDArray[np.uint8] | NDArray[np.uint16]:
        self._blanked, began_s = False, self._clock.now_s()
        try:
            pixels = self._scan(self._beam, imaging, self._stigmator, ("frame", self._frame_id + 1))
            self._rest(self._timing.image_s(imaging), began_s)
        finally:
            self._blanked = True
        return pixels

    def _do_acquire_spectrum(self, live_s: float) -> Spectrum:
        return self._do_watch_spectrum((live_s,), lambda spectrum: True, (0.0, 0.0))

    def _do_watch_spectrum(
        self, looks_s: tuple[float, ...], enough: SpectrumTest, spot_um: tuple[float, float]
    ) -> Spectrum:
        began_s, beam = self._clock.now_s(), self._beam
        spot = self._column.spot(self._stage.position(), spot_um)
        place, number = self._column.lands(spot, began_s), self.spent.spectra + 1
        self._blanked = False
        try:
            count, axis = self._spectrometer.counter(place, beam.kv, beam.current_pa, number)
            self._clock.sleep(self._timing.spectrum_overhead_s)
            counts, live_s, real_s = np.zeros(axis.channels, np.int64), 0.0, 0.0
            for look_s in looks_s:
                counts = counts + count(look_s - live_s)
                taken_s = self._spectrometer.real_s(place, look_s - live_s, beam.kv, beam.current_pa)
                self._clock.sleep(taken_s)
                live_s, real_s = look_s, real_s + taken_s
                so_far = Spectrum(
                    counts, live_s, real_s, axis.ev_per_channel, axis.offset_ev, spot, beam, began_s
                )
                if look_s == looks_s[-1] or enough(so_far):
                    break
        finally:
            self._blanked = True
        return so_far

    def _do_autofocus(self) -> FocusResult:
        self._blanked, began_s = False, self._clock.now_s()
        try:
            result = self._find_focus()
        finally:
            self._rest(self._timing.autofocus_s, began_s)
            self._blanked = True
        self._beam = replace(self._beam, working_distance_mm=result.working_distance_mm)
        self._stigmator = result.stigmator
        return result

    def _do_read_health(self) -> Health:
        return Health(ok=True)

    def _do_restore(self, state: DriverState) -> None:
        self._clock.set(state.clock_s)
        self._stage.place(state.position)
        self._beam = state.beam

    def _do_close(self) -> None:
        self._specimen.close()

    def _rest(self, lasts_s: float, began_s: float) -> None:
        """Lets the rest of an action's time pass: on a clock that runs by itself, computing took its part."""
        self._clock.sleep(lasts_s - (self._clock.now_s() - began_s))

    def _scan(
        self,
        beam: BeamSettings,
        imaging: ImagingSettings,
        stigmator: tuple[float, float],
        keys: tuple[str, *tuple[int, ...]],
    ) -> NDArray[np.uint8] | NDArray[np.uint16]:
        position, time_s = self._stage.position(), self._clock.now_s()
        return self._column.scan(position, imaging, beam, time_s, stigmator=stigmator, keys=keys)

    def _find_focus(self) -> FocusResult:
        native_um, beam, taken = self._specimen.pixel_nm / 1000, self._beam, 0

        def scan(setting: Setting, zoom: int) -> NDArray[np.uint8] | NDArray[np.uint16] | None:
            nonlocal taken
            taken += 1
            if abs(setting.focus_um) > FOCUS_REACH * 1000 * beam.working_distance_mm:
                return None
            distance_mm = beam.working_distance_mm + setting.focus_um / 1000
            hfw_um = FOCUS_FRAME_PX * zoom * native_um
            imaging = ImagingSettings(hfw_um, FOCUS_FRAME_PX, FOCUS_FRAME_PX, FOCUS_DWELL_US)
            tried = replace(beam, working_distance_mm=distance_mm)
            return self._scan(tried, imaging, setting.stigmator, ("focus", self._frame_id, taken))

        start = Setting(0.0, self._stigmator)
        alpha = self._imperfections.convergence_mrad * 1e-3
        if alpha == 0:  # an infinite depth of focus: every working distance is the best one
            return as_result(start, sharpness_at(scan, start, 1), beam.working_distance_mm)
        step_um = 2 * BLUR_PER_STEP * native_um / alpha
        stigmate = self._imperfections.astigmatism_um != (0.0, 0.0)
        best, reached = find_focus(scan, start, step_um, FOCUS_ZOOMS, stigmate=stigmate)
        return as_result(best, reached, beam.working_distance_mm)

    def _landing(self, target: StagePosition) -> StagePosition:
        """Where a move to a target ends. The miss belongs to the place, so a resumed session meets it too."""
        rms_um = self._imperfections.stage_repeatability_um
        if rms_um == 0:
            return target
        keys = (_unsigned(round(target.x_um * 1000)), _unsigned(round(target.y_um * 1000)))
        miss_x, miss_y = component_rng(self._seed, "stage", *keys).normal(0.0, rms_um, 2)
        return replace(target, x_um=target.x_um + float(miss_x), y_um=target.y_um + float(miss_y))


def _unsigned(n: int) -> int:
    """Maps the integers one to one to the natural numbers."""
    return 2 * n if n >= 0 else -2 * n - 1


def _start(specimen: SpecimenFile, envelope: Envelope) -> StagePosition:
    """The place nearest the specimen's centre where the stage may stand."""
    extent = specimen.extent
    x0, y0 = extent.centre
    shares = (np.arange(START_CANDIDATES) + 0.5) / START_CANDIDATES
    grid = [
        (extent.x0_um + u * extent.width_um, extent.y0_um + v * extent.height_um)
        for u in shares
        for v in shares
    ]
    grid.sort(key=lambda point: math.dist(point, (x0, y0)))
    for x, y in [(x0, y0), *grid]:
        if envelope.allows(x, y):
            return StagePosition(float(x), float(y))
    raise ConfigurationError(
        f"the envelope leaves no place to start from on specimen {specimen.name!r}, which reaches from (0, 0)"
        f" to ({extent.x1_um:g}, {extent.y1_um:g}) um"
    )
