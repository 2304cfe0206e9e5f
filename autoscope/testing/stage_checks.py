"""Promises about the stage."""

from __future__ import annotations

import math
import threading
from dataclasses import replace

import numpy as np

from autoscope.core import (
    InstrumentError,
    KeepOutError,
    LimitError,
    MoveStoppedError,
    Rectangle,
    StagePosition,
)
from autoscope.microscope import Microscope
from autoscope.testing.checks import Bench, require, require_nothing_spent, require_refusal

_LOOKS = 20
_PATIENCE_S = 60.0


def positions_read_back(bench: Bench) -> None:
    """After a move the stage stands at its target and reads that."""
    low, high = bench.site.z_um
    with bench.microscope() as microscope:
        for target in (
            bench.site.point(0.2, 0.3),
            replace(bench.site.point(0.8, 0.3), z_um=high),
            replace(bench.site.point(0.8, 0.9), z_um=low),
        ):
            arrived = microscope.move_to(target)
            bench.require_at(microscope, target, "after a move")
            require(not microscope.is_moving(), "the stage says that it moves after a move has ended")
            require(arrived == microscope.position(), f"the move returned {arrived}, not what reads back")


def moves_are_straight(bench: Bench) -> None:
    """The stage moves in a straight line, since the keep-out zones are checked along one."""
    start, target = bench.site.point(0.1, 0.1), bench.site.point(0.9, 0.8)
    with bench.microscope() as microscope:
        microscope.move_to(start)
        microscope.begin_move(target)
        for _ in range(_LOOKS):
            bench.require_between(microscope, start, target)
            microscope.clock.sleep(microscope.predict_move_s(start, target) / _LOOKS)
        microscope.wait_for_stage()
        bench.require_at(microscope, target, "after the move")


def a_refused_move_moves_nothing(bench: Bench) -> None:
    """A target outside the envelope, or that is not a number, is refused before anything moves."""
    start = bench.site.point(0.5, 0.5)
    with bench.microscope() as microscope:
        microscope.move_to(start)
        targets = [
            replace(start, x_um=bench.site.area.x1_um + 1e-3),
            replace(start, y_um=bench.site.area.y0_um - 1e-3),
            replace(start, z_um=max(bench.site.z_um) + 1e-3),
            *(replace(start, x_um=bad) for bad in (math.nan, math.inf, -math.inf)),
        ]
        for target in targets:
            _require_still(bench, microscope, target, LimitError)


def keep_out_holds_along_the_path(bench: Bench) -> None:
    """A move whose way crosses a keep-out zone is refused, though its ends are free; the way round is not."""
    zone = bench.site.box(0.4, 0.55, 0.6, 0.75)
    start, target = bench.site.point(0.2, 0.65), bench.site.point(0.8, 0.65)
    with bench.microscope() as outside:
        outside.move_to(start)
    with bench.microscope(zone) as microscope:
        for leg in microscope.envelope.route(microscope.position(), start):
            microscope.move_to(leg)
        _require_still(bench, microscope, target, KeepOutError)
        _require_still(bench, microscope, bench.site.point(0.5, 0.65), KeepOutError)
        _require_still(bench, microscope, StagePosition(zone.x0_um, zone.y0_um, start.z_um), KeepOutError)
        for leg in microscope.envelope.route(microscope.position(), target):
            here = microscope.position()
            microscope.begin_move(leg)
            _require_outside(microscope, zone, microscope.predict_move_s(here, leg))
            microscope.wait_for_stage()
        bench.require_at(microscope, target, "after the way round")


def one_move_at_a_time(bench: Bench) -> None:
    """A second move is refused while the first one runs, and does not disturb it."""
    first, second = bench.site.point(0.9, 0.9), bench.site.point(0.1, 0.9)
    with bench.microscope() as microscope:
        microscope.move_to(bench.site.point(0.1, 0.1))
        microscope.begin_move(first)
        require(microscope.is_moving(), "the stage says that it stands still though a move has begun")
        require_refusal(lambda: microscope.begin_move(second), InstrumentError, "a second move")
        microscope.wait_for_stage()
        bench.require_at(microscope, first, "after the first move")


def stop_works_during_a_move(bench: Bench) -> None:
    """A stopped stage stands still on its way, says so to the one who waits, and can move again."""
    start, target = bench.site.point(0.1, 0.1), bench.site.point(0.9, 0.9)
    with bench.microscope() as microscope:
        microscope.move_to(start)
        microscope.begin_move(target)
        microscope.clock.sleep(microscope.predict_move_s(start, target) / 3)
        microscope.stop_stage()
        require(not microscope.is_moving(), "the stage says that it moves after it was stopped")
        bench.require_between(microscope, start, target)
        stopped = microscope.position()
        require(
            stopped.distance_um(target) > bench.site.position_tolerance_um,
            "the stage stands at its target though it was stopped after a third of the way's time",
        )
        require_refusal(microscope.wait_for_stage, MoveStoppedError, "waiting for a stopped move")
        bench.require_at(microscope, stopped, "some time after it was stopped")
        microscope.move_to(start)
        bench.require_at(microscope, start, "after the next move")


def stop_works_from_another_thread(bench: Bench) -> None:
    """A stop from another thread ends the waiting for the stage."""
    start, target = bench.site.point(0.1, 0.1), bench.site.point(0.9, 0.9)
    with bench.microscope() as microscope:
        microscope.move_to(start)
        failures: list[BaseException] = []

        def stop() -> None:
            try:
                microscope.stop_stage()
            except InstrumentError as error:
                failures.append(error)

        microscope.begin_move(target)
        thread = threading.Thread(target=stop)
        thread.start()
        try:
            microscope.wait_for_stage()
        except MoveStoppedError:
            bench.require_between(microscope, start, target)
        thread.join(_PATIENCE_S)
        require(not thread.is_alive(), f"the stop did not return within {_PATIENCE_S:g} s")
        require(not failures, f"the stop failed: {failures}")
        require(not microscope.is_moving(), "the stage says that it moves after it was stopped")


def travel_is_predicted(bench: Bench) -> None:
    """The time of a move can be asked for many distances at once: 0 for none, never less for more."""
    distances_um = np.array([0.0, 1.0, 10.0, 100.0, 1000.0])
    with bench.microscope() as microscope:
        seconds = microscope.predict_travel_s(distances_um)
        require(seconds.shape == distances_um.shape, f"5 distances gave seconds of shape {seconds.shape}")
        require(seconds[0] == 0, f"standing still is predicted to take {seconds[0]:g} s")
        require(bool((np.diff(seconds) >= 0).all()), f"longer ways are predicted to take less: {seconds}")
        require(bool((seconds[1:] > 0).all()), f"a way is predicted to take no time: {seconds}")


def _require_still(
    bench: Bench, microscope: Microscope, target: StagePosition, error: type[Exception]
) -> None:
    before, spent = microscope.position(), microscope.spent
    require_refusal(lambda: microscope.begin_move(target), error, f"the move to {target}")
    require(not microscope.is_moving(), f"the move to {target} was refused and yet the stage moves")
    bench.require_at(microscope, before, f"the move to {target} was refused")
    require_nothing_spent(microscope, spent, f"the move to {target}")


def _require_outside(microscope: Microscope, zone: Rectangle, lasts_s: float) -> None:
    for _ in range(_LOOKS):
        here = microscope.position()
        inside = zone.x0_um < here.x_um < zone.x1_um and zone.y0_um < here.y_um < zone.y1_um
        require(not inside, f"the stage reads {here} on its way, inside the keep-out zone {zone}")
        microscope.clock.sleep(lasts_s / _LOOKS)


STAGE_CHECKS = (
    positions_read_back,
    moves_are_straight,
    a_refused_move_moves_nothing,
    keep_out_holds_along_the_path,
    one_move_at_a_time,
    stop_works_during_a_move,
    stop_works_from_another_thread,
    travel_is_predicted,
)
