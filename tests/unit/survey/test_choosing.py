"""Slots: two phases, exactly unbiased however one chooses, and bounds that no choice breaks."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autoscope.core import EstimationError, Prediction
from autoscope.survey import Batch, Offer, Outcome, Proposal, Slots, TableSource, Target, run, step
from autoscope.survey.choosing import fix_choice, offered
from autoscope.survey.drawing import floored
from autoscope.survey.remaining import Left, Remaining, RunningSums

Y = np.array([[0.1, 0.9, 0.3, 0.0, 0.6]])


class Slotted:
    """Slots from a base that leans to later fields, chosen as ``weigh`` says."""

    name, sha256, floored = "slotted", "6" * 64, True

    def __init__(self, number=3, weigh=None, order=None, **more):
        self._number, self._order, self._more = number, order, more
        self._weigh = weigh or (lambda offer: np.full(len(offer), 1 / len(offer)))
        self.views = 0

    def propose(self, view):
        self.views += 1
        raw = 1.0 + view.remaining
        order = np.arange(len(raw)) if self._order is None else self._order
        return Proposal(raw / raw.sum(), "slots", slots=Slots(self._number, order, self._weigh), **self._more)


def greedy(offer: Offer):
    return (np.arange(len(offer)) == np.argmax(offer.predicted[0])).astype(float)


def left_of(fields, weight, prediction, proposal=None):
    view = SimpleNamespace(prediction=prediction, grid=SimpleNamespace(weight=weight))
    return Remaining(1, Left(fields), view, proposal or Proposal(np.empty(0), "r"))


def outcomes(base, number, exploration, weigh, weight, prediction, target):
    """Every start and every choice: (probability, draw)."""
    proposal = Proposal(base, "r", slots=Slots(number, np.array([3, 1, 0, 4, 2]), weigh))
    left = left_of(np.arange(5), weight, prediction)
    inclusion = offered(proposal, left, 0.0, 0.5, 1).inclusion
    ends = np.unique(np.concatenate([[0.0, 1.0], np.cumsum(inclusion[proposal.slots.order]) % 1.0]))
    for low, high in pairwise(ends):
        if high - low < 1e-9:
            continue
        first = offered(proposal, left, 0.0, (low + high) / 2, 1)
        p = floored(weigh(first.offer(left, np.ones(5))), exploration, 1)
        for chosen, chance in enumerate(p):
            (draw,) = fix_choice(1, first, p, chosen, exploration, left, None, (target,), (True,))
            yield (high - low) * chance, draw


@settings(max_examples=30, deadline=None)
@given(
    raw=arrays(float, 5, elements=st.floats(0.05, 1)),
    number=st.integers(1, 6),
    exploration=st.floats(0.05, 1),
    values=arrays(float, 5, elements=st.floats(0, 1)),
)
def test_the_first_draw_is_exactly_unbiased_and_within_its_bounds(raw, number, exploration, values):
    target = Target("area_fraction", "phase", 0.05, None, 0.95)
    weight = np.array([0.1, 0.3, 0.2, 0.25, 0.15])
    prediction = Prediction(np.array([[0.5, 0.2, 0.4, 0.1, 0.9]]), np.full((1, 5), 0.3))
    found = list(outcomes(raw / raw.sum(), number, exploration, greedy, weight, prediction, target))
    assert sum(p for p, _ in found) == pytest.approx(1)
    z = [d.predicted_rest + d.weight @ (values[d.fields] - d.predicted) / d.propensity for _, d in found]
    assert sum(p * one for (p, _), one in zip(found, z, strict=True)) == pytest.approx(weight @ values)
    for one, (_, draw) in zip(z, found, strict=True):
        assert draw.predicted_rest - draw.down - 1e-9 <= one <= draw.predicted_rest + draw.up + 1e-9
        assert draw.covering and 0 < draw.propensity <= 1
    assert len({round(draw.variance, 12) for _, draw in found}) == 1  # or the weights would look at the offer


@pytest.mark.parametrize("tier", ["standard", "anytime", "guaranteed"])
def test_slots_reach_targets_on_every_tier(build, tier):
    y = np.random.default_rng(1).beta(2, 6, 900)
    survey = build.survey(
        build.grid(30, 30), Slotted(16), targets=(build.target(0.06),), tier=tier, exploration=0.6, seed=3
    )
    fields = run(survey, TableSource(y))
    state = survey.states()[0]
    assert survey.met and fields < 900
    assert state.ci_low < y.mean() < state.ci_high


def test_slots_end_in_an_exact_census(build):
    survey = build.survey(build.grid(5), Slotted(), targets=(build.target(1e-9),))
    assert run(survey, TableSource(Y)) == 5
    assert survey.states()[0].estimate == pytest.approx(Y.mean())


def test_without_a_floor_a_choice_that_leaves_slots_out_has_no_interval(build):
    policy = Slotted(weigh=greedy)
    policy.floored = False
    survey = build.survey(build.grid(5), policy)
    pending = step(survey, TableSource(Y), None)
    step(survey, TableSource(Y), pending)
    assert survey.states()[0].ci_low is None


def test_an_offer_can_be_looked_at_and_is_what_is_chosen_from(build):
    policy = Slotted()
    survey = build.survey(build.grid(5), policy)
    offer = survey.offer()
    assert survey.offer().fields.tolist() == offer.fields.tolist()
    decision = survey.decide()
    assert policy.views == 1
    assert decision.field in offer.fields and decision.candidates == 3
    at = offer.fields.tolist().index(decision.field)
    assert decision.propensity == pytest.approx(offer.inclusion[at] / 3)
    other = build.survey(build.grid(5), Slotted())
    assert other.decide().field == decision.field  # whether one looked or not


def test_what_is_observed_makes_a_new_offer(build):
    policy = Slotted()
    survey = build.survey(build.grid(5), policy)
    first = survey.decide()
    survey.offer()
    survey.observe(first, Outcome(Y[:, first.field]))
    survey.offer()
    assert policy.views == 3


def test_policies_without_slots_offer_nothing(build):
    class Uniform:
        name, sha256, floored = "uniform", "7" * 64, True

        def propose(self, view):
            return Proposal(np.full(len(view.remaining), 1 / len(view.remaining)), "u")

    assert build.survey(build.grid(5), Uniform()).offer() is None


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        (Slotted(0), "draw 1: 0 slots"),
        (Slotted(2, batch=Batch(2, np.arange(5))), "slots come alone"),
        (Slotted(2, order=np.arange(4)), "path have 4 entries for 5 remaining"),
        (Slotted(2, weigh=lambda offer: np.array([1.0])), "1 probabilities for 2 slots"),
        (Slotted(2, weigh=lambda offer: np.array([0.7, 0.7])), "sum to 1.4"),
        (Slotted(2, weigh=lambda offer: np.array([np.nan, 1.0])), "has probability nan"),
    ],
)
def test_bad_slots_are_refused(build, policy, message):
    survey = build.survey(build.grid(5), policy)
    with pytest.raises(EstimationError, match=message):
        survey.decide()
    assert survey.pending == ()


@given(
    n=st.integers(2, 60),
    number=st.integers(1, 70),
    start=st.floats(0, 0.999),
    exploration=st.floats(0.05, 1),
    gone=st.integers(0, 57),
    seed=st.integers(0, 99),
)
def test_even_slots_are_uniform_ones_without_a_pass_over_the_fields(
    n, number, start, exploration, gone, seed
):
    rng = np.random.default_rng(seed)
    weight = rng.dirichlet(np.full(n, 5.0))
    prediction = Prediction(rng.random((2, n)), rng.uniform(0.01, 1, (2, n)))
    fields = np.sort(rng.permutation(n)[: max(2, n - gone)])
    left, sums = left_of(fields, weight, prediction), RunningSums(weight, prediction, np.arange(n))
    for field in np.setdiff1d(np.arange(n), fields).tolist():
        sums.take(field)
    even = Proposal(np.empty(0), "r", slots=Slots(number, None, greedy, even=True))
    plain = Proposal(np.full(len(fields), 1 / len(fields)), "r", slots=Slots(number, None, greedy))
    quick, slow = (offered(one, left, exploration, start, 1) for one in (even, plain))
    edge = (start + np.arange(min(number, len(fields)))) * len(fields) / number % 1.0
    assume(((edge > 1e-9) & (edge < 1 - 1e-9)).all() or number >= len(fields))  # or rounding decides
    assert quick.places.tolist() == slow.places.tolist()
    offers = [one.offer(left, np.ones(len(fields))) for one in (quick, slow)]
    for name in ("fields", "inclusion", "predicted", "spread"):
        np.testing.assert_allclose(*(getattr(offer, name) for offer in offers))
    targets = (Target("area_fraction", "phase", 0.05, None, 0.95),) * 2
    p = floored(greedy(offers[0]), exploration, 1)
    known = [
        fix_choice(1, one, p, 0, exploration, left, sums, targets, (True, False)) for one in (quick, slow)
    ]
    for one, other in zip(*known, strict=True):
        for item, same in zip(one, other, strict=True):
            np.testing.assert_allclose(item, same, rtol=1e-9)


def test_even_slots_do_not_reckon_with_another_spread(build):
    class Wrong:
        name, sha256, floored = "wrong", "8" * 64, True

        def propose(self, view):
            slots = Slots(2, None, greedy, even=True)
            return Proposal(np.empty(0), "r", slots=slots, spread=np.ones((1, len(view.remaining))))

    with pytest.raises(EstimationError, match="draw 1: even slots reckon with the predictor's spread"):
        build.survey(build.grid(5), Wrong()).decide()
