"""A session's model learns from the experts' answers, and takes over where it has become better.

Training runs beside the session, in a process of its own. A model that does better on the answers that were
held out measures every stored frame of the session again before it measures any new one: what is measured
never changes in the middle of a result. docs/decisions/0009 says what is estimated then, and why it may be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from autoscope.core import AutoscopeError, RecordError
from autoscope.records import (
    MODELS,
    InclusionsDocument,
    ModelAdoptedDocument,
    ModelRefusedDocument,
    ObservationDocument,
    open_session,
)
from autoscope.session.journal import Journal
from autoscope.session.labelling import Labelling, Lesson
from autoscope.session.measurer import Measurer
from autoscope.session.remeasuring import CurrentMeasurer, Remeasured, Remeasuring, values_of
from autoscope.survey import Lessons, Predictor, Survey

CANDIDATE = "candidate"
"""Name of a model's files before it is adopted."""
FEWEST = 2
"""Answers to learn from, and answers to judge by, that a training wants at least."""


@dataclass(frozen=True, slots=True)
class LearnSettings:
    """When a session's model learns.

    Attributes:
        after: answers before the first training, and again before each further one.
        held_out: chance of every answer to be held out, in (0, 1).
        model: file of the model that the session begins with.
        sha256: of that model.
    """

    after: int
    held_out: float
    model: Path
    sha256: str


@dataclass(frozen=True, slots=True)
class Task:
    """What a training is given.

    Attributes:
        start: the model to begin with.
        output: the file to write.
        learn: requests whose answers are learnt from.
        judge: requests whose answers are held out to judge by.
    """

    start: Path
    output: Path
    learn: tuple[int, ...]
    judge: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """A training that ended: the new model's hash, and both models' mean IoU on the answers held out."""

    sha256: str
    mean_iou: float
    mean_iou_before: float

    @property
    def better(self) -> bool:
        """Whether the new model is better."""
        return self.mean_iou > self.mean_iou_before


@dataclass(frozen=True, slots=True)
class Failed:
    """A training that came to nothing, and why."""

    reason: str


class Trainer(Protocol):
    """Trains beside the session; nothing of it waits."""

    def begin(self, task: Task) -> None:
        """Starts a training."""

    def outcome(self) -> Judged | Failed | None:
        """What came of it; None while it goes on."""

    def end(self) -> None:
        """Ends a training that goes on; nothing may be left of it."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """A model from its file, ready to measure.

    Attributes:
        sha256: of the model.
        plain: measures stored frames; how familiar those are was judged when they were taken.
        measurer: measures frames to come.
    """

    sha256: str
    plain: Measurer
    measurer: Measurer


@dataclass(frozen=True, slots=True)
class Renewal:
    """What a session needs to go on with another model.

    Attributes:
        measurer: from a model's file.
        predictor: one that has learnt nothing yet.
    """

    measurer: Callable[[Path], Renewed]
    predictor: Callable[[], Predictor]


@dataclass(frozen=True, slots=True)
class Learner:
    """The learning part of a session: when, and by whom."""

    settings: LearnSettings
    trainer: Trainer


@dataclass(frozen=True, slots=True)
class _Complete:
    """A better model with all that it measures on the stored frames."""

    document: ModelAdoptedDocument
    again: tuple[ObservationDocument | InclusionsDocument, ...]
    results: tuple[Remeasured, ...]
    renewed: Renewed


class Learning:
    """Goes from answers to a training, from a better model to stored frames measured again, to its adoption.

    Args:
        learner: when to learn, and who trains.
        renewal: makes measurers and predictors.
        labelling: holds the answers.
        survey: whose fields are measured again.
        current: the measurer that all parts of the session share.
        journal: the session's records.
    """

    def __init__(
        self,
        learner: Learner,
        renewal: Renewal,
        labelling: Labelling,
        survey: Survey,
        current: CurrentMeasurer,
        journal: Journal,
    ) -> None:
        self._settings, self._trainer = learner.settings, learner.trainer
        self._renewal, self._labelling, self._survey = renewal, labelling, survey
        self._current, self._journal = current, journal
        self._model, self._sha256 = learner.settings.model, learner.settings.sha256
        self._wanted = learner.settings.after
        self._lesson: Lesson | None = None
        self._judged: Judged | None = None
        self._renewed: Renewed | None = None
        self._remeasuring: Remeasuring | None = None
        self._over = False

    # -- between two steps ------------------------------------------------------------------------

    def advance(self) -> bool:
        """Goes as far as it can without waiting.

        Returns:
            Whether another model was adopted.
        """
        if self._over:
            return False
        try:
            complete = self._further()
        except (AutoscopeError, OSError) as error:
            self._fail(str(error))
            return False
        if complete is not None:
            self._adopt(complete)
        return complete is not None

    def finish(self) -> bool:
        """Measures what is left of the stored frames, where a better model waits for that, and adopts it.

        Returns:
            Whether a model was adopted.
        """
        if self._over or self._remeasuring is None:
            return False
        try:
            self._remeasuring.complete()
        except AutoscopeError as error:
            self._fail(str(error))
            return False
        return self.advance()

    def _further(self) -> _Complete | None:
        """One stage further; what is to be adopted where all stages are done."""
        if self._lesson is None:
            self._begin()
        elif self._remeasuring is None:
            self._hear(self._lesson)
        elif self._remeasuring.advance():
            return self._completed(self._lesson, self._remeasuring)
        return None

    def _begin(self) -> None:
        """Starts a training where there are enough answers for one, and for a correction after it."""
        lesson = self._labelling.lesson(self._settings.held_out)
        if lesson.answers < self._wanted or min(len(lesson.learn), len(lesson.judge)) < FEWEST:
            return
        if self._labelling.would_be_lost(lesson, self._survey):
            return
        self._folder.mkdir(exist_ok=True)
        self._clear()
        self._lesson, self._wanted = lesson, lesson.answers + self._settings.after
        learn, judge = (tuple(chosen.values()) for chosen in (lesson.learn, lesson.judge))
        self._trainer.begin(Task(self._model, self._output, learn, judge))

    @property
    def _folder(self) -> Path:
        return self._journal.writer.folder / MODELS

    @property
    def _output(self) -> Path:
        return self._folder / f"{CANDIDATE}.safetensors"

    def _clear(self) -> None:
        """Takes away what a training has left, a killed one too."""
        for path in self._folder.glob(f"*{CANDIDATE}*"):
            path.unlink(missing_ok=True)

    def _hear(self, lesson: Lesson) -> None:
        """Asks whether the training has ended; a better model begins to measure the stored frames."""
        outcome = self._trainer.outcome()
        if outcome is None:
            return
        if isinstance(outcome, Failed):
            self._fail(outcome.reason)
            return
        self._judged = outcome
        if not outcome.better:
            self._refuse(lesson, "it is not better on the answers that were held out")
            return
        self._renewed = self._renewal.measurer(self._output)
        self._remeasuring = Remeasuring(open_session(self._journal.writer.folder), self._renewed.plain)

    # -- the end of a training --------------------------------------------------------------------

    def _judgement(self, lesson: Lesson) -> dict[str, object]:
        judged = self._judged
        return {
            "answers": lesson.answers,
            "old_sha256": self._sha256,
            "new_sha256": "" if judged is None else judged.sha256,
            "learnt": tuple(visit + 1 for visit in lesson.learn),
            "held_out": len(lesson.judge),
            "held_out_chance": self._settings.held_out,
            "mean_iou": None if judged is None else judged.mean_iou,
            "mean_iou_before": None if judged is None else judged.mean_iou_before,
        }

    def _refuse(self, lesson: Lesson, note: str) -> None:
        document = ModelRefusedDocument.model_validate({**self._judgement(lesson), "note": note})
        self._journal.writer.append(document)
        self._drop()

    def _fail(self, reason: str) -> None:
        """A training that fails is no reason to end a session; nothing is trained any more."""
        self._journal.warn_once(f"the model does not learn from the answers: {reason}")
        if self._lesson is not None:
            self._refuse(self._lesson, reason)
        self._over = True

    def _drop(self) -> None:
        if self._remeasuring is not None:
            self._remeasuring.close()
        self._clear()
        self._lesson = self._judged = self._renewed = self._remeasuring = None

    def _completed(self, lesson: Lesson, remeasuring: Remeasuring) -> _Complete | None:
        """Puts the model's file in its place; all stored frames are measured again."""
        if self._judged is None or self._renewed is None:
            return None
        file = f"{MODELS}/{self._judged.sha256[:16]}.safetensors"
        self._output.replace(self._journal.writer.folder / file)
        again = remeasuring.documents()
        fields = len({d.step for d in again})
        document = ModelAdoptedDocument.model_validate(
            {**self._judgement(lesson), "file": file, "teachable": lesson.visits, "fields": fields}
        )
        return _Complete(document, again, remeasuring.results, self._renewed)

    def _adopt(self, complete: _Complete) -> None:
        """Writes an adoption down, and lets the new model take over."""
        self._journal.writer.append(complete.document, *complete.again)
        for result in complete.results:
            self._journal.labels(result.frame, result.labels)
        observations = [d for d in complete.again if isinstance(d, ObservationDocument)]
        self._take_over(complete.document, observations, complete.renewed)
        self._drop()
        self._say()

    def _say(self) -> None:
        self._journal.corrected(self._survey)
        self._labelling.tell(self._survey)

    def _take_over(
        self, document: ModelAdoptedDocument, observations: Sequence[ObservationDocument], renewed: Renewed
    ) -> None:
        values = values_of(observations, len(self._survey.targets))
        self._survey.remeasure(values, self._renewal.predictor())
        lessons = Lessons(document.teachable, document.held_out_chance)
        learnt = {step - 1 for step in document.learnt}
        self._labelling.adopted(values, learnt, lessons, document.new_sha256)
        self._current.exchange(renewed.measurer)
        self._model = self._journal.writer.folder / document.file
        self._sha256 = document.new_sha256
        self._wanted = document.answers + self._settings.after

    # -- a session that is taken up again -----------------------------------------------------------

    def repeat(self, document: ModelAdoptedDocument, observations: Sequence[ObservationDocument]) -> None:
        """Adopts what an interrupted session had adopted.

        Raises:
            RecordError: the model's file is another one.
            ModelError: it is gone, or damaged.
        """
        renewed = self._renewal.measurer(self._journal.writer.folder / document.file)
        if renewed.sha256 != document.new_sha256:
            raise RecordError(
                f"{document.file} is not the model that the session had adopted"
                f" ({document.new_sha256[:12]}): put it back; the session cannot go on without it"
            )
        self._take_over(document, observations, renewed)

    def finish_adoption(self, document: ModelAdoptedDocument) -> None:
        """Writes the class maps and the estimate of an adoption that a kill had cut short."""
        view = open_session(self._journal.writer.folder)
        measurer = self._renewal.measurer(view.folder / document.file).plain
        remeasuring = Remeasuring(view, measurer)
        remeasuring.complete()
        for result in remeasuring.results:
            self._journal.labels(result.frame, result.labels)
        remeasuring.close()
        self._say()

    def repeat_refusal(self, document: ModelRefusedDocument) -> None:
        """Notes that an interrupted session had tried."""
        self._wanted = document.answers + self._settings.after

    # -- the end ------------------------------------------------------------------------------------

    def close(self) -> None:
        """Ends what goes on."""
        if self._lesson is not None and not self._over:
            self._trainer.end()
            self._refuse(self._lesson, "the session ended first")
        self._over = True
