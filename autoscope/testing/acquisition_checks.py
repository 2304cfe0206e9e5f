"""Promises about frames, spectra, time and what they cost."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from autoscope.core import InstrumentError, LimitError
from autoscope.microscope import Microscope
from autoscope.testing.checks import (
    Bench,
    has_spectrometer,
    require,
    require_nothing_spent,
    require_refusal,
)

_SHORTEST_S = 0.05
"""Differences of time below this are never held against a driver on a real clock."""


def a_frame_carries_its_metadata(bench: Bench) -> None:
    """A frame says where, when, how and with which dose it was taken."""
    imaging = bench.site.imaging
    with bench.microscope() as microscope:
        for number, target in enumerate((bench.site.point(0.3, 0.3), bench.site.point(0.7, 0.6)), start=1):
            microscope.move_to(target)
            began_s = microscope.clock.now_s()
            frame = microscope.acquire_image(imaging)
            shape = (imaging.height_px, imaging.width_px)
            require(frame.pixels.shape == shape, f"the frame has shape {frame.pixels.shape}, not {shape}")
            require(frame.pixels.dtype in (np.uint8, np.uint16), f"its pixels are {frame.pixels.dtype}")
            away_um = frame.position.distance_um(target)
            near = away_um <= bench.site.position_tolerance_um
            require(near, f"the frame says {frame.position}, taken at {target}")
            require(frame.imaging == imaging, f"the frame says {frame.imaging}, asked for {imaging}")
            require(frame.beam == microscope.beam(), f"the frame says {frame.beam}, not {microscope.beam()}")
            dose = imaging.dose_e_per_nm2(frame.beam.current_pa)
            same = math.isclose(frame.dose_e_per_nm2, dose)
            require(same, f"its dose is {frame.dose_e_per_nm2:g} e/nm2, not {dose:g}")
            within = began_s <= frame.time_s <= microscope.clock.now_s()
            require(within, f"its time is {frame.time_s:g} s, taken after {began_s:g} s")
            require(frame.frame_id == number, f"frame {number} has the number {frame.frame_id}")
            require(frame.microscope == microscope.info.name, f"it names {frame.microscope!r}")


def a_frame_owns_its_pixels(bench: Bench) -> None:
    """A frame's pixels are its own: nobody can write to them, and no later frame changes them."""
    with bench.microscope() as microscope:
        microscope.move_to(bench.site.point(0.3, 0.3))
        first = microscope.acquire_image(bench.site.imaging)
        kept = first.pixels.copy()
        require(not first.pixels.flags.writeable, "the frame's pixels can be written to")
        microscope.move_to(bench.site.point(0.7, 0.7))
        second = microscope.acquire_image(bench.site.imaging)
        require(not np.shares_memory(first.pixels, second.pixels), "two frames share their pixels")
        require(np.array_equal(first.pixels, kept), "a later frame changed an earlier one's pixels")
        require(not first.pixels.flags.writeable, "a frame's pixels can be written to after the next one")


def frames_have_the_size_that_was_asked_for(bench: Bench) -> None:
    """Every size of frame is delivered as it was asked for, not rounded to what is easier."""
    with bench.microscope() as microscope:
        microscope.move_to(bench.site.point(0.5, 0.5))
        for width_px, height_px in ((64, 64), (96, 32), (33, 47)):
            imaging = replace(bench.site.imaging, width_px=width_px, height_px=height_px)
            shape = microscope.acquire_image(imaging).pixels.shape
            require(shape == (height_px, width_px), f"{width_px} x {height_px} px gave the shape {shape}")


def no_exposure_while_the_stage_moves(bench: Bench) -> None:
    """No frame, spectrum or focus is taken while the stage moves."""
    target = bench.site.point(0.9, 0.9)
    with bench.microscope() as microscope:
        microscope.move_to(bench.site.point(0.1, 0.1))
        actions: tuple[Callable[[], object], ...] = (
            lambda: microscope.acquire_image(bench.site.imaging),
            lambda: microscope.acquire_spectrum(bench.site.live_s),
            microscope.autofocus,
        )
        microscope.begin_move(target)
        before = microscope.spent
        for action, what in zip(actions, ("a frame", "a spectrum", "an autofocus"), strict=True):
            require_refusal(action, InstrumentError, f"{what} during a move")
        require_nothing_spent(microscope, before, "an exposure during a move")
        microscope.wait_for_stage()
        bench.require_at(microscope, target, "after the move")


def bad_numbers_are_refused(bench: Bench) -> None:
    """Scans and live times that are not positive numbers are refused, and nothing is exposed."""
    imaging = bench.site.imaging
    bad_scans = [
        *(replace(imaging, hfw_um=bad) for bad in (0.0, -1.0, math.nan, math.inf)),
        *(replace(imaging, dwell_us=bad) for bad in (0.0, -1.0, math.nan, math.inf)),
        replace(imaging, width_px=0), replace(imaging, height_px=0),
    ]  # fmt: skip
    with bench.microscope() as microscope:
        microscope.move_to(bench.site.point(0.5, 0.5))
        before = microscope.spent
        for scan in bad_scans:
            require_refusal(partial(microscope.acquire_image, scan), LimitError, f"{scan}")
        for live_s in (0.0, -1.0, math.nan, math.inf):
            action = partial(microscope.acquire_spectrum, live_s)
            require_refusal(action, LimitError, f"a live time of {live_s:g} s")
        require_nothing_spent(microscope, before, "a bad scan")
        require(microscope.is_blanked(), "the beam is on after a refusal")


def a_spectrum_is_whole(bench: Bench) -> None:
    """A spectrum, where there is a detector, owns its counts and took the live time that was asked for."""
    with bench.microscope() as microscope:
        microscope.move_to(bench.site.point(0.5, 0.5))
        if not has_spectrometer(microscope, bench.site.live_s):
            return
        spectrum = microscope.acquire_spectrum(bench.site.live_s)
        counts = spectrum.counts
        require(counts.ndim == 1 and counts.dtype == np.int64, f"counts are {counts.shape} {counts.dtype}")
        require(bool((counts >= 0).all()), "a channel has fewer than no counts")
        require(not counts.flags.writeable, "the spectrum's counts can be written to")
        require(
            0 < spectrum.live_s <= bench.site.live_s * (1 + 1e-6),
            f"{bench.site.live_s:g} s of live time were asked for, {spectrum.live_s:g} s were taken",
        )
        require(spectrum.real_s >= spectrum.live_s, "real time is shorter than live time")
        require(spectrum.ev_per_channel > 0, f"a channel is {spectrum.ev_per_channel:g} eV wide")


def the_clock_never_runs_back(bench: Bench) -> None:
    """The microscope's clock goes on with every action, and a scan takes at least its dwell times."""
    with bench.microscope() as microscope:
        readings = [microscope.clock.now_s()]

        def read(least_s: float, what: str) -> None:
            readings.append(microscope.clock.now_s())
            passed_s = readings[-1] - readings[-2]
            require(passed_s >= least_s, f"{what} moved the clock by {passed_s:g} s, not {least_s:g} s")

        microscope.move_to(bench.site.point(0.2, 0.2))
        read(0.0, "a move")
        microscope.acquire_image(bench.site.imaging)
        read(bench.site.imaging.scan_s * (1 - 1e-9), "a frame")
        microscope.autofocus()
        read(0.0, "an autofocus")
        microscope.clock.sleep(0.01)
        read(0.01 * (1 - 1e-6), "a sleep of 0.01 s")


def actions_cost_what_was_predicted(bench: Bench) -> None:
    """A move, a frame and an autofocus take the time that was predicted, and it is booked."""
    start, target = bench.site.point(0.1, 0.1), bench.site.point(0.9, 0.9)
    imaging, live_s = bench.site.imaging, bench.site.live_s
    with bench.microscope() as microscope:
        microscope.move_to(start)
        move_s = microscope.predict_move_s(start, target)
        _require_cost(bench, microscope, partial(microscope.move_to, target), move_s, "a move")
        frame_s = microscope.predict_image_s(imaging)
        _require_cost(bench, microscope, partial(microscope.acquire_image, imaging), frame_s, "a frame")
        focus_s = microscope.predict_autofocus_s()
        _require_cost(bench, microscope, microscope.autofocus, focus_s, "an autofocus")
        if has_spectrometer(microscope, live_s):
            spectrum_s = microscope.predict_spectrum_s(live_s)
            collect = partial(microscope.acquire_spectrum, live_s)
            _require_cost(bench, microscope, collect, spectrum_s, "a spectrum")


def _require_cost(
    bench: Bench, microscope: Microscope, action: Callable[[], object], predicted_s: float, what: str
) -> None:
    began_s, spent_s = microscope.clock.now_s(), microscope.spent.beam_time_s
    action()
    taken_s, booked_s = microscope.clock.now_s() - began_s, microscope.spent.beam_time_s - spent_s
    slack_s = 1e-6 if microscope.info.kind == "simulated" else _SHORTEST_S
    allowed_s = max(bench.site.cost_tolerance * predicted_s, slack_s)
    require(
        abs(taken_s - predicted_s) <= allowed_s,
        f"{what} took {taken_s:.6g} s, {predicted_s:.6g} s were predicted (within {allowed_s:.2g} s)",
    )
    booked = abs(booked_s - taken_s) <= slack_s
    require(booked, f"{what} took {taken_s:.6g} s and {booked_s:.6g} s were booked")


ACQUISITION_CHECKS = (
    a_frame_carries_its_metadata,
    a_frame_owns_its_pixels,
    frames_have_the_size_that_was_asked_for,
    no_exposure_while_the_stage_moves,
    bad_numbers_are_refused,
    a_spectrum_is_whole,
    the_clock_never_runs_back,
    actions_cost_what_was_predicted,
)
