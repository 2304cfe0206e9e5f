"""Promises about spectra that are watched while they come in."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from autoscope.core import BudgetError, InstrumentError, LimitError, Spectrum
from autoscope.microscope import Budget
from autoscope.testing.checks import (
    Bench,
    has_spectrometer,
    require,
    require_nothing_spent,
    require_refusal,
)

_LOOKS = 5


def a_watched_spectrum_ends_when_it_is_enough(bench: Bench) -> None:
    """A spectrum can be looked at while it comes in, only grows, and ends when it is enough."""
    live_s = bench.site.live_s
    looks_s = [live_s * (n + 1) / _LOOKS for n in range(_LOOKS)]
    with bench.microscope() as microscope:
        microscope.move_to(bench.site.point(0.5, 0.5))
        if not has_spectrometer(microscope, live_s):
            return
        before, seen = microscope.spent, list[Spectrum]()

        def enough(so_far: Spectrum) -> bool:
            seen.append(so_far)
            return len(seen) == 2

        spectrum = microscope.watch_spectrum(looks_s, enough)
        require(len(seen) == 2, f"it was to end at the second look and was looked at {len(seen)} times")
        require(spectrum.live_s < live_s, f"it was told to end at {seen[-1].live_s:g} s and counted on")
        for early, late in ((seen[0], seen[1]), (seen[1], spectrum)):
            grows = early.live_s <= late.live_s and bool((early.counts <= late.counts).all())
            require(grows, f"after {late.live_s:g} s it had lost what it had after {early.live_s:g} s")
        require(spectrum.counts.dtype == np.int64, f"its counts are {spectrum.counts.dtype}")
        booked_s = microscope.spent.eds_live_s - before.eds_live_s
        same = math.isclose(booked_s, spectrum.live_s)
        require(same, f"it took {spectrum.live_s:g} s of live time and {booked_s:g} s were booked")
        require(microscope.is_blanked(), "the beam is on after a watched spectrum")


def an_unending_spectrum_ends_at_its_last_look(bench: Bench) -> None:
    """A watched spectrum that is never enough takes the live time of its last look."""
    live_s = bench.site.live_s
    with bench.microscope() as microscope:
        microscope.move_to(bench.site.point(0.5, 0.5))
        if not has_spectrometer(microscope, live_s):
            return
        spectrum = microscope.watch_spectrum((live_s / 2, live_s), lambda so_far: False)
        near = math.isclose(spectrum.live_s, live_s, rel_tol=bench.site.cost_tolerance)
        require(near, f"its last look is at {live_s:g} s, it took {spectrum.live_s:g} s")


def bad_looks_are_refused(bench: Bench) -> None:
    """Looks that do not ascend, spots that are nowhere and live times beyond the budget expose nothing."""
    live_s = bench.site.live_s
    with bench.microscope() as microscope:
        microscope.move_to(bench.site.point(0.5, 0.5))
        before = microscope.spent
        for looks_s in ((), (0.0,), (live_s, live_s / 2), (math.nan,), (live_s, math.inf)):
            watch = partial(microscope.watch_spectrum, looks_s, lambda so_far: False)
            require_refusal(watch, LimitError, f"looks at {looks_s} s")
        watch = partial(microscope.watch_spectrum, (live_s,), lambda so_far: False, (math.nan, 0.0))
        require_refusal(watch, LimitError, "a spot at nan")
        require_nothing_spent(microscope, before, "a bad look")
    with bench.microscope(budget=Budget(eds_live_s=live_s)) as microscope:
        microscope.move_to(bench.site.point(0.5, 0.5))
        before = microscope.spent
        watch = partial(microscope.watch_spectrum, (live_s, 2 * live_s), lambda so_far: True)
        require_refusal(watch, BudgetError, "a live time of twice the budget")
        require_nothing_spent(microscope, before, "a live time beyond the budget")
        require(microscope.is_blanked(), "the beam is on after a refusal")


def no_watching_while_the_stage_moves(bench: Bench) -> None:
    """No spectrum is watched while the stage moves."""
    with bench.microscope() as microscope:
        microscope.move_to(bench.site.point(0.1, 0.1))
        microscope.begin_move(bench.site.point(0.9, 0.9))
        before = microscope.spent
        watch = partial(microscope.watch_spectrum, (bench.site.live_s,), lambda so_far: False)
        require_refusal(watch, InstrumentError, "a watched spectrum during a move")
        require_nothing_spent(microscope, before, "a spectrum during a move")
        microscope.wait_for_stage()


SPECTRUM_CHECKS = (
    a_watched_spectrum_ends_when_it_is_enough,
    an_unending_spectrum_ends_at_its_last_look,
    bad_looks_are_refused,
    no_watching_while_the_stage_moves,
)
