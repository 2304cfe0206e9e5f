"""The experts' part in a running session: frames go to the queue, answers come back between two steps."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame, LabelError, component_rng
from autoscope.estimation import MINIMUM_ANSWERS
from autoscope.labels import Answer, Chances, Effect, FrameStrategy, LabelQueue, NewRequest, uncertainty_map
from autoscope.labels import frame_score as score_of
from autoscope.records import Document, LabelAnswerDocument, LabelChoiceDocument
from autoscope.session.control import SessionControl
from autoscope.session.journal import Journal
from autoscope.session.measurer import MaskReader, Measurement
from autoscope.session.progress import wanted_half_width
from autoscope.survey import ExpertCorrection, Lessons, QuantityState, Survey, Target

SMALLEST_QUANTILE = 1.96
"""No interval at 95 % is narrower than so many standard errors."""
LOOK_EVERY_S = 1.0
"""Real seconds between two looks at the queue while the session waits for answers."""


@dataclass(frozen=True, slots=True)
class LabelSettings:
    """How a session asks experts.

    Attributes:
        max_requests: frames that are asked for at most.
        share: expected share of the measured frames that is asked for, in (0, 1].
        floor: share of that which does not look at how unsure the model is, in (0, 1].
        strategy: what makes a frame worth asking about.
        wait_s: real seconds to wait for outstanding answers when everything else is done.
        seed: of the coins.
    """

    max_requests: int
    share: float
    floor: float
    strategy: FrameStrategy
    wait_s: float
    seed: int


@dataclass(frozen=True, slots=True)
class Lesson:
    """Answers that a model may learn from, and answers that are held out: visit to request, each.

    Attributes:
        visits: only the first so many visits are looked at: before the first that still waits for an answer.
        learn: to learn from.
        judge: to judge by.
    """

    visits: int
    learn: Mapping[int, int]
    judge: Mapping[int, int]

    @property
    def answers(self) -> int:
        """How many answers there are."""
        return len(self.learn) + len(self.judge)


class Labelling:
    """Asks experts about a probability sample of the frames, and corrects the estimate by what they say.

    A queue that cannot be reached never ends a session: nothing more is asked or taken in, and the result
    says so.

    Args:
        queue: where requests go.
        settings: how to ask.
        reader: measures the experts' masks.
        targets: what is asked of the survey.
        model_sha256: of the model whose predictions the experts see.
        session: the session's name in the queue.
        journal: the session's records.
    """

    def __init__(
        self,
        queue: LabelQueue,
        settings: LabelSettings,
        reader: MaskReader,
        targets: Sequence[Target],
        model_sha256: str,
        session: str,
        journal: Journal,
    ) -> None:
        self._queue, self._settings, self._reader = queue, settings, reader
        self._model_sha256, self._session, self._journal = model_sha256, session, journal
        self.correction = ExpertCorrection(targets)
        self._targets = tuple(targets)
        self._chances = Chances(settings.share, settings.floor)
        self._requests: dict[int, tuple[int, int]] = {}  # request: step, field
        self._given_up: set[int] = set()
        self._taken: set[int] = set()  # answers
        self._asking = settings.max_requests > 0
        self._lost = False
        self._waited_s = 0.0

    @property
    def waiting(self) -> bool:
        """Whether answers are outstanding that are still worth waiting for."""
        in_time = self._waited_s < self._settings.wait_s
        return in_time and not self._lost and self.correction.pending > 0

    @property
    def asking(self) -> bool:
        """Whether further frames may be asked for."""
        return self._asking

    # -- asking -----------------------------------------------------------------------------------

    def consider(self, step: int, field: int, frame: Frame, measurement: Measurement) -> None:
        """Tosses the coin for a frame that was measured, and asks for it where it falls so."""
        if not self._asking or self._lost:
            return
        score = score_of(measurement.probability, self._settings.strategy, measurement.unsure)
        chance = self._chances.chance(score)
        toss = float(component_rng(self._settings.seed, "labels", step).random())
        asked = toss < chance
        request = self._ask(field, frame, measurement, score, chance) if asked else None
        if asked and request is None:
            return
        document = LabelChoiceDocument(
            step=step, field=field, chance=chance, score=score, asked=asked,
            request=request, model_sha256=self._model_sha256,
        )  # fmt: skip
        self._journal.writer.append(document)
        self._chosen(document)

    def _ask(
        self, field: int, frame: Frame, measurement: Measurement, score: float, chance: float
    ) -> int | None:
        """Puts a frame to the queue; None where the queue is out of reach: then nothing more is asked."""
        unsure = measurement.unsure
        if unsure is None:
            unsure = np.zeros(measurement.labels.shape, np.float32)
        if measurement.unsure is None and measurement.probability is not None:
            unsure = uncertainty_map(measurement.probability)
        new = NewRequest(
            session=self._session, field=field, frame=frame.pixels, prediction=measurement.labels,
            uncertainty=unsure, class_names=self._reader.class_names, pixel_nm=frame.imaging.pixel_nm,
            model_sha256=self._model_sha256, score=score, propensity=chance, sampled=True,
            x_um=frame.position.x_um, y_um=frame.position.y_um,
        )  # fmt: skip
        try:
            return self._queue.add(new)
        except LabelError as error:
            self._lose(error)
            return None

    def _chosen(self, document: LabelChoiceDocument) -> None:
        self.correction.choose(document.step - 1, document.chance, asked=document.asked)
        if document.request is not None:
            self._requests[document.request] = (document.step, document.field)
            if len(self._requests) >= self._settings.max_requests:
                self._asking = False

    # -- answers ----------------------------------------------------------------------------------

    def take_in(self, survey: Survey) -> int:
        """Takes in what came since the last look: writes it down, corrects, and tells the experts.

        Returns:
            How many answers came.
        """
        if self._lost or not self._requests:
            return 0
        try:
            new = [a for a in self._queue.answers(self._session) if a.id not in self._taken]
            mine = [answer for answer in new if answer.request_id in self._requests]
            taken = sum(map(self._take, mine)) + self._take_refusals()
            if taken:
                self._journal.corrected(survey)
                self.tell(survey)
        except LabelError as error:
            self._lose(error)
            return 0
        return taken

    def _take(self, answer: Answer) -> int:
        step, field = self._requests[answer.request_id]
        request = self._queue.request(answer.request_id)
        values = self._reader.read(self._queue.mask(answer.id), request.pixel_nm, field).value
        document = LabelAnswerDocument(
            step=step, field=field, request=answer.request_id, answer=answer.id, expert=answer.expert,
            seconds=answer.seconds, tool=answer.tool, started_from=answer.started_from,
            second_opinion=answer.second_opinion, mask_sha256=answer.mask_sha256,
            values=tuple(float(value) for value in values),
        )  # fmt: skip
        self._journal.writer.append(document)
        self._answered(document)
        return 1

    def _take_refusals(self) -> int:
        """Takes in frames that no expert could answer."""
        refused = self._queue.requests("skipped", session=self._session, limit=len(self._requests))
        count = 0
        for request in refused:
            if request.id in self._requests and request.id not in self._given_up:
                step, field = self._requests[request.id]
                document = LabelAnswerDocument(
                    step=step, field=field, request=request.id, note="; ".join(request.skip_reasons)
                )
                self._journal.writer.append(document)
                self._answered(document)
                count += 1
        return count

    def _answered(self, document: LabelAnswerDocument) -> None:
        visit = document.step - 1
        if document.values:
            self.correction.answer(visit, np.array(document.values))
        else:
            self._given_up.add(document.request)
            self.correction.give_up(visit)
        if document.answer is not None:
            self._taken.add(document.answer)

    def tell(self, survey: Survey) -> None:
        """Records what the answers changed, for the experts to see."""
        for k, state in enumerate(survey.states()):
            now = (state.estimate, state.ci_low, state.ci_high)
            extra = state.extra
            before = (extra.get("model_estimate", now[0]), extra.get("model_low"), extra.get("model_high"))
            if not np.isfinite(now[0]):
                continue
            self._queue.record_effect(
                Effect(
                    session=self._session, quantity=state.target.quantity, class_name=state.target.class_name,
                    answers=self.correction.answered, covers=state.covers,
                    before=now if state.covers == "model" else before, after=now,
                    note=self.correction.doubt(k) if state.covers == "model" else "",
                )
            )  # fmt: skip

    # -- learning ---------------------------------------------------------------------------------

    def lesson(self, held_out: float) -> Lesson:
        """The answers so far: a coin for each field, the same whenever it is asked, holds some of them out.

        Args:
            held_out: chance of being held out.
        """
        visits = self.correction.settled
        requests = {step - 1: request for request, (step, _) in self._requests.items()}
        learn, judge = dict[int, int](), dict[int, int]()
        for visit in self.correction.given(visits):
            kept = component_rng(self._settings.seed, "held out", visit + 1).random() < held_out
            (judge if kept else learn)[visit] = requests[visit]
        return Lesson(visits, learn, judge)

    def would_be_lost(self, lesson: Lesson, survey: Survey) -> bool:
        """Whether learning from these answers would leave too few for a correction.

        For one that there is already, or for any that the requests still to be made could bring.
        """
        left = self.correction.answered - len(lesson.learn)
        to_come = self._settings.max_requests - len(self._requests)
        corrected = any(state.covers == "expert-corrected" for state in survey.states())
        return left + (0 if corrected else to_come) < MINIMUM_ANSWERS

    def adopted(
        self,
        values: Sequence[NDArray[np.float64] | None],
        learnt: Collection[int],
        lessons: Lessons,
        model_sha256: str,
    ) -> None:
        """Another model has measured all fields again; see :meth:`ExpertCorrection.adopt`."""
        self.correction.adopt(values, learnt, lessons)
        self._model_sha256 = model_sha256

    # -- the end ----------------------------------------------------------------------------------

    def wait(self, survey: Survey, control: SessionControl, meanwhile: Callable[[], object]) -> None:
        """Waits for outstanding answers, in all at most ``wait_s``, and takes them in as they come.

        Args:
            survey: whose estimate they correct.
            control: the operator may end the waiting.
            meanwhile: done again and again.
        """
        while self.waiting:
            if control.stop_requested or control.paused:
                return
            began = time.monotonic()
            meanwhile()
            if self.take_in(survey):
                continue
            control.wait_for_stop(LOOK_EVERY_S)
            self._waited_s += time.monotonic() - began

    def spent(self, survey: Survey) -> bool:
        """Whether nothing that is left can narrow an interval enough.

        The last request is made, and the answers' own error would leave the interval too wide were every
        field measured.
        """
        states = [state for state in survey.states() if not state.met]
        if self._asking or not states or not survey.met_by_model:
            return False
        return all(self._too_few(state) for state in states)

    def say_spent(self) -> None:
        """Says in the records that the requests were too few."""
        self._journal.warn_once(
            f"labels.max_requests = {self._settings.max_requests} is spent: its {self.correction.answered}"
            " answers are too few for the interval that was asked for, however many fields are measured"
        )

    def _too_few(self, state: QuantityState) -> bool:
        wanted, error = wanted_half_width(state), state.extra.get("shift_error")
        if wanted is None or error is None:
            return False
        slope = state.estimate**2 if state.target.reciprocal else 1.0
        return SMALLEST_QUANTILE * error * slope >= wanted

    def close(self) -> None:
        """Says in the records why the answers do not correct the result, where they do not."""
        if not self._requests:
            return
        for k, target in enumerate(self._targets):
            doubt = self.correction.doubt(k)
            if doubt:
                name = f"{target.quantity} of {target.class_name}"
                self._journal.warn_once(f"{name} is what the model alone finds: {doubt}")

    def replay(self, document: Document) -> None:
        """Repeats what an interrupted session had asked and taken in."""
        if isinstance(document, LabelChoiceDocument):
            self._chances.chance(document.score)
            self._chosen(document)
        elif isinstance(document, LabelAnswerDocument):
            self._answered(document)

    def _lose(self, error: LabelError) -> None:
        self._lost, self._asking = True, False
        self._journal.warn_once(f"experts are not asked any more: {error}")
