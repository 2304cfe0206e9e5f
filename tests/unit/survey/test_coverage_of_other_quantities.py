"""Do the intervals of counts and grain size cover? Sessions on tables of clustered counts and crossings."""

import numpy as np
import pytest
from scipy.special import betaincinv

from autoscope.app.config import TargetConfig
from autoscope.app.preparing import predictor_of
from autoscope.app.targets import target_measure
from autoscope.core import ImagingSettings
from autoscope.survey import TableSource, run
from autoscope_policies import make_policy

SIDE = 30
REFERENCE = ImagingSettings(40.0, 128, 128, 1.0)


def target_of(quantity, **options):
    document = {"quantity": quantity, "class": "oxide", **options}
    return target_measure(TargetConfig.model_validate(document), REFERENCE).target


def counts(rng):
    """Inclusions per mm2 on fields of 40 um: a Poisson background and clusters of geometric richness."""
    number = rng.poisson(0.4, (SIDE, SIDE))
    for _ in range(60):
        x, y = np.clip(
            np.round(rng.normal(rng.uniform(0, SIDE, 2), 0.6, (rng.geometric(0.2), 2))), 0, SIDE - 1
        ).T
        np.add.at(number, (y.astype(int), x.astype(int)), 1)
    y = number.ravel() / 1600.0 * 1e6
    seen = y + 300.0 * rng.standard_normal(y.size)
    return y, np.column_stack([seen, rng.standard_normal((y.size, 3))])


def crossings(rng):
    """Boundaries per um, finer in bands: about 4 to 10 grains across a field, as counted on 256 lines."""
    bands = 1 + 0.4 * np.sin(2 * np.pi * np.arange(SIDE)[:, None] / 8 + 6 * rng.random())
    y = rng.gamma(25, 0.16 * bands.repeat(SIDE, axis=1) / 25).ravel()
    return y, np.column_stack([y + 0.03 * rng.standard_normal(y.size), rng.standard_normal((y.size, 3))])


def simulate(build, make_population, target, policy, sessions, *, tier="standard", exploration=0.3):
    """Hits, mean relative error and mean number of fields, each session on its own population."""
    grid, hits, errors, fields = build.grid(SIDE, SIDE), 0, [], []
    for seed in range(sessions):
        y, features = make_population(np.random.default_rng(seed))
        survey = build.survey(
            grid, make_policy(policy), predictor=predictor_of(len(grid), (target,), [features]), seed=seed,
            tier=tier, targets=(target,), exploration=exploration,
        )  # fmt: skip
        fields.append(run(survey, TableSource(y)))
        state, truth = survey.states()[0], target.reported(float(y.mean()))
        assert state.met
        hits += state.ci_low * (1 - 1e-9) <= truth <= state.ci_high * (1 + 1e-9)
        errors.append(state.estimate / truth - 1)
    return hits, float(np.mean(errors)), float(np.mean(fields))


def upper(hits, count, level=0.999):
    """Clopper-Pearson upper limit of a coverage."""
    return 1.0 if hits == count else float(betaincinv(hits + 1, count - hits, level))


CASES = [
    pytest.param(
        counts, {"quantity": "inclusions_per_mm2", "relative": 0.2, "min_feature_um": 1.0}, id="counts"
    ),
    pytest.param(crossings, {"quantity": "grain_size", "relative": 0.04}, id="grains"),
]


@pytest.mark.parametrize(("population", "document"), CASES)
def test_a_short_look(build, population, document):
    target = target_of(**document)
    hits, bias, fields = simulate(build, population, target, "uniform", 12)
    assert upper(hits, 12) > 0.95
    assert abs(bias) < target.relative
    assert 50 <= fields < 600


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["uniform", "proportional", "active", "systematic"])
@pytest.mark.parametrize(("population", "document"), CASES)
def test_the_standard_tier_covers(build, population, document, policy):
    target = target_of(**document)
    hits, bias, _ = simulate(build, population, target, policy, 150)
    assert upper(hits, 150) > 0.95
    assert abs(bias) < 0.25 * target.relative


@pytest.mark.slow
@pytest.mark.parametrize("tier", ["anytime", "guaranteed"])
@pytest.mark.parametrize(("population", "document"), CASES)
def test_the_other_tiers_cover(build, population, document, tier):
    highest = {"counts": 20_000.0, "crossings": 1.0}[population.__name__]
    target = target_of(**{**document, "relative": 2 * document["relative"], "highest": highest})
    hits, _, _ = simulate(build, population, target, "uniform", 60, tier=tier, exploration=0.5)
    assert upper(hits, 60, 0.99) >= 0.95
