"""The smallest driver that keeps every promise, and one broken driver for each promise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoscope.core import (
    BeamSettings,
    ImagingSettings,
    InstrumentError,
    MoveStoppedError,
    Spectrum,
    StagePosition,
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
)

SPEED_UM_PER_S = 100.0
SETTLE_S = 0.5
OVERHEAD_S = 1.0


class PlainMicroscope(Microscope):
    """A stage, a beam and two detectors, out of nothing but a clock."""

    def __init__(self, envelope: Envelope, budget: Budget) -> None:
        super().__init__(envelope=envelope, budget=budget)
        self._clock = SimulatedClock()
        self._at = self._start = self._target = StagePosition(100.0, 100.0)
        self._began_s = self._ends_s = 0.0
        self._stopped = False
        self._blanked = True
        self._beam = BeamSettings()
        self._rng = np.random.default_rng(1)

    @property
    def info(self) -> MicroscopeInfo:
        return MicroscopeInfo("simulated", True, "plain")

    @property
    def clock(self) -> SimulatedClock:
        return self._clock

    @property
    def detectors(self) -> tuple[str, ...]:
        return ("bse", "se")

    def predict_travel_s(self, distance_um: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(distance_um > 0, distance_um / SPEED_UM_PER_S + SETTLE_S, 0.0)

    def predict_image_s(self, imaging: ImagingSettings) -> float:
        return OVERHEAD_S + imaging.scan_s

    def predict_spectrum_s(self, live_s: float) -> float:
        return 1.25 * live_s

    def predict_autofocus_s(self) -> float:
        return 5.0

    def _do_read_position(self) -> StagePosition:
        left_s = self._ends_s - self._clock.now_s()
        if left_s <= 0:
            self._at = self._target
        elif left_s > 0:
            share = (self._clock.now_s() - self._began_s) / (self._ends_s - self._began_s)
            self._at = self._along(share)
        return self._at

    def _along(self, share: float) -> StagePosition:
        a, b = self._start, self._target
        return StagePosition(
            a.x_um + share * (b.x_um - a.x_um),
            a.y_um + share * (b.y_um - a.y_um),
            a.z_um + share * (b.z_um - a.z_um),
            a.tilt_deg + share * (b.tilt_deg - a.tilt_deg),
        )

    def _do_begin_move(self, target: StagePosition) -> None:
        self._start, self._target = self._do_read_position(), target
        self._began_s = self._clock.now_s()
        self._ends_s = self._began_s + self.predict_move_s(self._start, target)
        self._stopped = False

    def _do_wait_for_stage(self) -> None:
        self._clock.sleep(self._ends_s - self._clock.now_s())
        if self._stopped:
            self._stopped = False
            raise MoveStoppedError("the move was stopped before its end")

    def _do_is_moving(self) -> bool:
        return self._clock.now_s() < self._ends_s

    def _do_stop_stage(self) -> None:
        if self._do_is_moving():
            self._target, self._ends_s, self._stopped = self._do_read_position(), self._clock.now_s(), True

    def _do_read_beam(self) -> BeamSettings:
        return self._beam

    def _do_set_beam(self, beam: BeamSettings) -> None:
        self._beam = beam

    def _do_blank(self, blanked: bool) -> None:
        self._blanked = blanked

    def _do_is_blanked(self) -> bool:
        return self._blanked

    def _do_acquire_image(self, imaging: ImagingSettings) -> NDArray[np.uint8]:
        self._clock.sleep(self.predict_image_s(imaging))
        return self._rng.integers(0, 256, (imaging.height_px, imaging.width_px), np.uint8)

    def _do_acquire_spectrum(self, live_s: float) -> Spectrum:
        began_s = self._clock.now_s()
        self._clock.sleep(self.predict_spectrum_s(live_s))
        counts = self._rng.poisson(live_s, 2048)
        return Spectrum(counts, live_s, 1.25 * live_s, 10.0, 0.0, self._at, self._beam, began_s)

    def _do_autofocus(self) -> FocusResult:
        self._clock.sleep(self.predict_autofocus_s())
        return FocusResult(self._beam.working_distance_mm, (0.0, 0.0), 1.0)

    def _do_read_health(self) -> Health:
        return Health(True)

    def _do_restore(self, state: DriverState) -> None:
        self._clock.set(state.clock_s)
        self._target, self._ends_s, self._beam = state.position, state.clock_s, state.beam

    def _do_close(self) -> None:
        pass


class WithoutSpectrometer(PlainMicroscope):
    """A good driver whose instrument has no EDS detector."""

    def _do_acquire_spectrum(self, live_s: float) -> Spectrum:
        raise InstrumentError("there is no EDS detector on this microscope")
