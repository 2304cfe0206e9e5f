"""Promises about endings: whatever happens, the beam is blanked and the stage stands still."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from autoscope.core import ClosedError
from autoscope.microscope import Budget, Microscope
from autoscope.testing.checks import Bench, require, require_refusal


class _Interruption(BaseException):
    """Something that no driver knows, such as a signal."""


def make_safe_makes_safe(bench: Bench) -> None:
    """Making safe blanks the beam and stops the stage on its way; doing it twice does no harm."""
    start, target = bench.site.point(0.1, 0.1), bench.site.point(0.9, 0.9)
    with bench.microscope() as microscope:
        microscope.move_to(start)
        _unblank(microscope)
        microscope.begin_move(target)
        for _ in range(2):
            microscope.make_safe()
            require(microscope.is_blanked(), "the beam is on after the microscope was made safe")
            require(not microscope.is_moving(), "the stage moves after the microscope was made safe")
        bench.require_between(microscope, start, target)
        require(
            microscope.position().distance_um(target) > bench.site.position_tolerance_um,
            "the stage went on to its target though the microscope was made safe",
        )


def leaving_makes_safe(bench: Bench) -> None:
    """Leaving the context makes the instrument safe before it is let go, after an exception too."""
    for interruption in (None, _Interruption()):
        microscope = bench.make(bench.envelope(), Budget())
        seen = _watch_the_end(microscope)
        try:
            with microscope:
                microscope.move_to(bench.site.point(0.1, 0.1))
                _unblank(microscope)
                microscope.begin_move(bench.site.point(0.9, 0.9))
                if interruption is not None:
                    raise interruption
        except _Interruption:
            pass
        else:
            require(interruption is None, "an exception in the context was swallowed")
        require(len(seen) == 1, f"the driver was let go {len(seen)} times")
        blanked, moving = seen[0]
        require(blanked, "the beam was on when the driver was let go")
        require(not moving, "the stage moved when the driver was let go")
        require_refusal(microscope.position, ClosedError, "reading the position after the context")


def a_failed_exposure_leaves_the_beam_blanked(bench: Bench) -> None:
    """An exposure that ends with an exception leaves the beam blanked and the instrument usable."""
    with bench.microscope() as microscope:
        microscope.move_to(bench.site.point(0.3, 0.5))
        driver = cast(Any, microscope)
        original = driver._do_acquire_image

        def interrupted(*arguments: object) -> None:
            _unblank(microscope)
            raise _Interruption

        driver._do_acquire_image = interrupted
        require_interruption(lambda: microscope.acquire_image(bench.site.imaging))
        require(microscope.is_blanked(), "the beam is on after an exposure that failed")
        driver._do_acquire_image = original
        microscope.move_to(bench.site.point(0.7, 0.5))
        microscope.acquire_image(bench.site.imaging)


def closing_twice_does_nothing(bench: Bench) -> None:
    """The instrument is let go once, however often it is closed."""
    microscope = bench.make(bench.envelope(), Budget())
    seen = _watch_the_end(microscope)
    for _ in range(3):
        microscope.close()
    microscope.make_safe()
    require(len(seen) == 1, f"after three closings the driver was let go {len(seen)} times")


def a_closed_microscope_is_closed(bench: Bench) -> None:
    """After closing, whatever reads or moves the instrument is refused."""
    microscope = bench.make(bench.envelope(), Budget())
    beam, state = microscope.beam(), microscope.state()
    microscope.close()
    actions: dict[str, Callable[[], object]] = {
        "position": microscope.position,
        "begin_move": lambda: microscope.begin_move(bench.site.point(0.5, 0.5)),
        "move_to": lambda: microscope.move_to(bench.site.point(0.5, 0.5)),
        "wait_for_stage": microscope.wait_for_stage,
        "is_moving": microscope.is_moving,
        "stop_stage": microscope.stop_stage,
        "beam": microscope.beam,
        "set_beam": lambda: microscope.set_beam(beam),
        "is_blanked": microscope.is_blanked,
        "acquire_image": lambda: microscope.acquire_image(bench.site.imaging),
        "acquire_spectrum": lambda: microscope.acquire_spectrum(bench.site.live_s),
        "autofocus": microscope.autofocus,
        "health": microscope.health,
        "state": microscope.state,
        "restore": lambda: microscope.restore(state, []),
    }
    for name, action in actions.items():
        require_refusal(action, ClosedError, f"{name} after closing")


def require_interruption(action: Callable[[], object]) -> None:
    """Requires that an interruption comes out of an action as it went in.

    Raises:
        ConformanceError: it was swallowed.
    """
    try:
        action()
    except _Interruption:
        return
    require(False, "an exception during an exposure was swallowed")


def _unblank(microscope: Microscope) -> None:
    """Puts the beam on the specimen behind the abstraction's back, as a scan that was cut off would."""
    microscope._do_blank(False)


def _watch_the_end(microscope: Microscope) -> list[tuple[bool, bool]]:
    """Looks whether the beam is blanked and the stage moves at the moment the driver is let go."""
    seen: list[tuple[bool, bool]] = []
    driver = cast(Any, microscope)
    original = driver._do_close

    def close() -> None:
        seen.append((driver._do_is_blanked(), driver._do_is_moving()))
        original()

    driver._do_close = close
    return seen


ENDING_CHECKS = (
    make_safe_makes_safe,
    leaving_makes_safe,
    a_failed_exposure_leaves_the_beam_blanked,
    closing_twice_does_nothing,
    a_closed_microscope_is_closed,
)
