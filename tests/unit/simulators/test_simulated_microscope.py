"""Time, motion, drift, focus and recovery of the simulated microscope."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscope.core import (
    BudgetError,
    ConfigurationError,
    ImagingSettings,
    InstrumentError,
    KeepOutError,
    LimitError,
    MoveStoppedError,
    Rectangle,
    StagePosition,
)
from autoscope.microscope import Budget, Envelope
from autoscope_simulators import Imperfections, SimulatedMicroscope, SpecimenFile, Timing
from autoscope_simulators.imperfections import Drift

IMAGING = ImagingSettings(12.8, 128, 64, 2.0)


def test_times_computed_by_hand() -> None:
    timing = Timing(stage_speed_um_per_s=500, stage_acceleration_um_per_s2=1000, stage_settle_s=1.0)
    # 250 um is where 500 um/s is just reached: 0.5 s up, 0.5 s down; 1000 um: 2 s + 0.5 s
    np.testing.assert_allclose(timing.travel_s([0, 10, 250, 1000]), [0, 1.2, 2.0, 3.5])
    # 1.5 s + 64 lines of 100 us + 128 x 64 x 2 us
    assert timing.image_s(IMAGING) == pytest.approx(1.5 + 0.0064 + 0.016384)


@given(st.floats(0.1, 5000), st.floats(10, 1000), st.floats(10, 5000))
def test_the_speed_profile_is_continuous_and_ends_at_the_target(
    distance: float, speed: float, rate: float
) -> None:
    timing = Timing(stage_speed_um_per_s=speed, stage_acceleration_um_per_s2=rate, stage_settle_s=0.0)
    run_s = float(timing.travel_s(distance))
    times = np.linspace(0, run_s, 400)
    way = np.array([timing.travelled_um(distance, float(t)) for t in times])
    assert way[0] == 0
    assert timing.travelled_um(distance, run_s * (1 + 1e-9)) == pytest.approx(distance)
    assert timing.travelled_um(distance, run_s / 2) == pytest.approx(distance / 2)
    assert (np.diff(way) >= -1e-9 * distance).all()
    assert np.diff(way).max() <= speed * (times[1] - times[0]) * (1 + 1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"stage_speed_um_per_s": 0.0}, "timing.stage_speed_um_per_s = 0 must be positive"),
        ({"image_overhead_s": -1.0}, "timing.image_overhead_s = -1 must not be negative"),
        ({"stage_settle_s": float("nan")}, "timing.stage_settle_s = nan must not be negative"),
    ],
)
def test_impossible_timings_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Timing(**change)


def test_impossible_imperfections_are_refused_all_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Imperfections(stage_drift_um=-1.0, detected_share=0.0, pixel_size_error=0.9)
    assert len(caught.value.problems) == 3


def test_a_session_takes_the_time_that_was_predicted(specimen: SpecimenFile) -> None:
    with SimulatedMicroscope(specimen) as microscope:
        target = StagePosition(80.0, 51.2)
        predicted = microscope.predict_move_s(microscope.position(), target)
        predicted += microscope.predict_image_s(IMAGING) + microscope.predict_autofocus_s()
        microscope.move_to(target)
        microscope.acquire_image(IMAGING)
        microscope.autofocus()
        assert microscope.spent.beam_time_s == pytest.approx(predicted)
        assert microscope.clock.now_s() == pytest.approx(predicted)


def test_a_stopped_move_ends_in_between(specimen: SpecimenFile) -> None:
    with SimulatedMicroscope(specimen) as microscope:
        start, target = microscope.position(), StagePosition(91.2, 81.2)
        microscope.begin_move(target)
        run_s = microscope.predict_move_s(start, target) - Timing().stage_settle_s
        microscope.clock.sleep(run_s / 2)
        assert microscope.is_moving()
        with pytest.raises(InstrumentError, match="moving"):
            microscope.acquire_image(IMAGING)
        microscope.stop_stage()
        here = microscope.position()
        assert (here.x_um, here.y_um) == (pytest.approx(71.2), pytest.approx(66.2))
        assert not microscope.is_moving()
        with pytest.raises(MoveStoppedError, match=r"stopped at \(71\.2, 66\.2\) um"):
            microscope.wait_for_stage()
        assert microscope.move_to(target) == target


def test_stop_works_from_another_thread_in_real_time(specimen: SpecimenFile) -> None:
    timing = Timing(stage_speed_um_per_s=1.0)
    with SimulatedMicroscope(specimen, timing=timing, time_scale=1.0) as microscope:
        stopper = threading.Timer(0.2, microscope.stop_stage)
        stopper.start()
        began = time.monotonic()
        with pytest.raises(MoveStoppedError):
            microscope.move_to(StagePosition(60.0, 51.2))
        stopper.join()
        assert 0.1 < time.monotonic() - began < 2.0
        assert 51.2 < microscope.position().x_um < 52.5


def test_refused_requests_move_nothing_and_cost_nothing(specimen: SpecimenFile) -> None:
    envelope = Envelope(x_um=(0, 100), keep_out=(Rectangle(60, 40, 70, 60),))
    with SimulatedMicroscope(specimen, envelope=envelope, budget=Budget(beam_time_s=10.0)) as microscope:
        start = microscope.position()
        for target, error in (
            (StagePosition(101.0, 51.2), LimitError),
            (StagePosition(80.0, 51.2), KeepOutError),
            (StagePosition(50.0, 51.2, tilt_deg=80.0), LimitError),
            (StagePosition(50.0, 9000.0), BudgetError),
        ):
            with pytest.raises(error):
                microscope.move_to(target)
        with pytest.raises(BudgetError):
            microscope.acquire_image(replace(IMAGING, dwell_us=1e4))
        assert microscope.position() == start
        assert microscope.clock.now_s() == 0.0
        assert microscope.spent.frames == 0


def test_the_stage_starts_where_it_may_stand(specimen: SpecimenFile) -> None:
    centre = Rectangle(40, 40, 60, 60)
    start = SimulatedMicroscope(specimen, envelope=Envelope(keep_out=(centre,))).position()
    assert not centre.contains(start.x_um, start.y_um)
    with pytest.raises(ConfigurationError, match="no place to start from on specimen 'texture'"):
        SimulatedMicroscope(specimen, envelope=Envelope(x_um=(500, 600)))


def test_nothing_drifts_on_an_ideal_microscope(specimen: SpecimenFile) -> None:
    with SimulatedMicroscope(specimen, imperfections=Imperfections.ideal()) as microscope:
        before = microscope.acquire_image(IMAGING)
        microscope.clock.sleep(36000.0)
        np.testing.assert_array_equal(before.pixels, microscope.acquire_image(IMAGING).pixels)


def test_drift_starts_at_zero_is_slow_and_has_its_rms() -> None:
    many = [Drift(seed, "x", 0.3) for seed in range(300)]
    assert all(drift.at(0.0) == 0.0 for drift in many)
    late = np.array([drift.at(50_000.0) for drift in many])
    assert late.mean() == pytest.approx(0.0, abs=0.1)
    # the value minus its start: twice the variance of the stationary process
    assert late.std() == pytest.approx(0.3 * np.sqrt(2), rel=0.12)
    assert max(abs(drift.at(1.0)) for drift in many) < 0.005
    assert Drift(3, "x", 0.3).at(777.0) == many[3].at(777.0) != Drift(3, "y", 0.3).at(777.0)


def test_stage_drift_moves_the_image_and_not_the_readback(specimen: SpecimenFile) -> None:
    known = replace(Imperfections.ideal(), stage_drift_um=2.0)
    with SimulatedMicroscope(specimen, imperfections=known, seed=1) as microscope:
        first = microscope.acquire_image(IMAGING)
        microscope.clock.sleep(3000.0)
        second = microscope.acquire_image(IMAGING)
        assert first.position == second.position
        assert not np.array_equal(first.pixels, second.pixels)
        box = microscope.column.footprint(second.position, IMAGING, second.time_s)
        shift = np.array(box.centre) - (51.2, 51.2)
        assert np.abs(shift).max() > 0.1


def test_moves_miss_repeatably_when_asked_to(specimen: SpecimenFile) -> None:
    known = replace(Imperfections.ideal(), stage_repeatability_um=0.5)
    targets = [StagePosition(float(x), float(y)) for x in range(5, 95, 9) for y in range(5, 95, 9)]
    with SimulatedMicroscope(specimen, imperfections=known, seed=1) as microscope:
        landed = [microscope.move_to(target) for target in targets]
        again = microscope.move_to(targets[0])
    misses = np.array([(a.x_um - b.x_um, a.y_um - b.y_um) for a, b in zip(landed, targets, strict=True)])
    assert misses.std() == pytest.approx(0.5, rel=0.2)
    assert abs(misses.mean()) < 0.15
    assert again == landed[0]


@pytest.mark.parametrize("offset_um", [-150.0, -30.0, 12.0, 60.0, 200.0])
def test_autofocus_finds_the_focus_and_leaves_it_set(specimen: SpecimenFile, offset_um: float) -> None:
    known = Imperfections(focus_offset_um=offset_um)
    with SimulatedMicroscope(specimen, imperfections=known, seed=2) as microscope:
        blurred = microscope.acquire_image(IMAGING)
        result = microscope.autofocus()
        plane_mm = microscope.column.plane_mm(microscope.position(), microscope.clock.now_s())
        # 8 um out of focus blur by 5e-3 * 8 / 2 = 0.02 um, a fifth of a native pixel
        assert result.working_distance_mm == pytest.approx(plane_mm, abs=0.008)
        assert microscope.beam().working_distance_mm == result.working_distance_mm
        sharp = microscope.acquire_image(IMAGING)
        assert microscope.is_blanked()
        if abs(offset_um) > 50:
            assert np.diff(sharp.pixels.astype(float)).var() > np.diff(blurred.pixels.astype(float)).var()


def test_autofocus_corrects_astigmatism(specimen: SpecimenFile) -> None:
    known = Imperfections(focus_offset_um=20.0, astigmatism_um=(40.0, -25.0))
    with SimulatedMicroscope(specimen, imperfections=known, seed=2) as microscope:
        result = microscope.autofocus()
        assert result.stigmator == (pytest.approx(40.0, abs=12.0), pytest.approx(-25.0, abs=12.0))
        assert result.working_distance_mm == pytest.approx(10.020, abs=0.012)


def test_autofocus_says_when_there_is_nothing_to_focus_on(specimen: SpecimenFile) -> None:
    with SimulatedMicroscope(specimen) as microscope:
        microscope.move_to(StagePosition(5000.0, 5000.0))
        before = microscope.beam()
        with pytest.raises(InstrumentError, match="found no focus"):
            microscope.autofocus()
        assert microscope.beam() == before
        assert microscope.is_blanked()


def test_a_restored_microscope_takes_the_same_frames(specimen_path: object) -> None:
    """Killed after its second frame and taken up again, it goes on pixel for pixel."""

    def fresh() -> SimulatedMicroscope:
        known = Imperfections(stage_drift_um=3.0, stage_repeatability_um=0.3)
        return SimulatedMicroscope(SpecimenFile(specimen_path), imperfections=known, seed=9)  # type: ignore[arg-type]

    def go_on(microscope: SimulatedMicroscope) -> list[np.ndarray]:
        frames = []
        for x in (20.0, 60.0, 61.0):
            microscope.move_to(StagePosition(x, 40.0))
            frames.append(microscope.acquire_image(IMAGING))
        return frames

    uninterrupted = fresh()
    exposures = []
    for x in (30.0, 50.0):
        position = uninterrupted.move_to(StagePosition(x, 51.2))
        frame = uninterrupted.acquire_image(IMAGING)
        half_x, half_y = IMAGING.hfw_um / 2, IMAGING.vfw_um / 2
        box = Rectangle(
            position.x_um - half_x, position.y_um - half_y, position.x_um + half_x, position.y_um + half_y
        )
        exposures.append((box, frame.dose_e_per_nm2))
    uninterrupted.autofocus()
    state = uninterrupted.state()
    resumed = fresh()
    resumed.restore(state, exposures)
    assert resumed.state() == state
    for expected, got in zip(go_on(uninterrupted), go_on(resumed), strict=True):
        np.testing.assert_array_equal(expected.pixels, got.pixels)
        assert (expected.time_s, expected.frame_id, expected.position) == (
            got.time_s,
            got.frame_id,
            got.position,
        )
    assert resumed.spent == uninterrupted.spent


def test_the_seed_and_the_frame_number_make_the_noise(specimen_path: object) -> None:
    def frames(seed: int) -> list[np.ndarray]:
        specimen = SpecimenFile(specimen_path)  # type: ignore[arg-type]
        known = replace(Imperfections.ideal(), noise=True)
        with SimulatedMicroscope(specimen, imperfections=known, seed=seed) as microscope:
            return [microscope.acquire_image(IMAGING).pixels for _ in range(2)]

    first, second = frames(1)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(frames(1)[1], second)
    assert not np.array_equal(frames(2)[0], first)


def test_a_specimen_without_eds_gives_no_spectrum(specimen: SpecimenFile) -> None:
    with (
        SimulatedMicroscope(specimen) as microscope,
        pytest.raises(InstrumentError, match="specimen 'texture' has no EDS data"),
    ):
        microscope.acquire_spectrum(1.0)


def test_it_says_what_it_is(specimen: SpecimenFile) -> None:
    with SimulatedMicroscope(specimen) as microscope:
        assert microscope.info.simulated
        assert microscope.info.kind == "simulated"
        assert microscope.detectors == ("bse",)
        assert microscope.health().ok
