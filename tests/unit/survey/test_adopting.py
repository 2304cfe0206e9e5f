"""Another model takes over: what was decided stays, and the correction stays unbiased."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from autoscope.core import EstimationError
from autoscope.estimation import FirstPhase, combine, pseudo_value
from autoscope.survey import ExpertCorrection, Lessons, Outcome, Target
from autoscope_policies import make_policy

TARGET = Target("area_fraction", "phase", 0.01, None, 0.95)
WEIGHT = np.array([0.5, 0.3, 0.2])
EXPERT = np.array([0.3, 0.6, 0.2])
Q = np.array([0.2, 0.5, 0.3])
PHI = np.array([0.4, 0.7, 0.9])
F = np.array([0.35, 0.45, 0.3])
HELD_OUT = 0.6


def by_model(learnt: set[int], sway: float) -> np.ndarray:
    """What a model finds that knows by heart what it has learnt from, and is swayed by it elsewhere."""
    value = np.array([0.5, 0.4, 0.45]) - sway * len(learnt)
    for field in learnt:
        value[field] = EXPERT[field]
    return value


def worlds():
    """Every order of drawing two of three fields and every outcome of both coins, with its probability."""
    for order in itertools.permutations(range(3), 2):
        for asked in itertools.product([True, False], repeat=2):
            for kept in itertools.product([True, False], repeat=2):
                chance = Q[order[0]] * Q[order[1]] / (1 - Q[order[0]])
                for field, ask, keep in zip(order, asked, kept, strict=True):
                    chance *= PHI[field] if ask else 1 - PHI[field]
                    chance *= HELD_OUT if keep else 1 - HELD_OUT
                yield chance, order, asked, kept


def estimate(order, asked, kept, *, sway: float, honest: bool) -> float:
    """The corrected estimate after a model was adopted that learnt from the answers not held out."""
    learnt = [i for i in range(2) if asked[i] and not kept[i]]
    y = by_model({order[i] for i in learnt}, sway)
    correction, done, values = ExpertCorrection([TARGET]), 0.0, []
    left = [0, 1, 2]
    for visit, field in enumerate(order):
        q = float(Q[field] / Q[left].sum())
        z = pseudo_value(done, float(WEIGHT[left] @ F[left]), WEIGHT[field], y[field], F[field], q)
        values.append(float(z))
        done += float(WEIGHT[field] * y[field])
        left.remove(field)
        correction.visited(visit, float(WEIGHT[field]), q, np.array([0.9]))
        correction.choose(visit, float(PHI[field]), asked=asked[visit])
        if asked[visit]:
            correction.answer(visit, EXPERT[[field]])
    lessons = Lessons(2, HELD_OUT) if honest else Lessons(0, 1.0)
    correction.adopt([y[[field]] for field in order], learnt if honest else (), lessons)
    first = FirstPhase(np.array(values), np.ones(2))
    corrected = correction.corrected(0, first)
    return combine(first.value, first.weight).estimate if corrected is None else corrected.estimate


def bias(sway: float, *, honest: bool) -> float:
    """Over all draws, all requests, and all that is held out."""
    assert sum(chance for chance, *_ in worlds()) == pytest.approx(1)
    mean = sum(chance * estimate(*world, sway=sway, honest=honest) for chance, *world in worlds())
    return float(mean - WEIGHT @ EXPERT)


def test_it_is_unbiased_for_what_experts_would_find() -> None:
    assert bias(0.0, honest=True) == pytest.approx(0, abs=1e-12)


def test_one_answer_that_sways_the_model_everywhere_hardly_matters() -> None:
    """The running mean of the differences knows a little of the coin of each later answer (decision 9).

    Here a single answer takes a sixth off everything that the model finds.
    """
    assert abs(bias(0.08, honest=True)) < 5e-4


@pytest.mark.parametrize("sway", [0.0, 0.08])
def test_answers_that_the_model_has_seen_would_make_it_look_too_good(sway: float) -> None:
    assert abs(bias(sway, honest=False)) > 0.01


def visited(n: int) -> ExpertCorrection:
    """Every frame asked for and answered, a few hundredths below the model."""
    correction = ExpertCorrection([TARGET])
    for i in range(n):
        correction.visited(i, 1 / 1000, 1 / (1000 - i), np.array([0.3]))
        correction.choose(i, 1.0, asked=True)
        correction.answer(i, np.array([0.25 + 0.001 * i]))
    return correction


def test_what_the_model_has_learnt_from_does_not_count_as_an_answer() -> None:
    correction = visited(60)
    learnt = range(0, 60, 2)
    correction.adopt([np.array([0.27])] * 60, learnt, Lessons(60, 0.5))
    rng = np.random.default_rng(0)
    corrected = correction.corrected(0, FirstPhase(0.27 + 0.01 * rng.standard_normal(60), np.ones(60)))
    assert corrected is not None
    assert corrected.answers == 30
    assert corrected.effective == 30
    correction.adopt([np.array([0.27])] * 60, range(45), Lessons(60, 0.25))
    assert "15 of at least 20 frames are answered, besides 45 that the model has learnt from" in (
        correction.doubt(0)
    )


@pytest.mark.parametrize(("values", "learnt"), [(59, (3,)), (60, (60,)), (60, (59,))])
def test_what_does_not_belong_to_the_visits_is_refused(values: int, learnt: tuple[int, ...]) -> None:
    correction = visited(60)
    with pytest.raises(EstimationError):
        correction.adopt([np.array([0.27])] * values, learnt, Lessons(59, 0.5))


# -- the survey -----------------------------------------------------------------------------------


def watched(build, policy="active"):
    return build.survey(build.grid(6, 5), make_policy(policy), predictor=build.constant(30, 0.3), seed=4)


def measure(survey, values, count) -> list[int]:
    """So many steps; NaN is a field that cannot be measured. Returns the fields."""
    order = []
    for _ in range(count):
        decision = survey.decide()
        value = values[decision.field]
        survey.observe(decision, Outcome(None if np.isnan(value) else np.array([value])))
        order.append(decision.field)
    return order


@pytest.mark.parametrize("policy", ["active", "uniform", "systematic", "proportional"])
def test_measuring_the_same_again_changes_nothing(build, policy: str) -> None:
    truth = np.random.default_rng(1).random(30)
    plain, again = watched(build, policy), watched(build, policy)
    measure(plain, truth, 12)
    order = measure(again, truth, 12)
    again.remeasure([truth[[field]] for field in order], build.constant(30, 0.3))
    assert again.states() == plain.states()
    for _ in range(10):
        one, other = plain.decide(), again.decide()
        assert (one.field, one.propensity) == (other.field, other.propensity)
        for survey, decision in ((plain, one), (again, other)):
            survey.observe(decision, Outcome(truth[[decision.field]]))
    assert again.states() == plain.states()


@pytest.mark.parametrize("lost", [(), (3, 17)])
@pytest.mark.parametrize("policy", ["uniform", "systematic"])
def test_it_ends_where_it_would_have_with_the_new_values_from_the_start(build, policy: str, lost) -> None:
    """With a policy and a predictor that look at no values, all draws are the same."""
    rng = np.random.default_rng(7)
    old, new = rng.random(30), rng.random(30)
    old[list(lost)] = new[list(lost)] = np.nan
    first, other = watched(build, policy), watched(build, policy)
    order = measure(first, old, 17)
    measure(other, new, 17)
    assert first.states() != other.states()
    values = [None if np.isnan(new[field]) else new[[field]] for field in order]
    first.remeasure(values, build.constant(30, 0.3))
    assert first.states() == other.states()
    measure(first, new, 13)
    measure(other, new, 13)
    assert first.states() == other.states()
    assert first.exhausted


def test_the_frame_in_flight_is_measured_by_the_new_model(build) -> None:
    """A decision that waits for its frame, and a batch that is half measured, go on."""
    truth = np.random.default_rng(2).random(30)
    survey = watched(build, "systematic")
    order = measure(survey, truth, 5)
    pending = survey.decide()
    survey.remeasure([truth[[field]] / 2 for field in order], build.constant(30, 0.3))
    survey.observe(pending, Outcome(truth[[pending.field]] / 2))
    assert survey.observed == 6


def test_the_new_predictor_learns_all_fields_and_the_old_one_no_more(build) -> None:
    truth = np.random.default_rng(3).random(30)
    survey, predictor = watched(build), build.constant(30, 0.3)
    order = measure(survey, truth, 5)
    survey.remeasure([truth[[field]] / 2 for field in order], predictor)
    assert predictor.updates == [(field, (truth[field] / 2,)) for field in order]
    more = measure(survey, truth / 2, 1)
    assert predictor.updates[-1][0] == more[0]


@pytest.mark.parametrize(
    "values",
    [[np.array([0.5])] * 4, [np.array([0.5])] * 4 + [None], [np.array([0.5])] * 4 + [np.array([1.2])]],
)
def test_values_of_other_fields_are_refused_and_change_nothing(build, values) -> None:
    truth = np.random.default_rng(5).random(30)
    survey = watched(build)
    measure(survey, truth, 5)
    before = survey.states()
    with pytest.raises(EstimationError):
        survey.remeasure(values, build.constant(30, 0.3))
    assert survey.states() == before
