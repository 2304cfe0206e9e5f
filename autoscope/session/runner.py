"""The runner: a state machine around the survey that always ends with a result and a safe instrument."""

from __future__ import annotations

import time
from contextlib import suppress

from autoscope.core import AutoscopeError, BudgetError, Frame, InstrumentError
from autoscope.records import FinishReason
from autoscope.session.control import SessionControl
from autoscope.session.instrument import Imaging, InFlight, InstrumentSource
from autoscope.session.journal import Journal
from autoscope.session.learning import Learning
from autoscope.session.measurer import Measurer
from autoscope.session.overview import overview_tiles
from autoscope.session.parts import Prepared, SessionParts
from autoscope.session.past import Past
from autoscope.session.progress import Listener, Progress, time_left
from autoscope.session.remeasuring import CurrentMeasurer
from autoscope.session.spectra import SpectrumCollector
from autoscope.survey import Decision, QuantityState, Survey, step


class SessionRunner:
    """Runs one session from overview to result.

    States: idle, overview, measuring, paused, stopping, done, failed. Whatever happens, the beam is
    blanked and the stage stopped before :meth:`run` returns or raises.

    Args:
        parts: what the session is made of.
        journal: its records.
        control: the operator's wishes.
        listener: told of every step.
        past: what an interrupted session had done, to go on with it.
    """

    def __init__(
        self,
        parts: SessionParts,
        journal: Journal,
        control: SessionControl | None = None,
        listener: Listener | None = None,
        past: Past | None = None,
    ) -> None:
        self._parts, self._journal, self._past = parts, journal, past
        self._control = control or SessionControl()
        self._listener = listener
        self._imaging = Imaging(parts.microscope, parts.settings, journal, self._control)
        self._state = "idle"
        self._survey: Survey | None = None
        self._source: InstrumentSource | None = None
        self._learning: Learning | None = None
        self._pending: Decision | None = None
        self._overview_done = self._overview_all = 0
        self._measuring_since: tuple[float, int] | None = None
        self._wall_start = time.monotonic()

    @property
    def control(self) -> SessionControl:
        """Pause, resume, skip and stop."""
        return self._control

    def run(self) -> FinishReason:
        """Runs to the end.

        Returns:
            Why the session ended; never ``"failed"``.

        Raises:
            AutoscopeError: what made the session fail, after the records say so.
        """
        reason: FinishReason = "failed"
        try:
            reason = self._guarded()
        except AutoscopeError as error:
            with suppress(AutoscopeError):
                self._journal.warn(f"the session failed: {error}")
            raise
        finally:
            self._make_safe()
            self._finish(reason)
        return reason

    def _guarded(self) -> FinishReason:
        """Runs, and turns what an instrument can do to a session into its finish reason."""
        try:
            frames = [] if self._past is None else self._take_up(self._past)
            self._take_overview(frames)
            if self._control.stop_requested:
                return "stopped_by_operator"
            survey, source = self._prepare(frames)
            return self._measure(survey, source)
        except BudgetError as error:
            self._settle()
            self._journal.warn(str(error))
            return "budget_spent"
        except InstrumentError as error:
            self._settle()
            self._journal.warn(f"instrument fault: {error}")
            return "instrument_fault"

    def _make_safe(self) -> None:
        """Blanks the beam and stops the stage; where the instrument does not obey, the records say so."""
        try:
            self._parts.microscope.make_safe()
        except InstrumentError as error:
            with suppress(AutoscopeError):
                self._journal.warn(f"the instrument could not be made safe, look after it: {error}")

    # -- overview -------------------------------------------------------------------------------

    def _prepare(self, frames: list[Frame]) -> tuple[Survey, InstrumentSource]:
        """Freezes the model, makes the survey, and takes up what was measured before."""
        parts, past = self._parts, self._past
        prepared = parts.prepare(frames)
        self._survey, measurer = prepared.survey, CurrentMeasurer(prepared.measurer)
        self._learning = self._learning_of(prepared, measurer)
        collector = None
        if prepared.spectroscopy is not None:
            if past is not None:
                past.teach(prepared.spectroscopy)
            collector = SpectrumCollector(
                self._imaging.microscope, self._imaging.recovery, self._journal, prepared.spectroscopy,
                parts.settings.recovery.on_failure,
            )  # fmt: skip
        if parts.labelling is not None:
            self._survey.correct_with(parts.labelling.correction)
        self._source = InstrumentSource(
            self._imaging, parts.grid, measurer, self._control, self._log_estimate, collector
        )
        said = frozenset[str]() if past is None else past.warnings
        for note in (*parts.warnings, *prepared.notes):
            if note not in said:
                self._journal.warn(note)
        if past is not None:
            self._go_on(past, self._survey, self._source)
            self._ask_again(past, measurer)
        return self._survey, self._source

    def _learning_of(self, prepared: Prepared, measurer: CurrentMeasurer) -> Learning | None:
        learner, labelling = self._parts.learner, self._parts.labelling
        if learner is None or labelling is None or prepared.renewal is None:
            return None
        return Learning(learner, prepared.renewal, labelling, prepared.survey, measurer, self._journal)

    def _take_up(self, past: Past) -> list[Frame]:
        past.restore(self._parts.microscope)
        past.restore_focus(self._imaging.focus)
        self._journal.resumed_at(past.estimated)
        return past.overview_frames()

    def _take_overview(self, frames: list[Frame]) -> None:
        """Takes the overview frames that are still missing and appends them to ``frames``."""
        parts = self._parts
        tiles = overview_tiles(parts.grid, parts.settings.overview, parts.microscope.envelope)
        self._overview_all, self._overview_done = len(tiles), len(frames)
        if not frames:
            parts.microscope.set_beam(parts.settings.beam)
        if len(frames) < len(tiles):
            self._enter("overview")
        for tile in tiles[len(frames) :]:
            if self._stop_or_pause():
                return
            frames.append(self._imaging.visit_tile(tile, len(frames)))
            self._overview_done += 1
            self._tell()

    def _go_on(self, past: Past, survey: Survey, source: InstrumentSource) -> None:
        """Repeats the recorded decisions, then finishes the step in which the session was interrupted."""
        pending = past.replay(survey, self._parts.labelling, self._learning)
        if self._learning is not None and past.unfinished_adoption is not None:
            self._learning.finish_adoption(past.unfinished_adoption)
        self._log_estimate()
        if not pending:
            return
        first, last = pending[0], pending[-1]
        stored = past.take_up_frame(first, source)
        if len(pending) == 2:
            if not stored:
                source.take_up(InFlight(first, None, None, "skipped before the interruption"))
            if past.looked_again(first):
                source.head_for(last)
            else:
                source.go(last)
            survey.observe(first, source.collect(first))
            source.acquire(last)
        elif not stored:
            source.go(first)
            source.acquire(first)
        self._pending = last

    def _ask_again(self, past: Past, measurer: Measurer) -> None:
        """Tosses the coins for frames that were measured just before the interruption."""
        labelling = self._parts.labelling
        if labelling is not None and labelling.asking:
            for step_number, field, frame in past.not_considered():
                labelling.consider(step_number, field, frame, measurer.measure(frame, field))

    # -- measuring ------------------------------------------------------------------------------

    def _measure(self, survey: Survey, source: InstrumentSource) -> FinishReason:
        self._enter("measuring")
        self._measuring_since = (self._parts.microscope.clock.now_s(), survey.observed)
        while True:
            if self._stop_or_pause():
                self._settle()
                return "stopped_by_operator"
            self._imaging.recovery.require_healthy()
            self._pending = step(survey, source, self._pending)
            self._log_estimate()
            self._consult(survey, source)
            self._tell()
            if self._pending is None:
                self._wait_for_experts(survey)
                if survey.met or survey.exhausted:
                    return "exhausted" if survey.exhausted else "targets_reached"
            if self._no_more_answers(survey):
                return "budget_spent"

    def _no_more_answers(self, survey: Survey) -> bool:
        """Whether the experts' answers, outstanding ones waited for, leave an interval too wide for good."""
        labelling = self._parts.labelling
        if labelling is None or not labelling.spent(survey):
            return False
        self._settle()
        self._pending = None
        self._wait_for_experts(survey)
        if self._learning is not None and labelling.spent(survey):
            self._parts.microscope.make_safe()
            self._learning.finish()  # a better model may do what more fields cannot
        if not labelling.spent(survey):
            return False
        labelling.say_spent()
        return True

    def _consult(self, survey: Survey, source: InstrumentSource) -> None:
        """Asks experts about the frame that was measured, where the coin says so, and hears them."""
        labelling, read = self._parts.labelling, source.take_read()
        if labelling is None:
            return
        if read is not None:
            labelling.consider(read.step, read.field, read.frame, read.measurement)
        labelling.take_in(survey)
        self._learn()

    def _learn(self) -> None:
        """Lets the model learn from the answers, as far as that goes without waiting."""
        if self._learning is not None:
            self._learning.advance()

    def _wait_for_experts(self, survey: Survey) -> None:
        if self._parts.labelling is not None and self._parts.labelling.waiting:
            self._parts.microscope.make_safe()
            self._parts.labelling.wait(survey, self._control, self._learn)

    def _stop_or_pause(self) -> bool:
        self._acknowledge()
        if self._control.paused and not self._control.stop_requested:
            self._hold()
        if self._control.stop_requested:
            self._enter("stopping")
            return True
        return False

    def _hold(self) -> None:
        self._parts.microscope.make_safe()
        before = self._state
        self._enter("paused")
        self._tell()
        self._control.wait_while_paused()
        self._acknowledge()
        if not self._control.stop_requested:
            self._enter(before)

    def _acknowledge(self) -> None:
        for command in self._control.take_obeyed():
            self._journal.command(command)

    def _settle(self) -> None:
        """Measures the frame that is in flight, so that nothing that was exposed is lost."""
        survey, source = self._survey, self._source
        if survey is None or source is None or source.in_flight is None:
            return
        source.end()
        decision = source.in_flight.decision
        survey.observe(decision, source.collect(decision))
        self._log_estimate()
        self._consult(survey, source)

    def _log_estimate(self) -> None:
        if self._survey is not None:
            self._journal.estimate(self._survey)

    # -- telling and ending -----------------------------------------------------------------------

    def _enter(self, state: str) -> None:
        self._state = state
        self._journal.state(state)

    def _states(self) -> tuple[QuantityState, ...]:
        return () if self._survey is None else self._survey.states()

    def _tell(self) -> None:
        if self._listener is None:
            return
        microscope, states = self._parts.microscope, self._states()
        left = None
        if self._measuring_since is not None and self._survey is not None:
            since_s, before = self._measuring_since
            fields = self._survey.observed - before
            if fields > 0:
                rate = (microscope.clock.now_s() - since_s) / fields
                left = time_left(states, rate, len(self._parts.grid))
        spent, budget = microscope.spent, microscope.budget
        done, of = self._overview_done, self._overview_all
        self._listener(Progress(self._state, done, of, states, spent, budget, left))

    def _finish(self, reason: FinishReason) -> None:
        """Writes the last documents; a session that failed because its disk is full has none."""
        with suppress(*((AutoscopeError,) if reason == "failed" else ())):
            if self._learning is not None:
                self._learning.close()
            if self._parts.labelling is not None:
                self._parts.labelling.close()
            self._acknowledge()
            self._enter("failed" if reason == "failed" else "done")
            self._journal.finish(
                reason,
                self._states(),
                self._parts.microscope.spent,
                wall_time_s=time.monotonic() - self._wall_start,
            )
        self._tell()
