"""The gate's statistics: against scipy, by hand, and every verdict there is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autoscope.app.benchmarking.episode import Answer, Episode
from autoscope.app.gating.verdicts import (
    FamilyResult,
    Paired,
    PolicyRow,
    family_verdict,
    gate_verdict,
    holm,
    paired_difference,
    row_of,
)


def test_the_paired_test_is_students():
    rng = np.random.default_rng(2)
    other = rng.gamma(3.0, 100.0, 40)
    mine = other * 0.95 + rng.normal(0, 20, 40)
    found, wanted = paired_difference(mine, other), stats.ttest_rel(mine, other)
    assert found.p == pytest.approx(wanted.pvalue)
    interval = wanted.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.relative == pytest.approx((mine.mean() - other.mean()) / other.mean())


def test_no_difference_at_all():
    same = paired_difference(np.array([3.0, 4.0]), np.array([3.0, 4.0]))
    assert (same.mean, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 1.0)
    always = paired_difference(np.array([2.0, 3.0]), np.array([3.0, 4.0]))
    assert (always.mean, always.p) == (-1.0, 0.0)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx((0.03, 0.06, 0.06))
    assert holm([0.9, 0.8]) == pytest.approx((1.0, 1.0))
    assert holm([0.02]) == (0.02,)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_keeps_the_order_and_never_helps(p):
    adjusted = holm(p)
    assert all(0 <= before <= after <= 1 for before, after in zip(p, adjusted, strict=True))
    order = np.argsort(p, kind="stable")
    assert (np.diff(np.array(adjusted)[order]) >= 0).all()


def test_holm_keeps_the_familywise_error():
    """With no difference anywhere, hardly more than one gate in twenty sees one."""
    rng = np.random.default_rng(8)
    false = sum(min(holm(rng.random(6).tolist())) < 0.05 for _ in range(4000))
    assert false / 4000 == pytest.approx(0.05, abs=0.012)


def test_a_row_by_hand():
    hit, miss, none = (
        Answer(0.1, -0.1, 0.3, True),
        Answer(0.3, 0.2, 0.4, False),
        Answer(0.0, None, None, True),
    )
    episodes = [Episode("k", 0, 50, 100.0, (hit, hit)), Episode("k", 1, 70, 140.0, (miss, none))]
    row = row_of("rule", episodes)
    assert (row.beam_time_s, row.fields, row.reached, row.coverage) == (120.0, 60.0, 0.5, 0.5)
    assert row.beam_time_s_se == pytest.approx(20.0)
    assert row.coverage_low < 0.5 < row.coverage_high


@pytest.mark.parametrize(
    ("mean", "p", "verdict"),
    [(-5.0, 0.01, "pass"), (5.0, 0.01, "worse"), (-5.0, 0.2, "not worse"), (5.0, 0.05, "not worse")],
)
def test_family_verdicts(mean, p, verdict):
    assert family_verdict(Paired(mean, mean - 1, mean + 1, p / 2, mean / 100), p, 0.05) == verdict


def result(verdict, name="phase, quick stage"):
    paired = Paired(-1.0, -2.0, 0.0, 0.04, -0.01)
    return FamilyResult(name, "", "rule", (), (paired,), paired, paired, 0.04, verdict)


def learned(high=0.96):
    return PolicyRow("learned", 1.0, 0.1, 60.0, 1.0, 0.95, 0.9, high)


@pytest.mark.parametrize(
    ("families", "seeds", "high", "verdict", "word"),
    [
        (("pass", "not worse"), 3, 0.96, "pass", "faster than the best rule on family 0"),
        (("pass", "worse"), 5, 0.96, "fail", "slower than the best rule on family 1"),
        (("not worse", "not worse"), 5, 0.96, "not worse", "nowhere slower and nowhere faster"),
        (("pass", "pass"), 2, 0.96, "not worse", "2 training seeds where 3 are needed"),
        (("pass", "pass"), 5, 0.92, "fail", "hold the truth too rarely"),
    ],
)
def test_gate_verdicts(families, seeds, high, verdict, word):
    results = [result(one, f"family {n}") for n, one in enumerate(families)]
    found, why = gate_verdict(results, [learned(high)] * len(results), seeds, 3)
    assert found == verdict and word in why
    assert ("the rule stays the default" in why) == (verdict != "pass")
