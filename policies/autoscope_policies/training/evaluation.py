"""How good a policy is: the same episodes for every policy, so that differences are the policies' own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import TrainingError, component_rng
from autoscope_policies.learned.card import ScoreCard
from autoscope_policies.training.problem import Chooser, Environment, as_action, masks_of

BEAM_TIME = "beam_time_s"
"""Entry of an environment's ``info`` with the seconds that the episode has taken."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a policy reached.

    Attributes:
        returns: sum of the rewards of each episode.
        beam_times_s: seconds that each took; empty where the environment does not tell.
    """

    returns: NDArray[np.float64]
    beam_times_s: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """Mean return."""
        return float(self.returns.mean())

    @property
    def standard_error(self) -> float:
        """Of the mean return."""
        return _standard_error(self.returns)

    @property
    def beam_time_s(self) -> float | None:
        """Mean beam time; None where the environment does not tell."""
        return float(self.beam_times_s.mean()) if len(self.beam_times_s) else None

    def gain(self, other: Evaluation) -> tuple[float, float]:
        """Mean of the paired differences to what another policy reached in these episodes, and its error."""
        difference = self.returns - other.returns
        return float(difference.mean()), _standard_error(difference)


def episode_seeds(seed: int, purpose: str, count: int) -> list[int]:
    """Seeds of the episodes of a pool, the same for everyone who asks for this pool."""
    return [int(one) for one in component_rng(seed, f"episodes of {purpose}").integers(2**31, size=count)]


def evaluate(choose: Chooser, environment: Environment, seeds: Sequence[int]) -> Evaluation:
    """Plays one episode for each seed.

    Args:
        choose: the policy.
        environment: where; only its episodes' seeds decide what happens in it.
        seeds: of the episodes.

    Raises:
        TrainingError: a reward is not a finite number.
    """
    returns, times_s = [], []
    for seed in seeds:
        observation, info = environment.reset(seed=seed)
        total, over = 0.0, False
        while not over:
            chosen = choose(observation, masks_of(environment))
            observation, reward, ended, cut, info = environment.step(as_action(environment, chosen))
            total += float(reward)
            over = ended or cut
        if not math.isfinite(total):
            raise TrainingError(f"the return of the validation episode with seed {seed} is {total}")
        returns.append(total)
        if BEAM_TIME in info:
            times_s.append(float(info[BEAM_TIME]))
    return Evaluation(np.array(returns), np.array(times_s))


def score(found: Evaluation, rule: Evaluation | None) -> ScoreCard:
    """What the card says of a policy, compared with the rule in the same episodes."""
    gain, error = (None, None) if rule is None else found.gain(rule)
    return ScoreCard(
        episodes=len(found.returns),
        mean_return=found.mean,
        standard_error=found.standard_error,
        mean_beam_time_s=found.beam_time_s,
        rule_return=None if rule is None else rule.mean,
        gain=gain,
        gain_standard_error=error,
    )


def _standard_error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values)))
