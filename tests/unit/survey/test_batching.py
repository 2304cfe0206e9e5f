"""Batches: exact inclusion probabilities, known extremes, short tours, and an unbiased survey."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autoscope.core import EstimationError, Prediction
from autoscope.survey import Batch, Outcome, Proposal, TableSource, run, step
from autoscope.survey.batching import (
    Starts,
    fix_batch,
    inclusion_probabilities,
    short_tour,
    systematic_choice,
)

RAW = arrays(float, 9, elements=st.floats(0.01, 1))


@given(raw=RAW, size=st.integers(1, 12))
def test_inclusion_probabilities_keep_the_size_and_the_proportions(raw, size):
    q = raw / raw.sum()
    inclusion = inclusion_probabilities(q, size)
    assert inclusion.sum() == pytest.approx(min(size, 9))
    assert (inclusion > 0).all() and (inclusion <= 1 + 1e-12).all()
    below = inclusion < 1 - 1e-9
    ratio = inclusion[below] / q[below]
    np.testing.assert_allclose(ratio, ratio[:1].repeat(len(ratio)), rtol=1e-9)


def starts(inclusion, order):
    """Every stretch of starts that choose the same fields: (length, chosen)."""
    edges = np.unique(np.concatenate([[0.0, 1.0], np.cumsum(inclusion[order]) % 1.0]))
    for low, high in pairwise(edges):
        if high - low > 1e-9:
            yield high - low, systematic_choice(inclusion, order, (low + high) / 2)


@given(raw=RAW, size=st.integers(1, 8), seed=st.integers(0, 99))
def test_every_field_is_chosen_with_exactly_its_probability(raw, size, seed):
    inclusion = inclusion_probabilities(raw / raw.sum(), size)
    order = np.random.default_rng(seed).permutation(9)
    chance = np.zeros(9)
    for length, chosen in starts(inclusion, order):
        assert len(chosen) == len(set(chosen)) == size
        chance[chosen] += length
    np.testing.assert_allclose(chance, inclusion, atol=1e-7)


@given(raw=RAW, size=st.integers(1, 8), values=arrays(float, 9, elements=st.floats(-1, 1)))
def test_the_largest_sum_bounds_every_start(raw, size, values):
    inclusion, order = inclusion_probabilities(raw / raw.sum(), size), np.arange(9)
    largest = max(values[chosen].sum() for _, chosen in starts(inclusion, order))
    bound = Starts(inclusion, order).largest_sum(values)
    assert bound >= largest - 1e-9
    assert bound <= np.abs(values).sum() + 1e-9


def test_the_largest_sum_by_hand():
    # equal steps of 2 on a path of 4: {0, 2} or {1, 3}
    starts_of_four = Starts(np.full(4, 0.5), np.arange(4))
    assert starts_of_four.largest_sum(np.array([1.0, 2.0, 4.0, 0.5])) == 5.0


def test_a_batch_is_spread_along_its_path():
    order = np.arange(100)
    for start in (0.0, 0.3, 0.999):
        chosen = systematic_choice(np.full(100, 0.05), order, start)
        assert len(chosen) == 5
        assert np.abs(np.diff(chosen) - 20).max() <= 1  # rounding may move a step that falls on an edge


@given(points=arrays(float, (7, 2), elements=st.floats(0, 100)))
def test_a_tour_visits_all_and_is_no_longer_than_nearest_first(points):
    tour = short_tour(points[:, 0], points[:, 1], (0.0, 0.0))
    assert sorted(tour) == list(range(7))

    def length(order):
        path = np.concatenate([[[0.0, 0.0]], points[list(order)]])
        return np.hypot(*np.diff(path, axis=0).T).sum()

    left, nearest, here = set(range(7)), [], np.zeros(2)
    while left:
        best = min(left, key=lambda i: (np.hypot(*(points[i] - here)), i))
        nearest.append(best)
        left.remove(best)
        here = points[best]
    assert length(tour) <= length(nearest) + 1e-6


def test_a_tour_along_a_line_goes_along_it():
    tour = short_tour(np.array([30.0, 10.0, 40.0, 20.0]), np.zeros(4), (0.0, 0.0))
    assert tour.tolist() == [1, 3, 0, 2]


Y = np.array([[0.1, 0.9, 0.3, 0.0, 0.6]])


class InBatches:
    """Batches of two, unequal, along a path that is not the order of the fields."""

    name, sha256, floored = "batches", "2" * 64, True

    def __init__(self, size=2, batch=None):
        self._size, self._batch = size, batch

    def propose(self, view):
        raw = 1.0 + view.remaining + view.prediction.value[0, view.remaining]
        order = np.argsort(view.remaining * 3 % 5)
        return Proposal(raw / raw.sum(), "batch", batch=self._batch or Batch(self._size, order))


def test_the_first_batch_of_a_survey_is_exactly_unbiased(build):
    target, weight = build.target(), np.array([0.1, 0.3, 0.2, 0.25, 0.15])
    prediction = Prediction(np.array([[0.5, 0.2, 0.4, 0.1, 0.9]]), np.full((1, 5), 0.3))
    inclusion = inclusion_probabilities(np.array([0.3, 0.1, 0.2, 0.15, 0.25]), 2)
    order, fields = np.array([3, 1, 0, 4, 2]), np.arange(5)
    expectation, seen = 0.0, []
    for length, chosen in starts(inclusion, order):
        (draw,) = fix_batch(1, fields, inclusion, order, chosen, weight, prediction, (target,), (True,))
        z = draw.predicted_rest + (draw.weight * (Y[0, chosen] - draw.predicted) / draw.propensity).sum()
        expectation += length * z
        seen.append((draw, z))
    assert expectation == pytest.approx(float(weight @ Y[0]), rel=1e-9)
    for draw, z in seen:
        assert draw.predicted_rest - draw.down <= z <= draw.predicted_rest + draw.up
        assert draw.covering and draw.remaining == 2


def test_a_survey_in_batches_logs_each_fields_own_probability_and_ends_exact(build):
    survey = build.survey(build.grid(5), InBatches(), targets=(build.target(1e-9),))
    decisions, pending = [], None
    while (pending := step(survey, TableSource(Y), pending)) is not None:
        decisions.append(pending)
    while not survey.exhausted:
        step(survey, TableSource(Y), None)
    assert sorted(d.field for d in decisions) == list(range(5))
    assert len({d.draw for d in decisions}) == 3
    assert len({d.propensity for d in decisions if d.draw == 1}) == 2
    assert [d.last_of_draw for d in decisions] == [False, True, False, True, True]
    assert survey.states()[0].estimate == pytest.approx(Y.mean())


@pytest.mark.parametrize("tier", ["standard", "anytime", "guaranteed"])
def test_batches_reach_targets_on_every_tier(build, tier):
    y = np.random.default_rng(1).beta(2, 6, 900)

    class Uniform:
        name, sha256, floored = "batches", "3" * 64, True

        def propose(self, view):
            count = len(view.remaining)
            return Proposal(np.full(count, 1 / count), "u", batch=Batch(6, np.arange(count)))

    survey = build.survey(
        build.grid(30, 30), Uniform(), targets=(build.target(0.05),), tier=tier, exploration=0.6, seed=3
    )
    fields = run(survey, TableSource(y))
    state = survey.states()[0]
    assert survey.met and fields < 900
    assert state.ci_low < y.mean() < state.ci_high


def test_a_lost_field_of_a_batch_stays_at_its_worst_case(build):
    survey = build.survey(build.grid(5), InBatches(), targets=(build.target(1e-9),))
    run(survey, TableSource(Y, lost=[1]))
    state = survey.states()[0]
    assert (state.fields_measured, state.fields_lost) == (4, 1)
    assert state.ci_high - state.ci_low == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (Batch(0, np.arange(5)), "draw 1: a batch of 0 fields"),
        (Batch(2, np.array([0, 1, 2, 3, 3])), "each of the 5 remaining fields exactly once"),
    ],
)
def test_bad_batches_are_refused(build, batch, message):
    survey = build.survey(build.grid(5), InBatches(batch=batch))
    with pytest.raises(EstimationError, match=message):
        survey.decide()
    assert survey.pending == ()


@pytest.mark.parametrize("spread", [np.full((1, 4), 0.1), np.array([[0.1, 0.1, 0.0, 0.1, 0.1]])])
def test_a_spread_that_is_none_is_refused(build, spread):
    class Wrong:
        name, sha256, floored = "wrong", "4" * 64, True

        def propose(self, view):
            return Proposal(np.full(5, 0.2), "u", spread=spread)

    with pytest.raises(EstimationError, match=r"draw 1.*spread"):
        build.survey(build.grid(5), Wrong()).decide()


def test_the_view_carries_what_came_back_and_not_what_is_in_flight(build):
    seen = []

    class Watching:
        name, sha256, floored = "watching", "5" * 64, True

        def propose(self, view):
            seen.append(view)
            count = len(view.remaining)
            return Proposal(np.full(count, 1 / count), "u")

    predictor = build.constant(5, 0.25)
    survey = build.survey(
        build.grid(5), Watching(), predictor=predictor, targets=(build.target(relative=0.1),)
    )
    first, second = survey.decide(), survey.decide()
    survey.observe(first, Outcome(Y[:, first.field]))
    third = survey.decide()
    survey.observe(second, Outcome(None, "gone"))
    survey.decide()
    assert [len(view.past) for view in seen] == [0, 0, 1, 2]
    past = seen[-1].past
    assert past.fields.tolist() == [first.field, second.field]
    assert past.propensity.tolist() == [first.propensity, second.propensity]
    assert past.predicted.tolist() == [[0.25, 0.25]]
    assert past.measured[0, 0] == Y[0, first.field] and np.isnan(past.measured[0, 1])
    assert third.field not in past.fields
    assert seen[-1].exploration == 0.2
    assert seen[0].wanted.shape == (1,)
    with pytest.raises(ValueError, match="read-only"):
        past.measured[0, 0] = 0.5
