"""A microscope that is driven over EPICS Channel Access."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from autoscope.core import (
    BeamSettings,
    ConfigurationError,
    FocusError,
    ImagingSettings,
    InstrumentError,
    Spectrum,
    StagePosition,
)
from autoscope.epics.camera import EpicsCamera
from autoscope.epics.channels import Channels
from autoscope.epics.clock import ScaledClock
from autoscope.epics.errors import DisconnectedError, SettingError
from autoscope.epics.heartbeat import Heartbeat
from autoscope.epics.limits import joined_envelope
from autoscope.epics.pv_map import PVMap
from autoscope.epics.spectrometer import EpicsSpectrometer
from autoscope.epics.stage import EpicsStage
from autoscope.epics.units import wrong_units
from autoscope.microscope import (
    Budget,
    DriverState,
    Envelope,
    FocusResult,
    Health,
    Microscope,
    MicroscopeInfo,
    SpectrumTest,
)

Exposed = TypeVar("Exposed")

BEAM = {"kv": "beam.voltage", "current_pa": "beam.current", "working_distance_mm": "beam.working_distance"}
"""Parts of the beam's settings that are numbers, and their signals."""

HEALTH = {
    "health.vacuum": "the vacuum is not good enough",
    "health.valve": "the column valve is closed",
    "health.emission": "the gun does not emit",
}
"""What it means when a signal is not 1."""


@dataclass(frozen=True, slots=True)
class Costs:
    """What actions are predicted to cost; speed and acceleration only where the motors do not say theirs.

    Attributes:
        stage_speed_um_per_s: top speed.
        stage_acceleration_um_per_s2: of speeding up and of slowing down.
        stage_settle_s: rest after a move.
        image_overhead_s: per frame.
        line_overhead_us: per line.
        autofocus_s: per autofocus.
        spectrum_overhead_s: per spectrum.
    """

    stage_speed_um_per_s: float = 500.0
    stage_acceleration_um_per_s2: float = 1000.0
    stage_settle_s: float = 1.0
    image_overhead_s: float = 1.5
    line_overhead_us: float = 100.0
    autofocus_s: float = 12.0
    spectrum_overhead_s: float = 2.0


class EpicsMicroscope(Microscope):
    """Stage as motor records, image as areaDetector, EDS as mca record, all of them by the PV map.

    Making one connects and reads; nothing is written before the first action. The soft limits of the
    motors join the envelope.

    Args:
        pv_map: which PV carries which signal.
        prefix: of the PVs' names.
        envelope: what the stage and the beam may do.
        budget: what may be spent.
        costs: what actions are predicted to take.
        connect_timeout_s: how long connecting may take.
        margin_s: how much longer than twice the predicted time an action may take, real seconds.

    Raises:
        ConfigurationError: with every PV that nobody serves, every wrong unit and every contradiction
            between soft limits and envelope. Nothing was written.
    """

    def __init__(
        self,
        pv_map: PVMap,
        *,
        prefix: str = "SEM:",
        envelope: Envelope | None = None,
        budget: Budget | None = None,
        costs: Costs | None = None,
        connect_timeout_s: float = 5.0,
        margin_s: float = 10.0,
    ) -> None:
        self._channels = connect(pv_map.names(prefix), connect_timeout_s)
        try:
            joined = _checked(self._channels, envelope or Envelope())
            super().__init__(envelope=joined, budget=budget)
            self._begin(prefix, costs or Costs(), margin_s)
        except BaseException:
            self._channels.close()
            raise

    def _begin(self, prefix: str, costs: Costs, margin_s: float) -> None:
        channels = self._channels
        simulated = "simulation.simulated" in channels and bool(channels["simulation.simulated"].number())
        scale = channels["simulation.time_scale"].number() if simulated else 1.0
        name = channels["name"].text() if "name" in channels else f"microscope at {prefix}"
        said = f"{name}, simulated, over EPICS" if simulated else name
        self._info = MicroscopeInfo("epics", simulated, said)
        self._clock = ScaledClock(scale)
        self._costs = _motor_costs(channels, costs)
        self._stage = EpicsStage(channels, scale, margin_s)
        self._camera = EpicsCamera(channels, margin_s)
        self._spectrometer = EpicsSpectrometer(channels, margin_s) if "spectrum.start" in channels else None
        self._heartbeat = Heartbeat(channels["heartbeat"]) if "heartbeat" in channels else None
        self._margin_s, self._in_charge = margin_s, False
        listed = channels["beam.detectors"].text().split(",")
        self._detectors = tuple(name.strip() for name in listed if name.strip())

    @property
    def info(self) -> MicroscopeInfo:
        """Says what it is, and whether it is a simulation."""
        return self._info

    @property
    def clock(self) -> ScaledClock:
        """Time as it passes; a simulation's as it says."""
        return self._clock

    @property
    def detectors(self) -> tuple[str, ...]:
        """The detectors that the instrument lists."""
        return self._detectors

    # -- what things cost ------------------------------------------------------------------------

    def predict_travel_s(self, distance_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Trapezoidal speed profile and settling; 0 where nothing moves."""
        d = np.asarray(distance_um, float)
        v, a = self._costs.stage_speed_um_per_s, self._costs.stage_acceleration_um_per_s2
        run_s = np.where(d < v**2 / a, 2 * np.sqrt(d / a), d / v + v / a)
        return np.where(d > 0, run_s + self._costs.stage_settle_s, 0.0)

    def predict_image_s(self, imaging: ImagingSettings) -> float:
        """Overhead, lines, pixels times dwell."""
        costs = self._costs
        return costs.image_overhead_s + imaging.height_px * costs.line_overhead_us * 1e-6 + imaging.scan_s

    def predict_spectrum_s(self, live_s: float) -> float:
        """Overhead plus live time; dead time is not known before."""
        return self._costs.spectrum_overhead_s + live_s

    def predict_autofocus_s(self) -> float:
        """A constant."""
        return self._costs.autofocus_s

    # -- the driver's part -----------------------------------------------------------------------

    def _do_read_position(self) -> StagePosition:
        return self._stage.position()

    def _do_begin_move(self, target: StagePosition) -> None:
        self._take_charge()
        here = self._stage.position()
        self._stage.begin(target, float(self.predict_travel_s(np.array([here.distance_um(target)]))[0]))

    def _do_wait_for_stage(self) -> None:
        self._stage.wait()

    def _do_is_moving(self) -> bool:
        return self._stage.is_moving()

    def _do_stop_stage(self) -> None:
        if self._in_charge:
            self._stage.stop()

    def _do_read_beam(self) -> BeamSettings:
        kv, current_pa, distance_mm = self._channels.numbers(*BEAM.values())
        return BeamSettings(kv, current_pa, self._channels["beam.detector"].text(), distance_mm)

    def _do_set_beam(self, beam: BeamSettings) -> None:
        self._take_charge()
        now = self._do_read_beam()
        for name, key in BEAM.items():
            wanted = getattr(beam, name)
            if getattr(now, name) != wanted:
                self._channels[key].write(wanted)
        if now.detector != beam.detector:
            self._channels["beam.detector"].write(beam.detector)
        read = self._do_read_beam()
        wrong = [n for n in BEAM if not math.isclose(getattr(read, n), getattr(beam, n), rel_tol=1e-2)]
        if wrong or read.detector != beam.detector:
            raise SettingError(f"the beam was set to {beam} and reads {read}")

    def _do_blank(self, blanked: bool) -> None:
        if not blanked:
            self._take_charge()
        if not self._in_charge:
            return  # what somebody else does with the instrument is not ours to end
        self._channels["beam.blank"].write(int(blanked))

    def _do_is_blanked(self) -> bool:
        return bool(self._channels["beam.blank"].number())

    def _do_acquire_image(self, imaging: ImagingSettings) -> NDArray[Any]:
        self._take_charge()
        self._camera.prepare(imaging)
        lasts_s = self._real_s(self.predict_image_s(imaging))
        return self._exposing(lambda: self._camera.scan(imaging, lasts_s))

    def _do_acquire_spectrum(self, live_s: float) -> Spectrum:
        return self._do_watch_spectrum((live_s,), lambda spectrum: False, (0.0, 0.0))

    def _do_watch_spectrum(
        self, looks_s: tuple[float, ...], enough: SpectrumTest, spot_um: tuple[float, float]
    ) -> Spectrum:
        detector = self._spectrometer
        if detector is None:
            raise InstrumentError(
                "no EDS detector is in the PV map: set eds.enabled = false, or map spectrum"
            )
        if len(looks_s) > 1 and not detector.can_stop:
            return super()._do_watch_spectrum(looks_s, enough, spot_um)
        began_s, position, beam = self.clock.now_s(), self._do_read_position(), self._do_read_beam()
        spot = replace(position, x_um=position.x_um + spot_um[0], y_um=position.y_um + spot_um[1])
        slope, offset = detector.calibration()

        def made(counts: NDArray[np.int64], live: float, real: float) -> Spectrum:
            return Spectrum(counts, live, real, slope, offset, spot, beam, began_s)

        def count() -> tuple[NDArray[np.int64], float, float]:
            detector.place(spot_um)
            lasts_s = self._real_s(self.predict_spectrum_s(looks_s[-1]))
            return detector.watch(looks_s, lasts_s, lambda *seen: enough(made(*seen)))

        seen = self._exposing(count)
        slope, offset = detector.calibration()  # as the detector has it with these counts
        return made(*seen)

    def _do_autofocus(self) -> FocusResult:
        if "focus.start" not in self._channels:
            raise InstrumentError("no autofocus is in the PV map: focus by hand, or map focus")
        self._exposing(self._run_focus)
        if not self._channels["focus.found"].number():
            raise FocusError("the instrument's autofocus found no focus")
        read = {name: self._channels[f"focus.{name}"].number() for name in ("stigmator_x", "stigmator_y")}
        return FocusResult(
            self._channels["beam.working_distance"].number(),
            (read["stigmator_x"], read["stigmator_y"]),
            self._channels["focus.sharpness"].number(),
        )

    def _do_read_health(self) -> Health:
        missing = [str(channel) for channel in self._channels.missing]
        lost = []
        if missing:
            lost = [f"{len(missing)} of {len(self._channels)} PVs are not connected, {missing[0]} among them"]
        wrong = [said for key, said in HEALTH.items() if key in self._channels and not self._is_well(key)]
        return Health(not (lost or wrong), (*lost, *wrong))

    def _do_restore(self, state: DriverState) -> None:
        self._clock.set(max(state.clock_s, self._clock.now_s()))
        self._do_set_beam(state.beam)

    def _do_close(self) -> None:
        if self._heartbeat is not None:
            self._heartbeat.stop()
        self._channels.close()

    def _is_well(self, key: str) -> bool:
        channel = self._channels[key]
        return not channel.connected or bool(channel.value)

    def _run_focus(self) -> None:
        busy = self._channels["focus.busy"]
        falls = busy.falls
        self._channels["focus.start"].write(1, wait=False)
        limit_s = 2 * self._real_s(self.predict_autofocus_s()) + self._margin_s
        if not self._channels.wait_until(lambda: busy.falls > falls, limit_s, "focus.busy"):
            raise FocusError(f"{busy} did not end within {limit_s:.3g} s: the autofocus hangs")

    def _exposing(self, expose: Callable[[], Exposed]) -> Exposed:
        """Unblanks around an exposure. Where it fails the caller blanks, which is tried here too."""
        self._do_blank(False)
        try:
            return expose()
        finally:
            self._do_blank(True)

    def _real_s(self, seconds: float) -> float:
        return seconds * self._clock.scale

    def _take_charge(self) -> None:
        """Before the first write: blanks the beam, whoever left it on, and begins to show signs of life."""
        if not self._in_charge:
            self._in_charge = True
            self._channels["beam.blank"].write(1)
            if self._heartbeat is not None:
                self._heartbeat.start()


def connect(names: Mapping[str, str], timeout_s: float) -> Channels:
    """Connects to every PV.

    Raises:
        ConfigurationError: naming all PVs that did not connect in time.
    """
    try:
        channels = Channels(names)
    except DisconnectedError as error:
        raise ConfigurationError(f"{error}: is the IOC running?") from error
    missing = channels.wait_connected(timeout_s)
    if missing:
        channels.close()
        listed = ", ".join(str(channel) for channel in missing)
        raise ConfigurationError(
            f"{len(missing)} of {len(names)} PVs did not connect within {timeout_s:g} s: {listed}; is the IOC"
            " running, is microscope.prefix right, does EPICS_CA_ADDR_LIST reach it?"
        )
    return channels


def _checked(channels: Channels, envelope: Envelope) -> Envelope:
    """The envelope with the motors' soft limits.

    Raises:
        ConfigurationError: wrong units, limits without common values, or zones that cannot be kept.
    """
    joined, problems = joined_envelope(channels, envelope)
    problems = [*wrong_units(channels), *problems]
    if envelope.keep_out and "stage.defer" not in channels:
        problems.append(
            "envelope.keep_out needs straight moves: map stage.defer to a PV that starts all axes as one"
            " straight move, or leave the zones out"
        )
    if problems:
        raise ConfigurationError(*problems)
    return joined


def _motor_costs(channels: Channels, costs: Costs) -> Costs:
    """Takes speed and acceleration from the slower of the two axes, where they say theirs."""
    speeds = [channels[k].number() for k in ("stage.x.velocity", "stage.y.velocity") if k in channels]
    ramps = [
        channels[k].number()
        for k in ("stage.x.acceleration_time", "stage.y.acceleration_time")
        if k in channels
    ]
    speed = min(speeds) if speeds and min(speeds) > 0 else costs.stage_speed_um_per_s
    rise = speed / max(ramps) if ramps and max(ramps) > 0 else costs.stage_acceleration_um_per_s2
    return replace(costs, stage_speed_um_per_s=speed, stage_acceleration_um_per_s2=rise)
