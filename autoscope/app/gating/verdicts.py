"""What the episodes say: paired differences, coverage, and whether the gate is passed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtr, stdtrit

from autoscope.app.benchmarking.episode import Episode
from autoscope.app.benchmarking.scoring import MONTE_CARLO_CONFIDENCE, clopper_pearson, covers, standard_error

CONFIDENCE = 0.95
"""Of the intervals of differences."""
LEAST_COVERAGE, MOST_COVERAGE = 0.93, 0.97
"""Between which the coverage of 95 % intervals is to lie."""

FamilyVerdict = Literal["pass", "not worse", "worse"]
Verdict = Literal["pass", "not worse", "fail"]


@dataclass(frozen=True, slots=True)
class Paired:
    """A difference over episodes with the same random numbers.

    Attributes:
        mean: of the differences, seconds.
        low: lower end of its 95 % t interval.
        high: upper end.
        p: of the two-sided paired t test.
        relative: the mean over that of the policy that is compared with.
    """

    mean: float
    low: float
    high: float
    p: float
    relative: float


@dataclass(frozen=True, slots=True)
class PolicyRow:
    """One policy on one family.

    Attributes:
        policy: its name.
        beam_time_s: mean.
        beam_time_s_se: its standard error.
        fields: mean.
        reached: share of episodes that reached all targets.
        coverage: share of the reported intervals that hold the truth.
        coverage_low: lower end of its exact 99 % interval.
        coverage_high: upper end.
    """

    policy: str
    beam_time_s: float
    beam_time_s_se: float
    fields: float
    reached: float
    coverage: float
    coverage_low: float
    coverage_high: float


@dataclass(frozen=True, slots=True)
class FamilyResult:
    """The gate on one family.

    Attributes:
        family: its name.
        static: the tuned design, in words.
        best_rule: name of the policy that the learned one is compared with.
        rows: one for each policy.
        by_seed: each learned policy less the best rule.
        pooled: the mean of the learned policies less the best rule.
        naive: the same less naive practice.
        p_adjusted: of ``pooled``, after Holm over the families.
        verdict: of this family.
    """

    family: str
    static: str
    best_rule: str
    rows: tuple[PolicyRow, ...]
    by_seed: tuple[Paired, ...]
    pooled: Paired
    naive: Paired
    p_adjusted: float
    verdict: FamilyVerdict


def row_of(name: str, episodes: Sequence[Episode]) -> PolicyRow:
    """The row of a policy, or of several whose episodes are put together."""
    times = beam_times(episodes)
    answers = [answer for episode in episodes for answer in episode.answers]
    hits = sum(covers(answer.ci_low, answer.ci_high, 0.0) for answer in answers)
    low, high = clopper_pearson(hits, len(answers), MONTE_CARLO_CONFIDENCE)
    return PolicyRow(
        policy=name,
        beam_time_s=float(times.mean()),
        beam_time_s_se=standard_error(times),
        fields=float(np.mean([episode.fields for episode in episodes])),
        reached=float(np.mean([all(answer.met for answer in episode.answers) for episode in episodes])),
        coverage=hits / len(answers),
        coverage_low=low,
        coverage_high=high,
    )


def beam_times(episodes: Sequence[Episode]) -> NDArray[np.float64]:
    """``episodes``, seconds."""
    return np.array([episode.beam_time_s for episode in episodes])


def paired_difference(mine: NDArray[np.float64], other: NDArray[np.float64]) -> Paired:
    """The paired t test of two policies' seconds on the same worlds (Student, Biometrika 6 (1908) 1).

    Args:
        mine: ``n`` seconds.
        other: ``n`` seconds, on the same worlds in the same order.
    """
    difference = mine - other
    mean, error, freedom = float(difference.mean()), standard_error(difference), len(difference) - 1
    half = float(stdtrit(freedom, 0.5 + CONFIDENCE / 2)) * error
    never = 1.0 if mean == 0 else 0.0  # differences that are all the same
    p = 2 * float(stdtr(freedom, -abs(mean) / error)) if error > 0 else never
    return Paired(mean, mean - half, mean + half, p, mean / float(other.mean()))


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p values of several tests (Holm, Scand. J. Stat. 6 (1979) 65)."""
    adjusted, largest = [0.0] * len(p), 0.0
    for rank, at in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        largest = max(largest, min(1.0, (len(p) - rank) * p[at]))
        adjusted[at] = largest
    return tuple(adjusted)


def family_verdict(pooled: Paired, p_adjusted: float, significance: float) -> FamilyVerdict:
    """Whether the learned policies are better than the best rule, worse, or neither can be said."""
    if p_adjusted >= significance:
        return "not worse"
    return "pass" if pooled.mean < 0 else "worse"


def gate_verdict(
    families: Sequence[FamilyResult], learned: Sequence[PolicyRow], seeds: int, least_seeds: int
) -> tuple[Verdict, str]:
    """The gate's verdict, and why (METHODS section 4).

    Args:
        families: their results.
        learned: the learned policies' row in each family.
        seeds: how many learned policies there are, each of its own training seed.
        least_seeds: how many are needed.
    """
    worse = [f.family for f in families if f.verdict == "worse"]
    better = [f.family for f in families if f.verdict == "pass"]
    dishonest = [
        f.family for f, row in zip(families, learned, strict=True) if row.coverage_high < LEAST_COVERAGE
    ]
    if worse:
        return "fail", f"slower than the best rule on {'; '.join(worse)}: the rule stays the default"
    if dishonest:
        return "fail", (
            f"intervals hold the truth too rarely on {'; '.join(dishonest)}: the rule stays the default"
        )
    if not better:
        return "not worse", "nowhere slower and nowhere faster than the best rule: the rule stays the default"
    if seeds < least_seeds:
        return "not worse", (
            f"faster than the best rule on {'; '.join(better)}, but with {seeds} training"
            f" seed{'s' * (seeds != 1)} where {least_seeds} are needed: the rule stays the default"
        )
    return "pass", f"faster than the best rule on {'; '.join(better)}, and nowhere slower"
