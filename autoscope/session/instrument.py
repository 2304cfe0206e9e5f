"""The microscope as the survey's source of measurements: travel, acquire, and measure while travelling."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from autoscope.core import (
    BudgetError,
    FocusError,
    Frame,
    ImagingSettings,
    InstrumentError,
    KeepOutError,
    LimitError,
    StagePosition,
    UnreachableError,
)
from autoscope.microscope import FocusResult, Microscope
from autoscope.session.control import SessionControl
from autoscope.session.journal import Journal, Purpose
from autoscope.session.measurer import Measurement, Measurer
from autoscope.session.recovery import REFUSALS, Recovery
from autoscope.session.second_look import Again, SecondLook, Settled
from autoscope.session.settings import SessionSettings
from autoscope.session.spectra import CLOCK_DECIMALS, FieldSpectra, KnownSpectrum, SpectrumCollector
from autoscope.survey import Decision, FieldGrid, Outcome
from autoscope.survey.focus import FocusKeeper, sharpness

log = logging.getLogger(__name__)

SKIPS_IN_A_ROW = 5
"""Fields that may fail one after the other before the instrument, and not the place, is to blame."""


@dataclass(frozen=True, slots=True)
class InFlight:
    """A frame that was taken and not yet measured; ``frame`` is None where none could be taken.

    ``again`` is what was done of a second look before the session was interrupted.
    With EDS ``settled`` holds what was made of its looks, and ``spectra`` what was taken on the field while
    the stage stood there; none where it cannot be measured.
    ``clock_s`` is when the frame was taken; None where that is not known.
    """

    decision: Decision
    frame: Frame | None
    index: int | None
    note: str = ""
    again: Again | None = None
    settled: Settled | None = None
    spectra: FieldSpectra | None = None
    clock_s: float | None = None


@dataclass(frozen=True, slots=True)
class FieldRead:
    """A field's frame and what was read from it."""

    step: int
    field: int
    frame: Frame
    measurement: Measurement


class Imaging:
    """Moves, focuses and takes frames, and writes each of them down.

    Args:
        microscope: the instrument.
        settings: how to image and focus, and what to do when the instrument fails.
        journal: the session's records.
        control: the operator's wishes.
    """

    def __init__(
        self, microscope: Microscope, settings: SessionSettings, journal: Journal, control: SessionControl
    ) -> None:
        self.microscope, self.settings, self.journal = microscope, settings, journal
        self.focus = FocusKeeper(settings.focus_every_s, settings.sharpness_drop)
        self.recovery = Recovery(microscope, settings, journal, control, self.focus)
        self._legs: list[StagePosition] = []

    def begin_travel(self, target: StagePosition) -> None:
        """Starts on the way to a target, around the keep-out zones; returns at once."""
        legs = list(self.microscope.envelope.route(self.microscope.position(), target))
        self.microscope.begin_move(legs[0])
        self._legs = legs[1:]

    def go_back(self, target: StagePosition) -> None:
        """Starts again for a target, from wherever a failure left the stage."""
        if self.microscope.is_moving():
            self.microscope.stop_stage()
        self.begin_travel(target)

    def arrive(self) -> StagePosition:
        """Goes the rest of the way and waits for the stage."""
        position = self.microscope.wait_for_stage()
        while self._legs:
            position = self.microscope.move_to(self._legs.pop(0))
        return position

    def visit_tile(self, tile: StagePosition, number: int) -> Frame:
        """Goes to a tile of the overview and takes its frame."""

        def visit() -> Frame:
            here = self.microscope.position()
            self.go_back(replace(tile, z_um=here.z_um, tilt_deg=here.tilt_deg))
            self.arrive()
            return self.take(self.settings.overview, purpose="overview", field=None)[0]

        return self.recovery.attempt(f"overview frame {number}", visit, visit)

    def take(self, imaging: ImagingSettings, *, purpose: Purpose, field: int | None) -> tuple[Frame, int]:
        """Refocuses where it is due, takes one frame where the stage stands, and acknowledges it."""
        self._set_focus()
        frame = self.microscope.acquire_image(imaging)
        return frame, self.journal.frame(frame, purpose, field, self.microscope.state())

    def take_again(self, field: int, *, refocus: bool) -> tuple[Frame, int]:
        """A second frame where the stage stands; focused for this place alone, where that is asked."""
        microscope = self.microscope
        if refocus:
            result: FocusResult | None = None
            try:
                result = microscope.autofocus()
            except (BudgetError, UnreachableError):
                raise
            except InstrumentError as error:
                log.info("no focus for a second look at field %d: %s", field, error)
            self.journal.focus(microscope.position(), result, microscope.state(), again=True)
        frame = microscope.acquire_image(self.settings.reference)
        return frame, self.journal.frame(frame, "field", field, microscope.state())

    def _set_focus(self) -> None:
        microscope, position = self.microscope, self.microscope.position()
        if self.focus.due(microscope.clock.now_s()) and self._focused(position):
            return
        wanted = self.focus.working_distance_mm(position.x_um, position.y_um)
        beam = microscope.beam()
        if wanted is not None and wanted != beam.working_distance_mm:
            microscope.set_beam(replace(beam, working_distance_mm=wanted))

    def _focused(self, position: StagePosition) -> bool:
        """Runs the autofocus; a place without contrast is reported, and the focus stays as it was."""
        microscope = self.microscope
        result: FocusResult | None = None
        try:
            result = microscope.autofocus()
        except (BudgetError, UnreachableError):
            raise
        except InstrumentError as error:
            if self.settings.recovery.autofocus.on_failure != "keep":
                raise FocusError(str(error)) from error
            place = f"at ({position.x_um:g}, {position.y_um:g}) um"
            self.journal.warn(f"{place}: {error}; the focus stays as it was")
        clock_s = microscope.clock.now_s()
        if result is None:
            self.focus.failed(clock_s)
        else:
            self.focus.focused(position.x_um, position.y_um, result.working_distance_mm, clock_s)
        self.journal.focus(position, result, microscope.state())
        return result is not None


class InstrumentSource:
    """A :class:`autoscope.survey.FieldSource` on a real or simulated microscope.

    Args:
        imaging: moves, focuses and takes frames.
        grid: where the fields are.
        measurer: turns frames into values.
        control: the operator's wishes.
        before_acquire: called when the travelling time has been used and the next frame is about to be
            taken; the runner writes the running estimate there.
        collector: reads frames at once and takes spectra before the stage leaves; None: no EDS.
    """

    def __init__(
        self,
        imaging: Imaging,
        grid: FieldGrid,
        measurer: Measurer,
        control: SessionControl,
        before_acquire: Callable[[], None],
        collector: SpectrumCollector | None = None,
    ) -> None:
        self._imaging, self._grid, self._measurer = imaging, grid, measurer
        self._control, self._before_acquire = control, before_acquire
        self._looks = SecondLook(imaging, measurer, imaging.settings.unfamiliar)
        self._collector = collector
        self._in_flight: InFlight | None = None
        self._next: Decision | None = None
        self._underway = False
        self._read: FieldRead | None = None
        self._unreachable = ""
        self._failure: InstrumentError | None = None
        self._failed_in_a_row = 0

    @property
    def in_flight(self) -> InFlight | None:
        """The frame that was taken and not yet measured."""
        return self._in_flight

    def take_read(self) -> FieldRead | None:
        """The frame that was measured last with all that was read from it, once; None where there is none."""
        read, self._read = self._read, None
        return read

    def take_up(self, in_flight: InFlight, known: Mapping[int, KnownSpectrum] | None = None) -> None:
        """Goes on with a frame that an interrupted session had stored and not measured.

        Args:
            in_flight: the frame.
            known: feature to the spectrum that was stored of it.
        """
        self._in_flight = self._with_spectra(in_flight, known or {})

    def end(self) -> None:
        """The session ends: no field is looked at twice any more."""
        self._looks.end()

    def head_for(self, decision: Decision) -> None:
        """Where the stage goes when the frame in flight is settled."""
        self._next, self._underway = decision, False

    def travel(self, decision: Decision) -> None:
        """Writes the decision down and sends the stage to its field."""
        self._imaging.journal.decision(decision, self._grid)
        self.go(decision)

    def go(self, decision: Decision) -> None:
        """Sends the stage to a field whose decision is written down already."""
        self._unreachable, self._failure = "", None
        self._next, self._underway = decision, True
        try:
            self._imaging.begin_travel(self._place(decision))
        except (KeepOutError, LimitError) as error:
            self._unreachable = str(error)
        except BudgetError:
            raise
        except InstrumentError as error:
            self._failure = error  # taken up when the frame is due

    def _place(self, decision: Decision) -> StagePosition:
        x, y = float(self._grid.x_um[decision.field]), float(self._grid.y_um[decision.field])
        here = self._imaging.microscope.position()
        return StagePosition(x, y, here.z_um, here.tilt_deg)

    def acquire(self, decision: Decision) -> None:
        """Takes the field's frame, again where it fails and as often as the policy allows."""
        self._before_acquire()
        self._next = None
        if self._unreachable:
            self._in_flight = InFlight(decision, None, None, self._unreachable)
            return
        try:
            taken = self._imaging.recovery.attempt(
                f"field {decision.field}", lambda: self._visit(decision), lambda: self._visit_again(decision)
            )
            self._in_flight = self._with_spectra(taken, {})
            self._failed_in_a_row = 0
        except REFUSALS:
            raise
        except InstrumentError as error:
            self._in_flight = self._given_up(decision, error)

    def _with_spectra(self, taken: InFlight, known: Mapping[int, KnownSpectrum]) -> InFlight:
        """Looks at a frame at once, again where it must, and takes the spectra while the stage is there."""
        collector, decision = self._collector, taken.decision
        if collector is None or taken.frame is None or taken.index is None:
            return taken
        if not known and taken.again is None:
            collector.wait()
        settled = self._looks.settle(
            decision, taken.frame, taken.index, taken.again, lambda: self._place(decision)
        )
        looks = max(1, len(settled.documents))
        if looks > 1 and not known:
            collector.wait()
        if settled.worst_case:
            return replace(taken, settled=settled)
        spectra = collector.collect(decision, settled.best, looks, known)
        return replace(taken, settled=settled, spectra=spectra)

    def _visit(self, decision: Decision) -> InFlight:
        if self._failure is not None:
            raise self._failure
        self._imaging.arrive()
        if self._control.take_skip():
            return InFlight(decision, None, None, "skipped by the operator")
        if decision.refocus:
            self._imaging.focus.lost()
        reference = self._imaging.settings.reference
        frame, index = self._imaging.take(reference, purpose="field", field=decision.field)
        return InFlight(decision, frame, index, clock_s=self._imaging.microscope.clock.now_s())

    def _visit_again(self, decision: Decision) -> InFlight:
        self._failure = None
        self._imaging.go_back(self._place(decision))
        return self._visit(decision)

    def _given_up(self, decision: Decision, error: InstrumentError) -> InFlight:
        """Leaves a field out that failed for good, where the policy says so; its value is unknown."""
        self._failed_in_a_row += 1
        unreachable = isinstance(error, UnreachableError)
        if self._imaging.settings.recovery.of(error).on_failure == "stop" or unreachable:
            raise error
        if self._failed_in_a_row >= SKIPS_IN_A_ROW:
            self._imaging.journal.warn(f"{SKIPS_IN_A_ROW} fields in a row failed")
            raise error
        self._imaging.journal.warn(f"field {decision.field}: {error}; it is skipped")
        return InFlight(decision, None, None, str(error))

    def collect(self, decision: Decision) -> Outcome:
        """Measures the frame that was taken for a decision, and writes the values down."""
        taken = self._in_flight
        if taken is None or taken.decision.step != decision.step:
            raise InstrumentError(f"no frame was taken for step {decision.step}")
        if taken.settled is not None and self._collector is not None:
            outcome = self._close_spectra(taken, taken.settled, self._collector)
        elif taken.frame is None or taken.index is None:
            outcome = Outcome(None, taken.note)
            self._imaging.journal.observation(decision, outcome)
        else:
            outcome = self._measured(taken, taken.frame, taken.index)
        self._in_flight = None
        if self._next is not None and not self._underway:
            self.go(self._next)
        return outcome

    def _close_spectra(self, taken: InFlight, settled: Settled, collector: SpectrumCollector) -> Outcome:
        """Writes down the values of a field on which spectra were drawn, and learns from it."""
        decision, journal, looks = taken.decision, self._imaging.journal, settled.documents
        note = taken.note or settled.note
        if taken.frame is not None:
            self._imaging.focus.saw(sharpness(taken.frame.pixels))
        journal.labels(settled.best.index, settled.best.measurement.labels)
        if taken.spectra is None:
            outcome = self._with_conditions(Outcome(None, note), taken)
            journal.observation(decision, outcome, looks=looks)
            return outcome
        outcome, candidates = collector.close(decision, taken.spectra, note)
        outcome = self._with_conditions(outcome, taken)
        area_um2 = taken.spectra.sight.field.area_um2
        journal.observation(decision, outcome, looks=looks, candidates=candidates, area_um2=area_um2)
        return outcome

    def _with_conditions(self, outcome: Outcome, taken: InFlight) -> Outcome:
        """The outcome with how its frame was taken."""
        focus = self._imaging.focus
        age_s = None if taken.clock_s is None else round(focus.age_s(taken.clock_s), CLOCK_DECIMALS)
        return replace(outcome, sharpness=focus.relative, focus_age_s=age_s)

    def _measured(self, taken: InFlight, frame: Frame, index: int) -> Outcome:
        """Settles a field that has a frame."""
        decision, journal = taken.decision, self._imaging.journal
        self._imaging.focus.saw(sharpness(frame.pixels))
        settled = self._looks.settle(decision, frame, index, taken.again, lambda: self._place(decision))
        self._underway = self._underway and not settled.went_back
        measurement = settled.best.measurement
        journal.labels(settled.best.index, measurement.labels)
        if not settled.worst_case:
            self._read = FieldRead(decision.step, decision.field, settled.best.frame, measurement)
        for note in measurement.notes:
            journal.warn_once(note)
        value = None if settled.worst_case else measurement.value
        outcome = self._with_conditions(Outcome(value, taken.note or settled.note), taken)
        inclusions = () if settled.worst_case else measurement.inclusions
        journal.observation(decision, outcome, inclusions, settled.documents)
        return outcome
