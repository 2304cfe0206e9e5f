"""Goals of one over the mean, and counts that found nothing."""

import math

import numpy as np
import pytest

from autoscope.estimation import Draw, Goal, QuantityTracker


def test_the_width_of_a_reciprocal_is_its_own():
    goal = Goal(0.0, 4.0, 0.95, 0.5, None, reciprocal=True)
    assert goal.wanted(0.1) == pytest.approx(0.005), "0.5 um of 10 um is 5 % of 0.1 per um"
    assert goal.reached(0.1, 1 / 10.5, 1 / 9.5)
    assert not goal.reached(0.1, 1 / 10.6, 1 / 9.5)
    assert not goal.reached(0.1, 0.0, 0.2), "an infinite end is never narrow"
    relative = Goal(0.0, 4.0, 0.95, None, 0.05, reciprocal=True)
    assert relative.wanted(0.1) == pytest.approx(0.005)
    assert relative.reached(0.1, 1 / 10.5, 1 / 9.5)


def follow(values, *, tier="standard", half_width=1.0, fairness=1.0, n_fields=1000, lost=()):
    """A tracker of counts, fields drawn one by one from a uniform design."""
    tracker = QuantityTracker(n_fields, Goal(0.0, 1e4, 0.95, half_width, None, one_feature=10.0), tier)
    for t, value in enumerate(values):
        left = n_fields - t
        draw = Draw(
            step=t + 1, fields=np.array([t]), weight=np.array([1 / n_fields]), predicted=np.array([0.0]),
            propensity=1 / left, predicted_rest=0.0, remaining=left, down=0.0, up=1e4 * left / n_fields,
            variance=1.0, fairness=fairness,
        )  # fmt: skip
        tracker.observe(draw, np.array([value]), np.array([t not in lost]))
    return tracker.reading


@pytest.mark.parametrize("tier", ["standard", "anytime"])
def test_finding_none_gives_the_rule_of_three(tier):
    reading = follow([0.0] * 60, tier=tier)
    assert (reading.estimate, reading.ci_low) == (0.0, 0.0)
    assert reading.ci_high == pytest.approx(-math.log(0.05) / 60 * 10.0)
    assert reading.met
    assert "rule of three" in reading.estimator


def test_a_design_that_neglects_places_has_seen_less():
    assert follow([0.0] * 60, fairness=0.2).ci_high == pytest.approx(-math.log(0.05) / 12 * 10.0)


def test_a_field_that_was_lost_counts_at_its_worst():
    reading = follow([0.0] * 60, lost={7})
    assert reading.ci_high == pytest.approx(-math.log(0.05) / 59 * 10.0 + 1e4 / 1000)


def test_no_target_is_met_on_a_few_empty_fields():
    assert not follow([0.0] * 20, half_width=100.0).met


def test_the_guaranteed_tier_takes_no_assumption_and_one_find_ends_the_rule():
    assert follow([0.0] * 60, tier="guaranteed").ci_high > 100.0
    assert "betting" in follow([0.0] * 59 + [10.0]).estimator


def test_finding_none_covers():
    """Independent features at the density where none on 60 fields has exactly the probability alpha."""
    rng, alpha, runs = np.random.default_rng(0), 0.05, 2000
    mean = -math.log(alpha) / 60  # features on a field
    none = (rng.poisson(mean, (runs, 60)).sum(axis=1) == 0).mean()
    assert none == pytest.approx(alpha, abs=3 * math.sqrt(alpha / runs))
    assert follow([0.0] * 60).ci_high / 10.0 == pytest.approx(mean)
