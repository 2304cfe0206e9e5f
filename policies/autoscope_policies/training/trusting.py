"""In which of its choices a network is trusted: where it beat the rule beyond chance, on worlds of their own.

A network that is fitted to few, noisy episodes believes chance. So each choice is tried by itself: the rule
plays, but in this one choice the network may depart from it. A choice is trusted where that was better than
the rule, by a one-sided paired t test over worlds that had no say in the training, at a level that is divided
by the number of choices that were tried (Bonferroni). Where none is, the rule is what remains.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from autoscope_policies.learned.deference import Deference
from autoscope_policies.learned.network import Network
from autoscope_policies.training.problem import Chooser, Environment, as_action, masks_of

LEAST_RETURN = 1e-6
"""A return below this has no relative differences."""
LEAST_DEPARTURES = 8
"""Worlds in which the network must depart from the rule before a test says anything."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What came of a choice that was tried.

    Attributes:
        gain: mean of the paired differences of returns to the rule's, each over the larger of the two.
        standard_error: of it.
        departures: in how many worlds the network departed from the rule.
        p: one-sided.
    """

    gain: float
    standard_error: float
    departures: int
    p: float


@dataclass(frozen=True, slots=True)
class Trust:
    """What a network is trusted with.

    Attributes:
        deference: of the network.
        evidence: by the number of the choice.
        worlds: that were played.
    """

    deference: Deference
    evidence: Mapping[int, Evidence] = field(default_factory=dict)
    worlds: int = 0


@dataclass(frozen=True, slots=True)
class Deferring:
    """A network with its deference, as a chooser.

    Attributes:
        network: that chooses.
        deference: how far it yields.
        rule: to this.
    """

    network: Network
    deference: Deference
    rule: Chooser

    def __call__(
        self, observation: NDArray[np.floating], masks: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        """One index for each choice."""
        return self.deference.choose(self.network(observation, masks), self.rule(observation, masks))


def trust(
    network: Network,
    margin: float,
    rule: Chooser,
    environment: Environment,
    seeds: Sequence[int],
    confidence: float,
    tell: Callable[[int], None],
) -> Trust:
    """Tries each choice by itself.

    Args:
        network: trained.
        margin: of its deference.
        rule: the baseline.
        environment: of the evaluations.
        seeds: of the worlds.
        confidence: that a choice which is trusted is better than the rule's.
        tell: hears how many worlds were played.
    """
    count = len(network.sizes)
    alone = [
        Deferring(network, Deference(margin, tuple(k == only for k in range(count))), rule)
        for only in range(count)
    ]
    gains, departed = np.zeros((count, len(seeds))), np.zeros((count, len(seeds)), bool)
    for number, seed in enumerate(seeds):
        base, departed[:, number] = _played(environment, rule, seed, alone)
        for only in np.flatnonzero(departed[:, number]).tolist():
            found, _ = _played(environment, alone[only], seed, ())
            gains[only, number] = (found - base) / max(abs(found), abs(base), LEAST_RETURN)
        tell(number + 1)
    evidence = {k: _evidence(gains[k], int(departed[k].sum())) for k in range(count) if departed[k].any()}
    level = (1 - confidence) / max(1, len(evidence))
    trusted = tuple(k in evidence and evidence[k].p < level for k in range(count))
    return Trust(Deference(margin, trusted), evidence, len(seeds))


def _evidence(gains: NDArray[np.float64], departures: int) -> Evidence:
    from scipy.special import stdtr

    mean, error = float(gains.mean()), float(gains.std(ddof=1) / np.sqrt(len(gains)))
    enough = departures >= LEAST_DEPARTURES and error > 0
    return Evidence(mean, error, departures, float(stdtr(len(gains) - 1, -mean / error)) if enough else 1.0)


def _played(
    environment: Environment, choose: Chooser, seed: int, asked: Sequence[Chooser]
) -> tuple[float, NDArray[np.bool_]]:
    """Return of an episode, and which of those who were asked would have chosen otherwise in it."""
    observation, _ = environment.reset(seed=seed)
    total, over, otherwise = 0.0, False, np.zeros(len(asked), bool)
    while not over:
        masks = masks_of(environment)
        chosen = choose(observation, masks)
        for number in np.flatnonzero(~otherwise).tolist():
            otherwise[number] = not np.array_equal(asked[number](observation, masks), chosen)
        observation, reward, ended, cut, _ = environment.step(as_action(environment, chosen))
        total += float(reward)
        over = ended or cut
    return total, otherwise
