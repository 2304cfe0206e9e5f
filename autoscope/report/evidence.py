"""What a report tells of: the documents of a session put together field by field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from autoscope.core import RecordError
from autoscope.records import (
    CENSUS,
    Census,
    DecisionDocument,
    Document,
    EstimateDocument,
    FinishedDocument,
    FrameDocument,
    ObservationDocument,
    QuantityResult,
    ResumedDocument,
    SessionResult,
    SessionView,
    StartedDocument,
    TargetRecord,
    build_result,
    counted_frames,
    finished_document,
    started_document,
)


@dataclass(frozen=True, slots=True)
class Visit:
    """One field that was measured, or drawn and lost.

    Attributes:
        decision: why it was visited, and with which propensity.
        frame: index of its frame in the session, None where there is none.
        observations: one for each target.
        influence: one for each target, a |y - f| / q in the quantity's unit: how far this one field moved
            its pseudo-value (METHODS, equation 1). Where the answer t is nearer, a |y - t| / q: a prediction
            that is the same for all fields, such as the first one, cancels out of the pseudo-value. 0 for a
            lost field.
    """

    decision: DecisionDocument
    frame: int | None
    observations: tuple[ObservationDocument, ...]
    influence: tuple[float, ...]

    @property
    def weight(self) -> float:
        """One over the propensity."""
        return 1.0 / self.decision.propensity


@dataclass(frozen=True, slots=True)
class Progress:
    """How one quantity became known: arrays of ``steps``, NaN where there was no interval.

    ``half`` is the half-width of the large-sample interval where that is not the one that counts yet, because
    there are too few fields for it; NaN elsewhere.
    """

    fields: NDArray[np.float64]
    estimate: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    half: NDArray[np.float64]

    @property
    def indicative(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Both ends of the large-sample interval while it is only indicative, of the interval afterwards."""
        early = np.isfinite(self.half)
        return (
            np.where(early, self.estimate - self.half, self.low),
            np.where(early, self.estimate + self.half, self.high),
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """A session as the report tells it.

    Attributes:
        view: the session folder.
        started: its first document.
        finished: its last, None while it is unfinished.
        running: whether a process is still writing it.
        resumed: how often it was taken up again.
        result: its result, built from the documents.
        fields: the table of fields.
        visits: in the order in which they were decided.
        overview: the overview's frames.
        progress: one for each target.
        census: of a session with EDS, where it was written; None otherwise.
    """

    view: SessionView
    started: StartedDocument
    finished: FinishedDocument | None
    running: bool
    resumed: int
    result: SessionResult
    fields: Mapping[str, NDArray[Any]]
    visits: tuple[Visit, ...]
    overview: tuple[FrameDocument, ...]
    progress: tuple[Progress, ...]
    census: Census | None = None

    @property
    def targets(self) -> tuple[TargetRecord, ...]:
        """What was asked."""
        return self.started.targets

    def quantity(self, target: int) -> QuantityResult:
        """The result of a target."""
        return self.result.quantities[target]

    def effect(self, visit: Visit, target: int) -> float:
        """By how much, to first order, a field moved the estimate away from what was predicted of it.

        The estimate is a weighted mean of the pseudo-values, so it is the influence over their number; with
        propensity 1 nothing is sampled and every field counts with its own weight.
        """
        sampled = visit.decision.propensity < 1
        return visit.influence[target] / (len(self.visits) if sampled else 1)

    def most_influential(self, target: int, count: int) -> tuple[Visit, ...]:
        """The measured visits with a frame that moved a quantity most, the largest first."""
        imaged = [v for v in self.visits if v.frame is not None and v.observations[target].value is not None]
        return tuple(sorted(imaged, key=lambda v: v.influence[target], reverse=True)[:count])


def gather(view: SessionView) -> Evidence:
    """Puts a session's documents together.

    Raises:
        RecordError: the session is damaged or holds nothing to report.
    """
    documents = view.documents()
    started = started_document(documents)
    result = build_result(documents)
    asked = [(t.quantity, t.class_name) for t in started.targets]
    answered = [(q.quantity, q.class_name) for q in result.quantities]
    if asked != answered:
        raise RecordError(f"the session in {view.folder} asked for {asked} but answers {answered}")
    fields = view.fields
    return Evidence(
        view=view,
        started=started,
        finished=finished_document(documents),
        running=view.running,
        resumed=sum(isinstance(d, ResumedDocument) for d in documents),
        result=result,
        fields=fields,
        visits=_visits(documents, started.targets, [q.estimate for q in result.quantities], fields["weight"]),
        overview=tuple(d for d in documents if isinstance(d, FrameDocument) and d.purpose == "overview"),
        progress=tuple(_progress(documents, k) for k in range(len(started.targets))),
        census=_census(view),
    )


def _census(view: SessionView) -> Census | None:
    """The census beside the records.

    Raises:
        RecordError: it is damaged.
    """
    path = view.folder / CENSUS
    if not path.exists():
        return None
    try:
        return Census.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        raise RecordError(
            f"{path} cannot be read ({error}): delete it; autoscope report makes it anew"
        ) from error


def _visits(
    documents: Sequence[Document],
    targets: Sequence[TargetRecord],
    answers: Sequence[float | None],
    weight: NDArray[Any],
) -> tuple[Visit, ...]:
    frames = counted_frames(documents)
    observed = {
        (d.step, d.quantity, d.class_name): d for d in documents if isinstance(d, ObservationDocument)
    }
    decisions = {d.step: d for d in documents if isinstance(d, DecisionDocument)}
    visits = []
    for step, decision in sorted(decisions.items()):
        seen = [observed.get((step, t.quantity, t.class_name)) for t in targets]
        present = tuple(observation for observation in seen if observation is not None)
        if len(present) < len(targets):
            continue  # in flight when the session was interrupted
        influence = tuple(
            _influence(o, decision, float(weight[decision.field]), answer)
            for o, answer in zip(present, answers, strict=True)
        )
        visits.append(Visit(decision, frames.get(decision.field), present, influence))
    return tuple(visits)


def _influence(
    observation: ObservationDocument, decision: DecisionDocument, weight: float, answer: float | None
) -> float:
    if observation.value is None:
        return 0.0
    departure = abs(observation.value - (observation.predicted or 0.0))
    if answer is not None:
        departure = min(departure, abs(observation.value - answer))
    return weight * departure / decision.propensity


def _progress(documents: Sequence[Document], target: int) -> Progress:
    running = [d.quantities[target] for d in documents if isinstance(d, EstimateDocument)]
    rows = [
        (q.fields_measured, q.estimate, q.ci_low, q.ci_high, q.extra.get("large_sample_half_width"))
        for q in running
    ]
    table = np.array(rows, dtype=object).reshape(-1, 5).astype(np.float64)  # None becomes NaN
    return Progress(*table.T)
