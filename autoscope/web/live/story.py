"""A session put together from its documents as they come: each is looked at once."""

from __future__ import annotations

from collections import deque
from functools import singledispatchmethod

from autoscope.records import (
    CommandDocument,
    DecisionDocument,
    Document,
    EstimateDocument,
    FinishedDocument,
    FocusDocument,
    FrameDocument,
    LabelAnswerDocument,
    LabelChoiceDocument,
    ModelAdoptedDocument,
    ModelRefusedDocument,
    ObservationDocument,
    QuantityResult,
    ResumedDocument,
    SpentRecord,
    StartedDocument,
    StateDocument,
    WarningDocument,
    adoption_warning,
    scores,
)
from autoscope.web.live.schemas import DecisionRecord, EstimateRecord, EventRecord, VisitRecord

DECISIONS, EVENTS = 30, 80


class Story:
    """What has happened in a session so far; `tell` it every document in order."""

    def __init__(self) -> None:
        self.started: StartedDocument | None = None
        self.finished: FinishedDocument | None = None
        self.state = "idle"
        self.overview: list[FrameDocument] = []
        self.frame: FrameDocument | None = None
        self.quantities: tuple[QuantityResult, ...] = ()
        self.visits: list[VisitRecord] = []
        self.estimates: list[EstimateRecord] = []
        self.decisions: deque[DecisionRecord] = deque(maxlen=DECISIONS)
        self.events: deque[EventRecord] = deque(maxlen=EVENTS)
        self.spent = SpentRecord()
        self.clock_s = 0.0
        self.measuring_since: tuple[float, int] | None = None
        self.taken_up: set[str] = set()
        self.asked: set[int] = set()
        self.answered: set[int] = set()
        self.begun = ""
        self.last_seq, self.updated = -1, ""
        self._open: dict[int, DecisionDocument] = {}
        self._frames: dict[int, int] = {}
        self._values: dict[int, list[float | None]] = {}

    @property
    def step(self) -> int:
        """The last step whose estimate is known."""
        return self.estimates[-1].step if self.estimates else 0

    @property
    def seconds_per_field(self) -> float | None:
        """Beam time of one field since measuring began, or was taken up again."""
        if self.measuring_since is None:
            return None
        since_s, before = self.measuring_since
        fields = len(self.visits) - before
        return (self.clock_s - since_s) / fields if fields > 0 else None

    def tell(self, document: Document) -> None:
        """Takes in the next document."""
        self.last_seq, self.updated = document.seq, document.time
        self._take(document)

    @singledispatchmethod
    def _take(self, document: object) -> None:
        """Documents that the page does not show."""

    @_take.register
    def _(self, document: StartedDocument) -> None:
        self.started, self.begun = document, document.time
        self._say(document, f"session started on {document.microscope.name}")

    @_take.register
    def _(self, document: ResumedDocument) -> None:
        self.finished, self.begun, self.measuring_since = None, document.time, None
        self._say(document, "session taken up again")

    @_take.register
    def _(self, document: StateDocument) -> None:
        self.state = document.state
        if document.state == "measuring" and self.measuring_since is None:
            self.measuring_since = (self.clock_s, len(self.visits))
        self._say(document, document.state)

    @_take.register
    def _(self, document: FrameDocument) -> None:
        self.frame = document
        self.spent, self.clock_s = document.driver.spent, document.driver.clock_s
        if document.purpose == "overview":
            self.overview.append(document)
        elif document.field is not None:
            self._frames[document.field] = document.frame

    @_take.register
    def _(self, document: FocusDocument) -> None:
        if document.driver is not None:
            self.spent, self.clock_s = document.driver.spent, document.driver.clock_s
        found = f"at {document.working_distance_mm:.3f} mm" if document.sharpness is not None else "not found"
        self._say(document, f"focus {found}")

    @_take.register
    def _(self, document: DecisionDocument) -> None:
        self._open[document.step] = document
        shown = document.model_dump(include=set(DecisionRecord.model_fields))
        self.decisions.append(DecisionRecord.model_validate(shown))

    @_take.register
    def _(self, document: ObservationDocument) -> None:
        values = self._values.setdefault(document.step, [])
        values.append(document.value)
        if document.again:
            self._measured_again(document, values)
            return
        decision = self._open.get(document.step)
        if decision is None or self.started is None or len(values) < len(self.started.targets):
            return
        del self._open[document.step], self._values[document.step]
        self.visits.append(
            VisitRecord(
                seq=document.seq, step=document.step, field=document.field,
                x_um=decision.x_um, y_um=decision.y_um,
                frame=self._frames.get(document.field), values=tuple(values), note=document.note,
            )
        )  # fmt: skip
        if document.note:
            self._say(document, f"field {document.field}: {document.note}")

    def _measured_again(self, document: ObservationDocument, values: list[float | None]) -> None:
        """Another model was adopted: a field that is shown already has other values."""
        if self.started is None or len(values) < len(self.started.targets):
            return
        del self._values[document.step]
        for place, visit in enumerate(self.visits):
            if visit.step == document.step:
                new = {"seq": document.seq, "values": tuple(values)}
                self.visits[place] = visit.model_copy(update=new)

    @_take.register
    def _(self, document: ModelAdoptedDocument) -> None:
        self._say(document, adoption_warning(document))

    @_take.register
    def _(self, document: ModelRefusedDocument) -> None:
        self._say(document, f"a fine-tuned model is not used: {document.note} ({scores(document)})")

    @_take.register
    def _(self, document: EstimateDocument) -> None:
        self.quantities = document.quantities
        row = tuple(
            (q.estimate, q.ci_low, q.ci_high, q.extra.get("large_sample_half_width"))
            for q in document.quantities
        )
        fields = max(q.fields_measured for q in document.quantities) if document.quantities else 0
        self.estimates.append(
            EstimateRecord(seq=document.seq, step=document.step, fields=fields, quantities=row)
        )

    @_take.register
    def _(self, document: CommandDocument) -> None:
        self.taken_up.add(document.id)
        by = f" by {document.by}" if document.by else ""
        self._say(document, f"{document.command} asked for{by}")

    @_take.register
    def _(self, document: LabelChoiceDocument) -> None:
        if document.request is not None:
            self.asked.add(document.request)
            self._say(document, f"experts are asked about field {document.field}")

    @_take.register
    def _(self, document: LabelAnswerDocument) -> None:
        if document.values:
            self.answered.add(document.request)
        said = document.note or f"answered by {document.expert}"
        self._say(document, f"field {document.field}: {said}")

    @_take.register
    def _(self, document: WarningDocument) -> None:
        self._say(document, document.message)

    @_take.register
    def _(self, document: FinishedDocument) -> None:
        self.finished, self.quantities, self.spent = document, document.quantities, document.spent
        self._say(document, f"ended: {document.finish_reason.replace('_', ' ')}")

    def _say(self, document: Document, text: str) -> None:
        said = EventRecord(seq=document.seq, time=document.time, kind=document.type, text=text)
        self.events.append(said)
