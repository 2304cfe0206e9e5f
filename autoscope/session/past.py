"""What an interrupted session had done, and how to go on from there with the same draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isclose

import numpy as np

from autoscope.core import Frame, RecordError, Rectangle
from autoscope.microscope import Microscope
from autoscope.records import (
    CandidatesDocument,
    DecisionDocument,
    Document,
    EstimateDocument,
    FocusDocument,
    FrameDocument,
    LabelChoiceDocument,
    ModelAdoptedDocument,
    ModelRefusedDocument,
    ObservationDocument,
    SessionView,
    SpectrumDocument,
    WarningDocument,
    adopted_model,
)
from autoscope.session.instrument import InFlight, InstrumentSource
from autoscope.session.journal import driver_state
from autoscope.session.labelling import Labelling
from autoscope.session.learning import Learning
from autoscope.session.second_look import Again
from autoscope.session.spectra import KnownSpectrum
from autoscope.session.spectroscopy import Spectroscopy
from autoscope.survey import Decision, Outcome, Survey
from autoscope.survey.focus import FocusKeeper, sharpness


@dataclass(frozen=True, slots=True)
class Past:
    """An interrupted session's documents and frames.

    Attributes:
        documents: all of them, in order.
        view: reads its frames.
    """

    documents: tuple[Document, ...]
    view: SessionView

    @property
    def warnings(self) -> frozenset[str]:
        """What was warned of already."""
        return frozenset(d.message for d in self.documents if isinstance(d, WarningDocument))

    @property
    def estimated(self) -> int:
        """Fields that the last running result counts."""
        return max((d.step for d in self.documents if isinstance(d, EstimateDocument)), default=0)

    def overview_frames(self) -> list[Frame]:
        """The overview's frames, in order."""
        return [self.view.frame(d.frame) for d in self._frames() if d.purpose == "overview"]

    def restore(self, microscope: Microscope) -> None:
        """Gives the microscope its account back, and its place and clock where it can take them."""
        states = [
            d.driver
            for d in self.documents
            if isinstance(d, (FrameDocument, FocusDocument, SpectrumDocument)) and d.driver is not None
        ]
        if states:
            microscope.restore(driver_state(states[-1]), self._exposures())

    def restore_focus(self, focus: FocusKeeper) -> None:
        """Repeats what the focus keeper had learnt, in its order."""
        frames = {d.field: d.frame for d in reversed(self._frames()) if d.purpose == "field"}
        measured: set[int] = set()
        for document in self.documents:
            if isinstance(document, FocusDocument) and document.driver is not None:
                if document.again:  # for one field's second look alone
                    continue
                if document.sharpness is None:
                    focus.failed(document.driver.clock_s)
                    continue
                focus.focused(
                    document.x_um, document.y_um, document.working_distance_mm, document.driver.clock_s
                )
            elif isinstance(document, ObservationDocument) and document.field not in measured:
                measured.add(document.field)
                if document.field in frames:
                    focus.saw(sharpness(self.view.frame(frames[document.field]).pixels))

    def replay(
        self, survey: Survey, labelling: Labelling | None = None, learning: Learning | None = None
    ) -> tuple[Decision, ...]:
        """Makes every recorded decision and observation again, and what experts were asked and said.

        Where another model was adopted, the fields before it come out as that model measured them.

        Returns:
            The decisions that have no observation yet: none, one or two.

        Raises:
            RecordError: the survey decides otherwise than the records say; the session was made with
                another version or its files were changed.
        """
        pending: list[Decision] = []
        values: list[ObservationDocument] = []
        for document in self.documents:
            if isinstance(document, DecisionDocument):
                pending.append(_decide_again(survey, document))
            elif isinstance(document, ObservationDocument):
                if document.again:  # belongs to an adoption
                    continue
                values.append(document)
                if len(values) == len(survey.targets):
                    survey.observe(pending.pop(0), _outcome(values))
                    values = []
            elif learning is not None and isinstance(document, ModelAdoptedDocument):
                learning.repeat(document, self._again(document))
            elif learning is not None and isinstance(document, ModelRefusedDocument):
                learning.repeat_refusal(document)
            elif labelling is not None:
                labelling.replay(document)
        return tuple(pending)

    def _again(self, adopted: ModelAdoptedDocument) -> list[ObservationDocument]:
        """The observations that were written together with an adoption."""
        batch = self.documents[adopted.seq + 1 : adopted.seq + 1 + adopted.following]
        return [d for d in batch if isinstance(d, ObservationDocument)]

    @property
    def unfinished_adoption(self) -> ModelAdoptedDocument | None:
        """An adoption that was written down and whose class maps perhaps were not; None where all is done."""
        adopted = adopted_model(self.documents)
        if adopted is None:
            return None
        later = self.documents[adopted.seq + 1 :]
        return None if any(isinstance(d, EstimateDocument) for d in later) else adopted

    def not_considered(self) -> tuple[tuple[int, int, Frame], ...]:
        """Step, field and frame of the fields that were measured after the last coin for the experts."""
        tossed = max((d.step for d in self.documents if isinstance(d, LabelChoiceDocument)), default=0)
        frames = {d.field: d.frame for d in self._frames() if d.purpose == "field"}
        left = {
            d.step: d.field
            for d in self.documents
            if isinstance(d, ObservationDocument) and d.step > tossed and d.value is not None
        }
        return tuple((step, field, self.view.frame(frames[field])) for step, field in sorted(left.items()))

    def take_up_frame(self, decision: Decision, source: InstrumentSource) -> bool:
        """Hands the stored frame of a decision that was not measured yet back; False where there is none.

        Spectra that were still to be taken on its field are taken.
        """
        taken = self._taken(decision)
        if not taken:
            return False
        frame, again = self.view.frame(taken[0].frame), None
        if self.looked_again(decision):
            second = taken[1] if len(taken) > 1 else None
            again = Again(None, None)
            if second is not None:
                again = Again(self.view.frame(second.frame), second.frame)
        clock_s = None if taken[0].driver is None else taken[0].driver.clock_s
        in_flight = InFlight(decision, frame, taken[0].frame, again=again, clock_s=clock_s)
        source.take_up(in_flight, self._spectra(decision))
        return True

    def looked_again(self, decision: Decision) -> bool:
        """Whether a second look at a decision's field had begun: it was focused, or taken again."""
        taken = self._taken(decision)
        if not taken:
            return False
        focused = (d.seq for d in self.documents if isinstance(d, FocusDocument) and d.again)
        return len(taken) > 1 or any(seq > taken[0].seq for seq in focused)

    def _taken(self, decision: Decision) -> list[FrameDocument]:
        """The frames of a decision's field, in order."""
        return [d for d in self._frames() if d.purpose == "field" and d.field == decision.field]

    def teach(self, spectroscopy: Spectroscopy) -> None:
        """Repeats what the spectroscopy had learnt, in its order."""
        values: dict[int, list[ObservationDocument]] = {}
        decisions = {d.step: d for d in self.documents if isinstance(d, DecisionDocument)}
        for document in self.documents:
            if isinstance(document, ObservationDocument):
                values.setdefault(document.step, []).append(document)
            elif isinstance(document, CandidatesDocument):
                outcome = _outcome(values[document.step])
                if outcome.value is not None and outcome.variance is not None:
                    decided = decisions[document.step]
                    predicted = np.array(decided.predicted, float)
                    spectroscopy.learn(decided, predicted, document.area_um2, document.candidates)

    def _spectra(self, decision: Decision) -> dict[int, KnownSpectrum]:
        return {
            d.feature: KnownSpectrum(
                self.view.spectrum(d.spectrum), d.live_s, d.took_s, d.ev_per_channel, d.offset_ev
            )
            for d in self.documents
            if isinstance(d, SpectrumDocument) and d.step == decision.step
        }

    def _frames(self) -> Sequence[FrameDocument]:
        return [d for d in self.documents if isinstance(d, FrameDocument)]

    def _exposures(self) -> list[tuple[Rectangle, float]]:
        exposures = []
        for document in self._frames():
            frame = self.view.frame(document.frame)
            half_x, half_y = frame.imaging.hfw_um / 2, frame.imaging.vfw_um / 2
            x, y = frame.position.x_um, frame.position.y_um
            exposures.append(
                (Rectangle(x - half_x, y - half_y, x + half_x, y + half_y), frame.dose_e_per_nm2)
            )
        return exposures


def _decide_again(survey: Survey, document: DecisionDocument) -> Decision:
    decision = survey.decide()
    same = decision is not None and decision.field == document.field
    if decision is None or not same or not isclose(decision.propensity, document.propensity, rel_tol=1e-6):
        again = "nothing" if decision is None else f"field {decision.field} (p = {decision.propensity:.6g})"
        raise RecordError(
            f"step {document.step} was field {document.field} (p = {document.propensity:.6g}) and comes out"
            f" as {again}: the session was made by another version, or its files were changed;"
            " it cannot go on"
        )
    return decision


def _outcome(values: Sequence[ObservationDocument]) -> Outcome:
    numbers = [document.value for document in values]
    first = values[0]
    value = None if any(number is None for number in numbers) else np.array(numbers, float)
    variances = [document.variance for document in values]
    known = None if value is None or any(v is None for v in variances) else np.array(variances, float)
    return Outcome(value, first.note, known, first.extra_s, first.sharpness, first.focus_age_s)
