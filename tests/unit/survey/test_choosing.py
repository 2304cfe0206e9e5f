"""Slots: two phases, exactly unbiased however one chooses, and bounds that no choice breaks."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autoscope.core import EstimationError, Prediction
from autoscope.survey import Batch, Offer, Outcome, Proposal, Slots, TableSource, run, step
from autoscope.survey.choosing import fix_choice, offered
from autoscope.survey.drawing import floored

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


def outcomes(base, number, exploration, weigh, weight, prediction, target):
    """Every start and every choice: (probability, draw)."""
    proposal = Proposal(base, "r", slots=Slots(number, np.array([3, 1, 0, 4, 2]), weigh))
    fields = np.arange(5)
    inclusion = offered(proposal, base, fields, 0.5, 1).inclusion
    ends = np.unique(np.concatenate([[0.0, 1.0], np.cumsum(inclusion[proposal.slots.order]) % 1.0]))
    for low, high in pairwise(ends):
        if high - low < 1e-9:
            continue
        first = offered(proposal, base, fields, (low + high) / 2, 1)
        p = floored(weigh(first.offer(prediction, np.ones(5))), exploration, 1)
        for chosen, chance in enumerate(p):
            (draw,) = fix_choice(1, first, p, chosen, exploration, weight, prediction, (target,), (True,))
            yield (high - low) * chance, draw


@settings(max_examples=30, deadline=None)
@given(
    raw=arrays(float, 5, elements=st.floats(0.05, 1)),
    number=st.integers(1, 6),
    exploration=st.floats(0.05, 1),
    values=arrays(float, 5, elements=st.floats(0, 1)),
)
def test_the_first_draw_is_exactly_unbiased_and_within_its_bounds(raw, number, exploration, values):
    from autoscope.survey import Target

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
