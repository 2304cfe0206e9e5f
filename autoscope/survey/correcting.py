"""Which frames experts were asked about, what they said, and what that makes of the estimate."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError
from autoscope.estimation import (
    MINIMUM_ANSWERS,
    MINIMUM_CORRECTED,
    Corrected,
    FirstPhase,
    Goal,
    Reading,
    SecondPhase,
    corrected_half_width,
    two_phase,
)
from autoscope.survey.protocols import Target


@dataclass(slots=True)
class _Visit:
    """A field that came back.

    Attributes:
        draw: index of its draw, from 0.
        weight: a_i.
        propensity: its chance in the draw.
        value: ``targets``, what the model measured; None where there is no frame.
        chance: of being asked for; None before the coin is tossed.
        asked: how the coin fell.
        answers: ``targets`` each, what experts measured.
        given_up: whether no expert could answer.
        learnt: whether the present model has learnt from the answers.
    """

    draw: int
    weight: float
    propensity: float
    value: NDArray[np.float64] | None
    chance: float | None = None
    asked: bool = False
    answers: list[NDArray[np.float64]] = field(default_factory=list)
    given_up: bool = False
    learnt: bool = False

    @property
    def closed(self) -> bool:
        """Whether nothing is awaited: there is no frame, nobody was asked, or all is said."""
        if self.value is None:
            return True
        return self.chance is not None and (not self.asked or bool(self.answers) or self.given_up)


@dataclass(frozen=True, slots=True)
class Lessons:
    """Which answers the present model may have learnt from.

    Attributes:
        visits: answers to so many first visits, and to no others.
        held_out: chance of each of them to be held out from it, in (0, 1].
    """

    visits: int
    held_out: float


class ExpertCorrection:
    """A probability sample of the measured frames with experts' answers (``estimation.two_phase``).

    Answers count as far as they leave no gap: up to the first frame that was asked for and is not answered
    yet, for which frames are answered first says something about them. A frame that no expert could answer
    stands at the lowest and at the highest possible value in the two ends of the interval. Until there are
    ``MINIMUM_ANSWERS`` answers, ``MINIMUM_CORRECTED`` of them unlike the model's, nothing is corrected.
    Answers that a model has learnt from say nothing on its error elsewhere: they count for their own frames.

    Args:
        targets: what is asked of the survey.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self._targets = tuple(targets)
        self._visits: list[_Visit] = []
        self._closed = 0  # visits before the first gap
        self._lessons = Lessons(0, 1.0)

    def visited(self, draw: int, weight: float, propensity: float, value: NDArray[np.float64] | None) -> None:
        """Takes up a field that came back; see :class:`~autoscope.survey.protocols.Correction`."""
        self._visits.append(_Visit(draw, weight, propensity, value))
        self._advance()

    def choose(self, visit: int, chance: float, *, asked: bool) -> None:
        """Notes with which chance a frame was to be asked for, and whether it was.

        Args:
            visit: number of the field's visit, counted from 0.
            chance: in (0, 1].
            asked: how the coin fell.

        Raises:
            EstimationError: the chance is none, the coin was tossed before, or there is no frame.
        """
        row = self._visits[visit]
        if not 0 < chance <= 1 or row.chance is not None or row.value is None:
            raise EstimationError(
                f"visit {visit + 1} cannot be asked for with the chance {chance:g}: a chance lies in (0, 1],"
                " is given once, and only to a field that has a frame",
                step=visit + 1,
            )
        row.chance, row.asked = chance, asked
        self._advance()

    def answer(self, visit: int, value: NDArray[np.float64]) -> None:
        """Takes an expert's values, ``targets``, in; those of several experts are averaged.

        Raises:
            EstimationError: nobody was asked about this visit.
        """
        self._asked(visit).answers.append(np.asarray(value, float))
        self._advance()

    def give_up(self, visit: int) -> None:
        """Notes that no expert can answer.

        Raises:
            EstimationError: nobody was asked about this visit.
        """
        self._asked(visit).given_up = True
        self._advance()

    @property
    def pending(self) -> int:
        """Frames that were asked for and are not answered yet."""
        return sum(row.asked and not row.closed for row in self._visits)

    @property
    def answered(self) -> int:
        """Frames with an answer, those behind a gap included."""
        return sum(bool(row.answers) for row in self._visits)

    @property
    def settled(self) -> int:
        """Visits before the first that is still to be answered."""
        return self._closed

    def given(self, visits: int) -> tuple[int, ...]:
        """Those of the first ``visits`` visits that have an answer."""
        return tuple(i for i, row in enumerate(self._visits[:visits]) if row.answers)

    def adopt(
        self, values: Sequence[NDArray[np.float64] | None], learnt: Collection[int], lessons: Lessons
    ) -> None:
        """Takes up what another model measures on the visited fields, which has learnt from some answers.

        Args:
            values: of every visit so far, ``targets`` each; None where there is no frame.
            learnt: visits whose answers the model has learnt from: all that chance did not hold out.
            lessons: which they could be.

        Raises:
            EstimationError: the values are of other visits, or it learnt from a frame without an answer.
        """
        if [value is None for value in values] != [row.value is None for row in self._visits]:
            raise EstimationError(
                f"a model was to be adopted with {len(values)} values for {len(self._visits)} visits: each"
                " field that has a frame needs its value again"
            )
        wrong = [i for i in learnt if i >= lessons.visits or not self._visits[i].answers]
        if wrong:
            raise EstimationError(f"visit {wrong[0] + 1} was learnt from, and it has no answer to learn from")
        for i, (row, value) in enumerate(zip(self._visits, values, strict=True)):
            row.value, row.learnt = value, i in learnt
        self._lessons = lessons

    def read(self, target: int, reading: Reading, first: FirstPhase | None) -> Reading | None:
        """The corrected reading of a target in the unit of the mean over the fields; None: not defensible."""
        if first is None or self.doubt(target):
            return None
        corrected = self.corrected(target, first)
        goal = self._targets[target].goal
        return None if corrected is None else _reading(corrected, goal, reading.estimator)

    def corrected(self, target: int, first: FirstPhase) -> Corrected | None:
        """What the answers make of the estimate however few they are; None without a whole draw."""
        rows = [row for row in self._usable() if row.draw < len(first.value)]
        if not any(row.asked for row in rows):
            return None
        goal = self._targets[target].goal
        return two_phase(first, _second_phase(rows, target, goal, self._lessons))

    def doubt(self, target: int) -> str:
        """Why the answers cannot correct a target yet, in a sentence; empty where they can."""
        usable = [row for row in self._usable() if row.answers]
        given = [row for row in usable if not row.learnt]
        unlike = sum(float(_answer(row, target)) != float(_model(row, target)) for row in given)
        waiting = self.answered - len(usable)
        if len(given) < MINIMUM_ANSWERS:
            gap = f", {waiting} more wait for an earlier one" if waiting else ""
            learnt = len(usable) - len(given)
            taught = f", besides {learnt} that the model has learnt from" if learnt else ""
            return f"{len(given)} of at least {MINIMUM_ANSWERS} frames are answered{taught}{gap}"
        if unlike < MINIMUM_CORRECTED:
            return (
                f"the experts differ from the model on {unlike} of {len(given)} frames: at least"
                f" {MINIMUM_CORRECTED} are needed to tell how large its error is"
            )
        return ""

    def _asked(self, visit: int) -> _Visit:
        row = self._visits[visit]
        if not row.asked:
            raise EstimationError(f"visit {visit + 1} was answered, and nobody was asked", step=visit + 1)
        return row

    def _advance(self) -> None:
        while self._closed < len(self._visits) and self._visits[self._closed].closed:
            self._closed += 1

    def _usable(self) -> list[_Visit]:
        """The frames of all draws that are complete and have no gap before or in them."""
        rows = self._visits[: self._closed]
        if self._closed == len(self._visits) or not rows:
            return rows
        torn = self._visits[self._closed].draw
        return [row for row in rows if row.draw < torn]


def _second_phase(rows: list[_Visit], target: int, goal: Goal, lessons: Lessons) -> SecondPhase:
    difference = [_difference(row, target) for row in rows]
    worst = [(d, d) if not row.given_up or row.answers else _extremes(row, target, goal)
             for d, row in zip(difference, rows, strict=True)]  # fmt: skip
    low, high = np.array(worst).T
    return SecondPhase(
        draw=np.array([row.draw for row in rows], np.intp),
        weight=np.array([row.weight for row in rows]),
        propensity=np.array([row.propensity for row in rows]),
        chance=np.array([_chance(row, i < lessons.visits, lessons) for i, row in enumerate(rows)]),
        difference=np.array(difference),
        low=low,
        high=high,
        learnt=np.array([row.learnt for row in rows], bool),
    )


def _chance(row: _Visit, teachable: bool, lessons: Lessons) -> float:
    """The chance of an answer that tells of the model's error, given that the model has not learnt from it.

    A frame that no expert can answer never teaches anything: it keeps the chance of being asked for.
    """
    if row.chance is None or row.learnt:
        return 1.0
    if not teachable or (row.given_up and not row.answers):
        return row.chance
    return row.chance * lessons.held_out / (1 - row.chance * (1 - lessons.held_out))


def _difference(row: _Visit, target: int) -> float:
    """E - y; 0 where no expert could answer, NaN where nobody was asked."""
    if not row.asked:
        return float("nan")
    return _answer(row, target) - _model(row, target) if row.answers else 0.0


def _extremes(row: _Visit, target: int, goal: Goal) -> tuple[float, float]:
    y = _model(row, target)
    return goal.low - y, goal.high - y


def _answer(row: _Visit, target: int) -> float:
    return float(np.mean([values[target] for values in row.answers]))


def _model(row: _Visit, target: int) -> float:
    return float("nan") if row.value is None else float(row.value[target])


def _reading(corrected: Corrected, goal: Goal, by_model: str) -> Reading:
    half = corrected_half_width(corrected, goal.confidence)
    estimate = min(max(corrected.estimate, goal.low), goal.high)
    low, high = estimate - corrected.below - half, estimate + corrected.above + half
    numbers = {
        "standard_error": corrected.standard_error,
        "effective_draws": corrected.effective,
        "answers": float(corrected.answers),
        "shift": corrected.shift,
        "shift_error": corrected.shift_error,
    }
    return Reading(
        estimate,
        max(low, goal.low),
        min(high, goal.high),
        goal.reached(estimate, low, high),
        f"{by_model}, corrected by {corrected.answers} answers of experts (two-phase difference)",
        numbers,
    )
