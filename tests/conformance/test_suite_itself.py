"""The suite passes a good driver, and each of its checks catches a driver that breaks its promise.

A check that cannot fail is no check: `BROKEN` has at least one driver for every one of them.
"""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from autoscope.core import MoveStoppedError, StagePosition
from autoscope.microscope import Budget, Envelope, FocusResult, Health, MicroscopeInfo
from autoscope.testing import Check, ConformanceError, microscope_checks


def load(name: str) -> ModuleType:
    """A module beside this one (the tests are no package)."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


plain = load("plain_microscope")
CHECKS = {check.name: check for check in microscope_checks()}
BROKEN: list[tuple[str, type]] = []


def broken(*names: str) -> Any:
    """Marks a driver that the checks of these names must catch."""

    def mark(driver: type) -> type:
        BROKEN.extend((name, driver) for name in names)
        return driver

    return mark


@broken("positions_read_back", "one_move_at_a_time")
class OvershootsInX(plain.PlainMicroscope):
    def _do_begin_move(self, target: StagePosition) -> None:
        super()._do_begin_move(replace(target, x_um=target.x_um + 2.0))


@broken("positions_read_back")
class IgnoresHeight(plain.PlainMicroscope):
    def _do_begin_move(self, target: StagePosition) -> None:
        super()._do_begin_move(replace(target, z_um=0.0))


@broken("moves_are_straight", "keep_out_holds_along_the_path")
class BowsOnItsWay(plain.PlainMicroscope):
    def _along(self, share: float) -> StagePosition:
        straight = super()._along(share)
        return replace(straight, y_um=straight.y_um + 20.0 * share * (1.0 - share))


@broken("moves_are_straight")
class MovesXFirst(plain.PlainMicroscope):
    def _along(self, share: float) -> StagePosition:
        first, second = min(2 * share, 1.0), max(2 * share - 1.0, 0.0)
        x_um, y_um = super()._along(first).x_um, super()._along(second).y_um
        return replace(self._target, x_um=x_um, y_um=y_um)


@broken("a_refused_move_moves_nothing", "bad_numbers_are_refused", "refused_beam_settings_change_nothing",
        "envelope_and_budget_are_kept")  # fmt: skip
class HasItsOwnEnvelope(plain.PlainMicroscope):
    """It knows better, and clips."""

    def __init__(self, envelope: Envelope, budget: Budget) -> None:
        super().__init__(envelope, budget)
        self._envelope = ClippingEnvelope(envelope)


class ClippingEnvelope:
    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope

    def __getattr__(self, name: str) -> Any:
        return (lambda *_: None) if name.startswith("check_") else getattr(self._envelope, name)


@broken("keep_out_holds_along_the_path", "envelope_and_budget_are_kept")
class ForgetsKeepOut(plain.PlainMicroscope):
    def __init__(self, envelope: Envelope, budget: Budget) -> None:
        super().__init__(replace(envelope, keep_out=()), budget)


@broken("one_move_at_a_time", "no_exposure_while_the_stage_moves")
class SaysItStandsStill(plain.PlainMicroscope):
    def _do_is_moving(self) -> bool:
        return False


@broken("stop_works_during_a_move", "make_safe_makes_safe")
class DoesNotStop(plain.PlainMicroscope):
    def _do_stop_stage(self) -> None:
        pass


@broken("leaving_makes_safe")
class DoesNotStopEither(DoesNotStop):
    pass


@broken("stop_works_during_a_move")
class StopsInSilence(plain.PlainMicroscope):
    def _do_wait_for_stage(self) -> None:
        try:
            super()._do_wait_for_stage()
        except MoveStoppedError:
            return


@broken("stop_works_during_a_move")
class JumpsToItsTargetWhenStopped(plain.PlainMicroscope):
    def _do_stop_stage(self) -> None:
        if self._do_is_moving():
            self._ends_s, self._stopped = self._clock.now_s(), True


@broken("stop_works_from_another_thread")
class StopsOnlyForItsOwner(plain.PlainMicroscope):
    def __init__(self, envelope: Envelope, budget: Budget) -> None:
        import threading

        super().__init__(envelope, budget)
        self._owner = threading.get_ident()

    def _do_stop_stage(self) -> None:
        import threading

        from autoscope.core import InstrumentError

        if threading.get_ident() != self._owner:
            raise InstrumentError("the stage may be stopped by its owner only")
        super()._do_stop_stage()


@broken("travel_is_predicted")
class PredictsSettlingWithoutMoving(plain.PlainMicroscope):
    def predict_travel_s(self, distance_um: Any) -> Any:
        return distance_um / 100.0 + 0.5


@broken("travel_is_predicted")
class PredictsOneNumber(plain.PlainMicroscope):
    def predict_travel_s(self, distance_um: Any) -> Any:
        return super().predict_travel_s(distance_um)[:1]


@broken("it_says_what_it_is")
class PretendsToBeReal(plain.PlainMicroscope):
    @property
    def info(self) -> MicroscopeInfo:
        return MicroscopeInfo("simulated", False, "plain")


@broken("it_says_what_it_is")
class IsIllAndWell(plain.PlainMicroscope):
    def _do_read_health(self) -> Health:
        return Health(True, ("the gun valve is closed",))


@broken("envelope_and_budget_are_kept", "frames_are_counted", "one_call_cannot_exceed_the_time",
        "dose_is_kept_for_every_place", "live_time_is_kept",
        "the_account_goes_on_after_an_interruption", "the_time_is_never_exceeded")  # fmt: skip
class ForgetsItsBudget(plain.PlainMicroscope):
    def __init__(self, envelope: Envelope, budget: Budget) -> None:
        super().__init__(envelope, Budget())


@broken("beam_settings_read_back")
class HasOneDetector(plain.PlainMicroscope):
    def _do_set_beam(self, beam: Any) -> None:
        self._beam = replace(beam, detector="bse")


@broken("refused_beam_settings_change_nothing")
class AcceptsAnyDetector(plain.PlainMicroscope):
    class Everything(tuple):  # type: ignore[type-arg]
        def __contains__(self, _: object) -> bool:
            return True

    @property
    def detectors(self) -> Any:
        return self.Everything(("bse", "se"))


@broken("the_beam_is_blanked_between_exposures")
class LeavesTheBeamOn(plain.PlainMicroscope):
    def _do_acquire_image(self, imaging: Any) -> Any:
        self._blanked = False
        return super()._do_acquire_image(imaging)


@broken("the_beam_is_blanked_between_exposures")
class BeginsWithTheBeamOn(plain.PlainMicroscope):
    def __init__(self, envelope: Envelope, budget: Budget) -> None:
        super().__init__(envelope, budget)
        self._blanked = False


@broken("make_safe_makes_safe", "leaving_makes_safe", "a_failed_exposure_leaves_the_beam_blanked")
class CannotBlank(plain.PlainMicroscope):
    def _do_blank(self, blanked: bool) -> None:
        self._blanked = blanked and self._blanked


@broken("autofocus_sets_what_it_found")
class ReportsAnotherFocus(plain.PlainMicroscope):
    def _do_autofocus(self) -> FocusResult:
        found = super()._do_autofocus()
        return replace(found, working_distance_mm=found.working_distance_mm + 0.1)


@broken("autofocus_sets_what_it_found")
class FocusesWithAnotherVoltage(plain.PlainMicroscope):
    def _do_autofocus(self) -> FocusResult:
        self._beam = replace(self._beam, kv=5.0)
        return super()._do_autofocus()


@broken("a_frame_carries_its_metadata")
class MovesWhileItScans(plain.PlainMicroscope):
    def _do_read_position(self) -> StagePosition:
        position = super()._do_read_position()
        return position if self._frame_id == 0 else replace(position, x_um=position.x_um + 3.0)


@broken("a_frame_carries_its_metadata")
class ChangesCurrentWhileItScans(plain.PlainMicroscope):
    def _do_acquire_image(self, imaging: Any) -> Any:
        self._beam = replace(self._beam, current_pa=2 * self._beam.current_pa)
        return super()._do_acquire_image(imaging)


@broken("a_frame_owns_its_pixels")
class HasOneBuffer(plain.PlainMicroscope):
    _buffer: Any = None

    def _do_acquire_image(self, imaging: Any) -> Any:
        pixels = super()._do_acquire_image(imaging)
        if self._buffer is None or self._buffer.shape != pixels.shape:
            self._buffer = pixels
        self._buffer.flags.writeable = True
        self._buffer[...] = pixels
        return self._buffer


@broken("frames_have_the_size_that_was_asked_for")
class ScansMultiplesOfSixteen(plain.PlainMicroscope):
    def _do_acquire_image(self, imaging: Any) -> Any:
        self._clock.sleep(self.predict_image_s(imaging))
        pixels = np.zeros((-(-imaging.height_px // 16) * 16, -(-imaging.width_px // 16) * 16), np.uint8)
        if pixels.shape != (imaging.height_px, imaging.width_px):
            raise ConformanceError(f"{pixels.shape}")  # what the abstraction says of it
        return pixels


@broken("a_spectrum_is_whole", "live_time_is_kept")
class CollectsLongerThanAsked(plain.PlainMicroscope):
    def _do_acquire_spectrum(self, live_s: float) -> Any:
        spectrum = super()._do_acquire_spectrum(live_s)
        return replace(spectrum, live_s=1.5 * live_s, real_s=2 * live_s)


@broken("a_spectrum_is_whole")
class CountsInFractions(plain.PlainMicroscope):
    def _do_acquire_spectrum(self, live_s: float) -> Any:
        spectrum = super()._do_acquire_spectrum(live_s)
        return replace(spectrum, counts=spectrum.counts / 2)


@broken("the_clock_never_runs_back", "actions_cost_what_was_predicted")
class ScansInNoTime(plain.PlainMicroscope):
    def _do_acquire_image(self, imaging: Any) -> Any:
        return np.zeros((imaging.height_px, imaging.width_px), np.uint8)


@broken("the_clock_never_runs_back")
class SetsItsClockBack(plain.PlainMicroscope):
    def _do_autofocus(self) -> FocusResult:
        self._clock.set(self._clock.now_s() - 1.0)
        return FocusResult(self._beam.working_distance_mm, (0.0, 0.0), 1.0)


@broken("actions_cost_what_was_predicted", "the_time_is_never_exceeded")
class TravelsSlowerThanPredicted(plain.PlainMicroscope):
    def _do_wait_for_stage(self) -> None:
        super()._do_wait_for_stage()
        self._clock.sleep(1.0)


@broken("actions_cost_what_was_predicted", "the_time_is_never_exceeded")
class PredictsTooLittle(plain.PlainMicroscope):
    def _do_acquire_image(self, imaging: Any) -> Any:
        self._clock.sleep(self.predict_image_s(imaging))
        return super()._do_acquire_image(imaging)


@broken("the_account_goes_on_after_an_interruption")
class BeginsItsFramesAnew(plain.PlainMicroscope):
    def _do_restore(self, state: Any) -> None:
        super()._do_restore(state)
        self._frame_id = 0


@broken("leaving_makes_safe")
class SwallowsExceptions(plain.PlainMicroscope):
    def __exit__(self, *_: object) -> bool:
        self.close()
        return True


@broken("leaving_makes_safe")
class StaysOpen(plain.PlainMicroscope):
    def __exit__(self, *_: object) -> None:
        self.make_safe()


@broken("a_failed_exposure_leaves_the_beam_blanked")
class CarriesOnAfterFailures(plain.PlainMicroscope):
    def acquire_image(self, imaging: Any) -> Any:
        try:
            return super().acquire_image(imaging)
        except BaseException:  # noqa: BLE001 - this is what is broken about it
            return None


@broken("closing_twice_does_nothing")
class LetsGoAgainAndAgain(plain.PlainMicroscope):
    def close(self) -> None:
        self._do_close()


@broken("a_closed_microscope_is_closed")
class NeverCloses(plain.PlainMicroscope):
    def close(self) -> None:
        self.make_safe()


@broken("a_watched_spectrum_ends_when_it_is_enough")
class NeverHasEnough(plain.PlainMicroscope):
    def _do_watch_spectrum(self, looks_s: Any, enough: Any, spot_um: Any) -> Any:
        return super()._do_watch_spectrum(looks_s, lambda so_far: enough(so_far) and False, spot_um)


@broken("an_unending_spectrum_ends_at_its_last_look")
class EndsAtItsFirstLook(plain.PlainMicroscope):
    def _do_watch_spectrum(self, looks_s: Any, enough: Any, spot_um: Any) -> Any:
        return super()._do_watch_spectrum(looks_s[:1], enough, spot_um)


@broken("bad_looks_are_refused")
class LooksAtAnything(plain.PlainMicroscope):
    def watch_spectrum(self, looks_s: Any, enough: Any, spot_um: Any = (0.0, 0.0)) -> Any:
        return self.acquire_spectrum(0.1)


@broken("no_watching_while_the_stage_moves")
class WatchesWhileItMoves(plain.PlainMicroscope):
    def watch_spectrum(self, looks_s: Any, enough: Any, spot_um: Any = (0.0, 0.0)) -> Any:
        return self._do_watch_spectrum(tuple(looks_s), enough, spot_um)


@pytest.mark.parametrize("check", CHECKS.values(), ids=str)
@pytest.mark.parametrize("driver", [plain.PlainMicroscope, plain.WithoutSpectrometer])
def test_good_drivers_pass(check: Check, driver: Any) -> None:
    check(driver)


@pytest.mark.parametrize(("name", "driver"), BROKEN, ids=lambda value: getattr(value, "__name__", value))
def test_broken_drivers_are_caught(name: str, driver: Any) -> None:
    with pytest.raises(ConformanceError) as caught:
        CHECKS[name](driver)
    assert CHECKS[name].promise in str(caught.value)


def test_every_check_catches_some_broken_driver() -> None:
    assert set(CHECKS) == {name for name, _ in BROKEN}


def test_every_check_says_its_promise() -> None:
    assert len(CHECKS) == len(microscope_checks()) >= 30
    for check in CHECKS.values():
        assert str(check) == check.name
        assert check.promise.endswith(".") and check.promise[0].isupper()
