"""Do the intervals cover what they say? Seeded simulations; the limits allow for their own scatter."""

import numpy as np
import pytest
from scipy.special import betaincinv

from autoscope.perception.overview_predictor import OverviewPredictor
from autoscope.survey import Proposal, TableSource, run
from autoscope_policies import make_policy

SIDE = 30


def banded(rng):
    """A common phase in bands along the rows, with scatter; and what an overview would say of it."""
    bands = np.clip(np.sin(2 * np.pi * np.arange(SIDE)[:, None] / 7.3 + rng.random() * 6), 0, None)
    y = np.clip(0.1 + 0.25 * bands + 0.06 * rng.standard_normal((SIDE, SIDE)), 0, 1).ravel()
    return y, np.column_stack([y + 0.05 * rng.standard_normal(y.size), rng.standard_normal((y.size, 4))])


def rare(rng):
    """A rare phase in a few clusters; the overview sees it dimly."""
    x, z = np.meshgrid(np.arange(SIDE), np.arange(SIDE))
    y = np.zeros((SIDE, SIDE))
    for _ in range(8):
        cx, cz = rng.uniform(0, SIDE, 2)
        y += 0.5 * np.exp(-((x - cx) ** 2 + (z - cz) ** 2) / 3.0)
    y = np.where(y > 0.05, np.clip(y, 0, 1), 0.0).ravel()
    return y, np.column_stack([y + 0.1 * rng.standard_normal(y.size), rng.standard_normal((y.size, 4))])


class Avoiding:
    """Goes where least is predicted: the phase is found only by the floor."""

    name, sha256, floored = "avoiding", "2" * 64, True

    def propose(self, view):
        f = view.prediction.value[0, view.remaining]
        q = np.exp(-200 * (f - f.min()))
        return Proposal(q / q.sum(), "least")


class Hunting:
    """Goes where most is predicted, all weight on one field."""

    name, sha256, floored = "hunting", "3" * 64, True

    def propose(self, view):
        q = np.zeros(len(view.remaining))
        q[np.argmax(view.prediction.value[0, view.remaining])] = 1.0
        return Proposal(q, "most")


class Impatient:
    """Changes its mind with the width of the interval: a policy that would stop on luck if it could."""

    name, sha256, floored = "impatient", "4" * 64, True

    def propose(self, view):
        f = view.prediction.value[0, view.remaining]
        raw = f + 1e-3 if view.drawn % 2 or view.half_width[0] > 0.1 else 1.001 - f
        return Proposal(raw / raw.sum(), "moody")


def simulate(build, make_population, policy, sessions, *, tier="standard", half_width, exploration=0.2):
    """Hits, mean error and mean number of fields over sessions, each on its own population."""
    grid = build.grid(SIDE, SIDE)
    hits, errors, fields = 0, [], []
    for seed in range(sessions):
        y, features = make_population(np.random.default_rng(seed))
        survey = build.survey(
            grid, policy, predictor=OverviewPredictor(len(grid), 0.0, 1.0, [features]), seed=seed, tier=tier,
            targets=(build.target(half_width),), exploration=exploration,
        )  # fmt: skip
        fields.append(run(survey, TableSource(y)))
        state = survey.states()[0]
        hits += state.ci_low - 1e-9 <= y.mean() <= state.ci_high + 1e-9
        errors.append(state.estimate - y.mean())
    return hits, float(np.mean(errors)), float(np.mean(fields))


def upper(hits, count, level=0.999):
    """Clopper-Pearson upper limit of a coverage."""
    return 1.0 if hits == count else float(betaincinv(hits + 1, count - hits, level))


def lower(hits, count, level=0.999):
    """Clopper-Pearson lower limit."""
    return 0.0 if hits == 0 else float(betaincinv(hits, count - hits + 1, 1 - level))


def test_a_short_look_at_the_standard_tier(build):
    hits, bias, fields = simulate(build, banded, make_policy("uniform"), 60, half_width=0.015)
    assert upper(hits, 60) > 0.95
    assert abs(bias) < 0.3 * 0.015
    assert 50 < fields < 300


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["uniform", "proportional", "systematic"])
@pytest.mark.parametrize(("make_population", "half_width"), [(banded, 0.012), (rare, 0.008)])
def test_the_standard_tier_covers(build, policy, make_population, half_width):
    hits, bias, _ = simulate(build, make_population, make_policy(policy), 150, half_width=half_width)
    assert upper(hits, 150) > 0.95 and lower(hits, 150) < 0.97
    assert abs(bias) < 0.2 * half_width


@pytest.mark.slow
@pytest.mark.parametrize("policy", [Avoiding(), Hunting(), Impatient()], ids=lambda policy: policy.name)
def test_the_guaranteed_tier_covers_under_hostile_policies(build, policy):
    hits, _, _ = simulate(build, rare, policy, 100, tier="guaranteed", half_width=0.02, exploration=0.5)
    assert upper(hits, 100, 0.99) >= 0.95
    assert hits >= 0.95 * 100


def test_a_short_look_at_the_guaranteed_tier_under_a_hostile_policy(build):
    hits, _, _ = simulate(build, rare, Hunting(), 25, tier="guaranteed", half_width=0.03, exploration=0.5)
    assert hits >= 24
