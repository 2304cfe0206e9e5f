"""Promises about the beam, the focus, the detectors, and what a microscope says about itself."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from autoscope.core import InstrumentError, LimitError
from autoscope.microscope import Budget
from autoscope.testing.checks import Bench, has_spectrometer, require, require_refusal


def it_says_what_it_is(bench: Bench) -> None:
    """A microscope names itself, its kind and its detectors, and whether it is healthy."""
    with bench.microscope() as microscope:
        info, detectors, health = microscope.info, microscope.detectors, microscope.health()
        require(bool(info.name), "the microscope has no name")
        says_so = info.simulated or info.kind != "simulated"
        require(says_so, f"kind and simulated disagree: {info}")
        require(len(set(detectors)) == len(detectors) > 0, f"its detectors are {detectors}")
        require(microscope.beam().detector in detectors, f"{microscope.beam()} is not on one of {detectors}")
        require(health.ok == (not health.problems), f"its health contradicts itself: {health}")


def envelope_and_budget_are_kept(bench: Bench) -> None:
    """The limits that a microscope was made with are the limits that it enforces."""
    envelope, budget = bench.envelope(bench.site.box(0.4, 0.4, 0.6, 0.6)), Budget(frames=7)
    with bench.make(envelope, budget) as microscope:
        require(microscope.envelope == envelope, f"its envelope is {microscope.envelope}, not {envelope}")
        require(microscope.budget == budget, f"its budget is {microscope.budget}, not {budget}")


def beam_settings_read_back(bench: Bench) -> None:
    """Voltage and detector read back as they were set."""
    with bench.microscope() as microscope:
        for kv in bench.site.kv:
            for detector in microscope.detectors:
                wanted = replace(microscope.beam(), kv=kv, detector=detector)
                microscope.set_beam(wanted)
                read = microscope.beam()
                same = (
                    math.isclose(read.kv, wanted.kv, rel_tol=1e-3)
                    and math.isclose(read.current_pa, wanted.current_pa, rel_tol=1e-2)
                    and math.isclose(read.working_distance_mm, wanted.working_distance_mm, rel_tol=1e-3)
                    and read.detector == wanted.detector
                )
                require(same, f"{wanted} was set and {read} reads back")


def refused_beam_settings_change_nothing(bench: Bench) -> None:
    """Beam settings outside the envelope, or on no detector, are refused and nothing changes."""
    with bench.microscope() as microscope:
        before, spent = microscope.beam(), microscope.spent
        for bad in (max(bench.site.kv) + 1, 0.0, -1.0, math.nan, math.inf):
            wanted = replace(before, kv=bad)
            require_refusal(partial(microscope.set_beam, wanted), LimitError, f"{wanted}")
        nowhere = replace(before, detector="no such detector")
        require_refusal(lambda: microscope.set_beam(nowhere), InstrumentError, f"{nowhere}")
        require(microscope.beam() == before, f"the beam went from {before} to {microscope.beam()}")
        require(microscope.spent == spent, f"the account went from {spent} to {microscope.spent}")


def the_beam_is_blanked_between_exposures(bench: Bench) -> None:
    """The beam is on the specimen only during an exposure."""
    with bench.microscope() as microscope:
        require(microscope.is_blanked(), "the beam is on before the first action")
        microscope.move_to(bench.site.point(0.5, 0.5))
        require(microscope.is_blanked(), "the beam is on after a move")
        microscope.set_beam(microscope.beam())
        require(microscope.is_blanked(), "the beam is on after beam settings")
        microscope.acquire_image(bench.site.imaging)
        require(microscope.is_blanked(), "the beam is on after a frame")
        microscope.autofocus()
        require(microscope.is_blanked(), "the beam is on after an autofocus")
        if has_spectrometer(microscope, bench.site.live_s):
            require(microscope.is_blanked(), "the beam is on after a spectrum")


def autofocus_sets_what_it_found(bench: Bench) -> None:
    """An autofocus leaves the focus that it reports set, and keeps voltage, current and detector."""
    with bench.microscope() as microscope:
        microscope.move_to(bench.site.point(0.5, 0.5))
        before, found = microscope.beam(), microscope.autofocus()
        after = microscope.beam()
        numbers = (found.working_distance_mm, found.sharpness, *found.stigmator)
        require(all(math.isfinite(number) for number in numbers), f"the autofocus found {found}")
        require(
            math.isclose(after.working_distance_mm, found.working_distance_mm, rel_tol=1e-6),
            f"the autofocus found {found.working_distance_mm:g} mm, {after.working_distance_mm:g} mm is set",
        )
        others = replace(after, working_distance_mm=before.working_distance_mm)
        require(others == before, f"the autofocus changed more than the focus: {before} to {after}")


BEAM_CHECKS = (
    it_says_what_it_is,
    envelope_and_budget_are_kept,
    beam_settings_read_back,
    refused_beam_settings_change_nothing,
    the_beam_is_blanked_between_exposures,
    autofocus_sets_what_it_found,
)
