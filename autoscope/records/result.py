"""``result.json``: what a session found, built from its documents alone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import Field

from autoscope.core import RecordError
from autoscope.records.adoptions import adopted_model, adoption_warnings
from autoscope.records.documents import (
    CandidatesDocument,
    Document,
    EstimateDocument,
    FinishedDocument,
    FocusDocument,
    FrameDocument,
    InclusionsDocument,
    LabelAnswerDocument,
    LabelChoiceDocument,
    ResumedDocument,
    SpectrumDocument,
    StartedDocument,
    WarningDocument,
)
from autoscope.records.looks import look_warnings
from autoscope.records.models import (
    FinishReason,
    InclusionResult,
    KindRecord,
    LabelCounts,
    MicroscopeRecord,
    QuantityResult,
    Record,
    SampleRecord,
    SpentRecord,
    SpentResult,
    TargetRecord,
)

NEVER_FINISHED = (
    "The session never finished: it was interrupted, or still runs. The figures are those of its last whole"
    " step; autoscope run --resume goes on with it."
)

_D = TypeVar("_D", bound=Document)


class SessionResult(Record):
    """The result of a session; serialised by alias it is ``result.json``."""

    schema_: Literal["autoscope.result/1"] = Field(default="autoscope.result/1", alias="schema")
    autoscope_version: str
    finish_reason: FinishReason
    microscope: MicroscopeRecord
    sample: SampleRecord
    started: str
    finished: str
    specimen: str
    seed: int
    policy: KindRecord
    model: KindRecord
    spent: SpentResult
    quantities: tuple[QuantityResult, ...]
    inclusions: tuple[InclusionResult, ...] = ()
    labels: LabelCounts = LabelCounts()
    warnings: tuple[str, ...] = ()

    def to_json(self) -> str:
        """The text of ``result.json``."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"


def finished_document(documents: Sequence[Document]) -> FinishedDocument | None:
    """The document that ended the session, None if it never ended or was taken up again afterwards."""
    for document in reversed(documents):
        if isinstance(document, FinishedDocument):
            return document
        if isinstance(document, ResumedDocument):
            return None
    return None


def started_document(documents: Sequence[Document]) -> StartedDocument:
    """The document that began the session.

    Raises:
        RecordError: there is none.
    """
    first = next((d for d in documents if isinstance(d, StartedDocument)), None)
    if first is None:
        raise RecordError(
            "the session was interrupted before its first document, 'started': it holds nothing to report"
        )
    return first


def label_session(folder: Path, started: StartedDocument) -> str:
    """The name of a session in a label queue: its folder's, and when it began.

    A folder's name alone may come again; the answers of another session must never count for this one.
    """
    return f"{Path(folder).resolve().name}@{started.time}"


def build_result(documents: Sequence[Document]) -> SessionResult:
    """Builds the result from the documents of a session, whole or interrupted.

    A session that never finished has finish reason ``failed`` and a warning that says so.

    Args:
        documents: all documents in their order.

    Raises:
        RecordError: the session holds no ``started`` document.
    """
    started = started_document(documents)
    finished = finished_document(documents)
    warnings = [d.message for d in documents if isinstance(d, WarningDocument)]
    warnings.extend(look_warnings(documents))
    warnings.extend(adoption_warnings(documents))
    adopted = adopted_model(documents)
    if finished is None:
        reason: FinishReason = "failed"
        warnings.append(NEVER_FINISHED)
        quantities = _last_quantities(documents, started)
        spent, wall_time_s = _last_spent(documents), _wall_time_s(started.time, documents[-1].time)
    else:
        reason, quantities = finished.finish_reason, finished.quantities
        spent, wall_time_s = finished.spent, finished.wall_time_s
        warnings.extend(finished.warnings)
    return SessionResult(
        autoscope_version=started.autoscope_version,
        finish_reason=reason,
        microscope=started.microscope,
        sample=started.sample,
        started=started.time,
        finished=(finished or documents[-1]).time,
        specimen=started.specimen,
        seed=started.seed,
        policy=started.policy,
        model=started.model if adopted is None else adopted.model,
        spent=SpentResult(**{**spent.model_dump(), "wall_time_s": wall_time_s}),
        quantities=quantities,
        inclusions=_inclusions(documents),
        labels=_label_counts(documents),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _inclusions(documents: Sequence[Document]) -> tuple[InclusionResult, ...]:
    """All that were seen whole; with EDS by the spectrum's class, or the likeliest where there is none."""
    found: list[InclusionResult] = []
    latest = {d.step: d for d in documents if isinstance(d, InclusionsDocument)}
    for document in documents:
        if isinstance(document, InclusionsDocument):
            found += document.inclusions if latest[document.step] is document else ()
        elif isinstance(document, CandidatesDocument):
            whole = (c for c in document.candidates if c.weight > 0)
            found += [
                InclusionResult(**c.model_dump(include=set(InclusionResult.model_fields))) for c in whole
            ]
    return tuple(found)


def _label_counts(documents: Sequence[Document]) -> LabelCounts:
    """Frames that experts were asked about, and those of them that have an answer."""
    asked = {d.request for d in documents if isinstance(d, LabelChoiceDocument) and d.asked}
    answered = {d.request for d in documents if isinstance(d, LabelAnswerDocument) and d.values}
    return LabelCounts(requested=len(asked), answered=len(answered))


def _last(documents: Sequence[Document], kind: type[_D]) -> _D | None:
    return next((d for d in reversed(documents) if isinstance(d, kind)), None)


def _last_quantities(documents: Sequence[Document], started: StartedDocument) -> tuple[QuantityResult, ...]:
    estimate = _last(documents, EstimateDocument)
    if estimate is not None:
        return estimate.quantities
    return tuple(_nothing_known(target, started) for target in started.targets)


def _nothing_known(target: TargetRecord, started: StartedDocument) -> QuantityResult:
    return QuantityResult(
        quantity=target.quantity,
        class_name=target.class_name,
        confidence=target.confidence,
        fields_in_region=started.fields_in_region,
        tier=started.tier,
    )


def _last_spent(documents: Sequence[Document]) -> SpentRecord:
    for document in reversed(documents):
        if (
            isinstance(document, FrameDocument | FocusDocument | SpectrumDocument)
            and document.driver is not None
        ):
            return document.driver.spent
    return SpentRecord()


def _wall_time_s(first: str, last: str) -> float:
    return max(0.0, (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds())
