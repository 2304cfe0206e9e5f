"""Promises about budgets: one call cannot exceed them, and what is refused exposes nothing."""

from __future__ import annotations

from collections.abc import Callable

from autoscope.core import BudgetError, Rectangle, StagePosition
from autoscope.microscope import Budget, Microscope
from autoscope.testing.checks import (
    Bench,
    ConformanceError,
    has_spectrometer,
    require,
    require_nothing_spent,
    require_refusal,
)

_ROUNDS = 50
_ROUNDING = 1 + 1e-9


def one_call_cannot_exceed_the_time(bench: Bench) -> None:
    """A frame or a move for which the beam time does not suffice is refused before it begins."""
    with bench.microscope() as microscope:
        frame_s = microscope.predict_image_s(bench.site.imaging)
        here = microscope.position()
        far = max(bench.site.point(0.1, 0.1), bench.site.point(0.9, 0.9), key=here.distance_um)
        travel_s = microscope.predict_move_s(here, far)
    with bench.microscope(budget=Budget(beam_time_s=frame_s / 2)) as microscope:
        _require_no_exposure(microscope, lambda: microscope.acquire_image(bench.site.imaging))
    with bench.microscope(budget=Budget(beam_time_s=travel_s / 2)) as microscope:
        here, before = microscope.position(), microscope.spent
        require_refusal(lambda: microscope.begin_move(far), BudgetError, "a move without time for it")
        require(not microscope.is_moving(), "the move was refused and yet the stage moves")
        bench.require_at(microscope, here, "a move was refused")
        require_nothing_spent(microscope, before, "a move without time for it")


def the_time_is_never_exceeded(bench: Bench) -> None:
    """Going on until the beam time is spent ends with no more than the beam time spent."""
    ends = bench.site.point(0.2, 0.2), bench.site.point(0.8, 0.2)
    with bench.microscope() as microscope:
        first_s = microscope.predict_move_s(microscope.position(), ends[0])
        frame_s = microscope.predict_image_s(bench.site.imaging)
        travel_s = microscope.predict_move_s(*ends)
    round_s = frame_s + travel_s
    for rest_s in (1e-3 * frame_s, 1.001 * frame_s, 1.001 * round_s, 2.5 * round_s):
        _spend_all(bench, first_s + rest_s, ends)


def _spend_all(bench: Bench, budget_s: float, ends: tuple[StagePosition, StagePosition]) -> None:
    with bench.microscope(budget=Budget(beam_time_s=budget_s)) as microscope:
        slack_s = 0.0 if microscope.info.kind == "simulated" else bench.site.cost_tolerance * budget_s
        try:
            for turn in range(_ROUNDS):
                microscope.move_to(ends[turn % 2])
                microscope.acquire_image(bench.site.imaging)
        except BudgetError:
            spent_s = microscope.spent.beam_time_s
            require(spent_s <= budget_s * _ROUNDING + slack_s, f"{spent_s:g} of {budget_s:g} s were spent")
            return
    raise ConformanceError(f"{_ROUNDS} rounds of moves and frames were done on a budget of {budget_s:g} s")


def frames_are_counted(bench: Bench) -> None:
    """After as many frames as the budget has, the next one is refused."""
    with bench.microscope(budget=Budget(frames=2)) as microscope:
        for share in (0.3, 0.7):
            microscope.move_to(bench.site.point(share, 0.5))
            microscope.acquire_image(bench.site.imaging)
        microscope.move_to(bench.site.point(0.5, 0.9))
        _require_no_exposure(microscope, lambda: microscope.acquire_image(bench.site.imaging))
        require(microscope.spent.frames == 2, f"2 frames were taken, {microscope.spent.frames} are booked")


def dose_is_kept_for_every_place(bench: Bench) -> None:
    """A place gets no more than its dose, while its neighbours still get theirs."""
    with bench.microscope() as microscope:
        dose = bench.site.imaging.dose_e_per_nm2(microscope.beam().current_pa)
    with bench.microscope(budget=Budget(dose_e_per_nm2=1.5 * dose)) as microscope:
        microscope.move_to(bench.site.point(0.3, 0.3))
        microscope.acquire_image(bench.site.imaging)
        _require_no_exposure(microscope, lambda: microscope.acquire_image(bench.site.imaging))
        microscope.move_to(bench.site.point(0.7, 0.7))
        microscope.acquire_image(bench.site.imaging)
        spent = microscope.spent.dose_e_per_nm2_max
        booked = abs(spent - dose) <= 1e-9 * dose
        require(booked, f"the largest dose is booked as {spent:g}, not {dose:g} e/nm2")


def live_time_is_kept(bench: Bench) -> None:
    """Spectra, where there is a detector, never take more live time than the budget has."""
    live_s = bench.site.live_s
    with bench.microscope(budget=Budget(eds_live_s=1.5 * live_s)) as microscope:
        microscope.move_to(bench.site.point(0.5, 0.5))
        if not has_spectrometer(microscope, live_s):
            return
        microscope.acquire_spectrum(live_s)
        _require_no_exposure(microscope, lambda: microscope.acquire_spectrum(live_s))
        spent_s = microscope.spent.eds_live_s
        require(spent_s <= 1.5 * live_s * _ROUNDING, f"{spent_s:g} of {1.5 * live_s:g} s were spent")


def the_account_goes_on_after_an_interruption(bench: Bench) -> None:
    """A restored microscope goes on with the account, the frame numbers and the doses that there were."""
    imaging = bench.site.imaging
    with bench.microscope() as microscope:
        microscope.move_to(bench.site.point(0.5, 0.5))
        frame = microscope.acquire_image(imaging)
        state = microscope.state()
    x, y, half_x, half_y = frame.position.x_um, frame.position.y_um, imaging.hfw_um / 2, imaging.vfw_um / 2
    exposed = Rectangle(x - half_x, y - half_y, x + half_x, y + half_y)
    budget = Budget(dose_e_per_nm2=1.5 * frame.dose_e_per_nm2)
    with bench.microscope(budget=budget) as microscope:
        microscope.restore(state, [(exposed, frame.dose_e_per_nm2)])
        require(microscope.spent == state.spent, f"the account is {microscope.spent}, it was {state.spent}")
        microscope.move_to(bench.site.point(0.5, 0.5))
        _require_no_exposure(microscope, lambda: microscope.acquire_image(imaging))
        microscope.move_to(bench.site.point(0.1, 0.5))
        following = microscope.acquire_image(imaging)
        require(following.frame_id == frame.frame_id + 1, f"the next frame is number {following.frame_id}")
        gained_s = microscope.spent.beam_time_s - state.spent.beam_time_s
        require(gained_s > 0, "the beam time does not go on")


def _require_no_exposure(microscope: Microscope, action: Callable[[], object]) -> None:
    before, frame_id = microscope.spent, microscope.state().frame_id
    require_refusal(action, BudgetError, "an exposure that the budget does not cover")
    require_nothing_spent(microscope, before, "an exposure that the budget does not cover")
    require(microscope.state().frame_id == frame_id, "a frame was counted though it was refused")
    require(microscope.is_blanked(), "the beam is on after a refusal")


BUDGET_CHECKS = (
    one_call_cannot_exceed_the_time,
    the_time_is_never_exceeded,
    frames_are_counted,
    dose_is_kept_for_every_place,
    live_time_is_kept,
    the_account_goes_on_after_an_interruption,
)
