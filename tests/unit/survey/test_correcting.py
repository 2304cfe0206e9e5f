"""Which answers count, when they may correct, and that they do."""

from __future__ import annotations

import numpy as np
import pytest

from autoscope.core import EstimationError
from autoscope.estimation import MINIMUM_ANSWERS, FirstPhase, Reading
from autoscope.survey import ExpertCorrection, Target

TARGET = Target("area_fraction", "pearlite", 0.01, None, 0.95)
READING = Reading(0.3, 0.29, 0.31, True, "difference estimator")


def phase(n: int) -> FirstPhase:
    rng = np.random.default_rng(n)
    return FirstPhase(0.3 + 0.05 * rng.standard_normal(n), np.ones(n))


def visited(n: int, *, lost: tuple[int, ...] = ()) -> ExpertCorrection:
    correction = ExpertCorrection([TARGET])
    for i in range(n):
        correction.visited(i, 1 / 1000, 1 / (1000 - i), None if i in lost else np.array([0.3]))
    return correction


def answered(n: int, shift: float = -0.05) -> ExpertCorrection:
    """Every frame asked with chance 1/2 and, where asked, answered: those of even number."""
    correction = visited(n)
    for i in range(n):
        correction.choose(i, 0.5, asked=i % 2 == 0)
        if i % 2 == 0:
            correction.answer(i, np.array([0.3 + shift + 0.01 * (i % 3)]))
    return correction


def test_enough_answers_move_the_estimate_and_say_so() -> None:
    correction = answered(60)
    assert correction.doubt(0) == ""
    reading = correction.read(0, READING, phase(60))
    assert reading is not None
    first = phase(60).value.mean()
    assert reading.estimate == pytest.approx(first - 0.04, abs=0.012)
    assert "corrected by 30 answers" in reading.estimator
    assert reading.ci_low is not None
    assert reading.ci_high is not None
    assert reading.ci_low < reading.estimate < reading.ci_high


def test_few_answers_leave_the_model_alone() -> None:
    correction = answered(2 * MINIMUM_ANSWERS - 2)
    assert "19 of at least 20" in correction.doubt(0)
    assert correction.read(0, READING, phase(38)) is None


def test_answers_that_agree_with_the_model_say_too_little() -> None:
    correction = answered(60, shift=0.0)
    assert correction.doubt(0) == ""  # two of three differ
    same = visited(60)
    for i in range(60):
        same.choose(i, 1.0, asked=True)
        same.answer(i, np.array([0.3]))
    assert "differ from the model on 0 of 60" in same.doubt(0)


def test_before_the_session_is_mature_nothing_is_corrected() -> None:
    assert answered(60).read(0, READING, None) is None


def test_answers_count_up_to_the_first_gap() -> None:
    correction = visited(60)
    for i in range(60):
        correction.choose(i, 1.0, asked=True)
    for i in range(60):
        if i != 10:
            correction.answer(i, np.array([0.25]))
    assert correction.pending == 1
    assert "10 of at least 20 frames are answered, 49 more wait" in correction.doubt(0)
    correction.answer(10, np.array([0.25]))
    assert correction.doubt(0) == ""


def test_a_frame_without_a_coin_is_a_gap_and_a_lost_field_is_none() -> None:
    correction = visited(60, lost=(3,))
    for i in range(60):
        if i not in (3, 50):
            correction.choose(i, 1.0, asked=True)
            correction.answer(i, np.array([0.25]))
    reading = correction.read(0, READING, phase(60))
    assert reading is not None
    assert reading.extra["answers"] == 49


def test_two_answers_are_averaged() -> None:
    correction = answered(60)
    before = correction.corrected(0, phase(60))
    correction.answer(0, np.array([0.35]))
    after = correction.corrected(0, phase(60))
    assert before is not None
    assert after is not None
    assert after.answers == before.answers
    assert after.shift > before.shift


def test_a_frame_that_nobody_can_answer_widens_the_interval() -> None:
    known, unknown = answered(60), visited(60)
    for i in range(60):
        unknown.choose(i, 0.5, asked=i % 2 == 0)
        if i == 4:
            unknown.give_up(i)
        elif i % 2 == 0:
            unknown.answer(i, np.array([0.25 + 0.01 * (i % 3)]))
    narrow, wide = known.read(0, READING, phase(60)), unknown.read(0, READING, phase(60))
    assert narrow is not None
    assert wide is not None
    assert narrow.ci_low is not None
    assert wide.ci_low is not None
    assert narrow.ci_high is not None
    assert wide.ci_high is not None
    assert wide.ci_high - wide.ci_low > narrow.ci_high - narrow.ci_low


def test_what_cannot_be_is_refused() -> None:
    correction = visited(3, lost=(2,))
    with pytest.raises(EstimationError, match="nobody was asked"):
        correction.answer(0, np.array([0.2]))
    correction.choose(0, 0.5, asked=False)
    with pytest.raises(EstimationError, match="nobody was asked"):
        correction.give_up(0)
    for visit, chance in ((0, 0.5), (1, 0.0), (2, 0.5)):
        with pytest.raises(EstimationError, match="cannot be asked for"):
            correction.choose(visit, chance, asked=False)
