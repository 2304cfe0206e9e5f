"""Contrasts: whole episodes of the same worlds under different constant choices tell what an option is worth.

Where chance moves an episode's return far more than any choice does, learning from single returns takes very
many of them. Played again with the same seed, an episode has the same world and the same random numbers, so
the difference between two plays is mostly that between the choices (common random numbers; Glasserman & Yao,
Manage. Sci. 38 (1992) 884). A network is fitted to these differences: a contextual bandit with the rule's own
play as the baseline of each world.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from autoscope.core import component_rng
from autoscope_policies.learned.network import split_masks
from autoscope_policies.training.evaluation import episode_seeds
from autoscope_policies.training.problem import Chooser, Environment, as_action, masks_of
from autoscope_policies.training.settings import ContrastSettings

STATES = 8
"""Observations that are kept of a world, spread over the rule's episode."""
HELD_OUT = 0.2
"""Share of the worlds that decide when the fit ends."""
FAINT = 0.01
"""What the last layer begins with, of its usual weights: at first no option is worth anything."""
LEAST_RETURN = 1e-6
"""A rule's return below this has no relative differences."""


@dataclass(frozen=True, slots=True)
class Contrasts:
    """What episodes under other choices brought, against the rule's.

    Attributes:
        observations: ``n x observations``, of the rule's episodes.
        world: ``n``, which world each is of.
        actions: ``worlds x plays x choices``.
        gains: ``worlds x plays``, return less the rule's, over the larger of the two; 0 for the rule.
        rule: ``n x choices``, what the rule chose on each observation.
        departs: ``worlds x plays x choices``, whether a play leaves the rule in a choice.
    """

    observations: NDArray[np.float32]
    world: NDArray[np.intp]
    actions: NDArray[np.int64]
    gains: NDArray[np.float64]
    rule: NDArray[np.int64]
    departs: NDArray[np.bool_]


def play_contrasts(
    environment: Environment,
    rule: Chooser,
    settings: ContrastSettings,
    sizes: tuple[int, ...],
    seed: int,
    tell: Callable[[int], None],
) -> Contrasts:
    """Plays each world under the rule and under constant choices around it.

    Each choice is left to the rule with probability one half, otherwise any option that is allowed at the
    beginning is kept to the end.

    Args:
        environment: one of training.
        rule: the baseline.
        settings: how many.
        sizes: how many options each choice has.
        seed: of the worlds and the choices.
        tell: hears how many worlds were played.
    """
    rng = component_rng(seed, "contrasts")
    seen, world, actions, departs, gains, rules = [], [], [], [], [], []
    for number, episode in enumerate(episode_seeds(seed, "contrasts", settings.worlds)):
        states, chosen, base, masks = _watched(environment, rule, episode)
        seen += states
        rules += chosen
        world += [number] * len(states)
        drawn = np.array([_drawn(rng, masks, sizes) for _ in range(settings.plays)])
        away = rng.random(drawn.shape) < 0.5
        actions.append(drawn)
        departs.append(away)
        returns = np.array(
            [
                _departing(environment, rule, action, leaves, episode)
                for action, leaves in zip(drawn, away, strict=True)
            ]
        )
        gains.append((returns - base) / np.maximum(np.maximum(np.abs(returns), abs(base)), LEAST_RETURN))
        tell(number + 1)
    return Contrasts(
        np.array(seen, np.float32),
        np.array(world, np.intp),
        np.array(actions),
        np.array(gains),
        np.array(rules),
        np.array(departs),
    )


def fit_contrasts(
    model: BaseAlgorithm,
    environments: VecNormalize,
    found: Contrasts,
    settings: ContrastSettings,
    sizes: tuple[int, ...],
    seed: int,
    hear: Callable[[int, float, float], None] = lambda *_: None,
) -> float:
    """Fits the network's outputs to the gains: what a play gained is the sum of what its options are worth.

    A share of the worlds is held out; the weights are those that explained them best. The outputs become
    logits: an option that gains the temperature more than another is e times as likely.

    Args:
        model: one of the PPO family.
        environments: their normalisation learns from what was seen.
        found: the plays.
        settings: how.
        sizes: how many options each choice has.
        seed: of the order.
        hear: hears after each pass its number, from 0 (before the first), and which share of the gains'
            variance is unexplained in the worlds that are learnt from and in those held out.

    Returns:
        Share of the gains' variance that the fit explains in the worlds that were held out.
    """
    environments.obs_rms.update(found.observations)
    rows = _Rows(found, np.asarray(environments.normalize_obs(found.observations)), sizes)
    policy: Any = model.policy
    parameters = [*policy.mlp_extractor.policy_net.parameters(), *policy.action_net.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay)
    rng = np.random.default_rng(seed)
    worlds = rng.permutation(len(found.gains))
    held_out = np.isin(found.world, worlds[: max(1, round(HELD_OUT * len(worlds)))])
    with torch.no_grad():
        policy.action_net.weight.mul_(FAINT)
        policy.action_net.bias.zero_()
    best, kept = rows.error(policy, held_out, settings.temperature), _copied(parameters)
    nothing = rows.error_of_nothing(held_out)

    def tell(number: int, error: float) -> None:
        learnt = rows.error(policy, ~held_out, settings.temperature)
        hear(number, _unexplained(learnt, rows.error_of_nothing(~held_out)), _unexplained(error, nothing))

    tell(0, best)
    for number in range(1, settings.epochs + 1):
        order = rng.permutation(np.flatnonzero(~held_out))
        for start in range(0, len(order), settings.batch):
            loss = rows.loss(policy, order[start : start + settings.batch], settings.temperature)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        error = rows.error(policy, held_out, settings.temperature)
        if error < best:
            best, kept = error, _copied(parameters)
        tell(number, error)
    with torch.no_grad():
        for parameter, value in zip(parameters, kept, strict=True):
            parameter.copy_(value)
    return 1 - _unexplained(best, nothing)


def _unexplained(error: float, nothing: float) -> float:
    """Share of the variance that is left; all of it where there is none."""
    return error / nothing if nothing > 0 else 1.0


class _Rows:
    """The plays as the fit wants them."""

    def __init__(self, found: Contrasts, observations: NDArray[Any], sizes: tuple[int, ...]) -> None:
        self._observations = torch.as_tensor(observations)
        self._inputs, self._gains, self._weight = _design_rows(found, sizes)
        self._world = torch.as_tensor(found.world)

    def loss(self, policy: Any, chosen: NDArray[np.intp], temperature: float) -> Any:
        """Weighted mean squared error of the gains that the chosen states foretell."""
        at = torch.as_tensor(chosen)
        world = self._world[at]
        worth = _outputs(policy, self._observations[at]) * temperature
        said = torch.einsum("bo,bpo->bp", worth, self._inputs[at])
        return ((said - self._gains[world]) ** 2 * self._weight[world]).mean()

    @torch.no_grad()
    def error(self, policy: Any, these: NDArray[np.bool_], temperature: float) -> float:
        """The loss over some states."""
        return float(self.loss(policy, np.flatnonzero(these), temperature))

    def error_of_nothing(self, these: NDArray[np.bool_]) -> float:
        """The loss where every option is worth nothing."""
        world = self._world[torch.as_tensor(np.flatnonzero(these))]
        return float((self._gains[world] ** 2 * self._weight[world]).mean())


def _copied(parameters: list[Any]) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in parameters]


def _watched(
    environment: Environment, rule: Chooser, seed: int
) -> tuple[list[NDArray[np.floating]], list[NDArray[np.int64]], float, NDArray[np.bool_] | None]:
    """Some states of the rule's episode, what it did there, its return, and what it could have done first."""
    observation, _ = environment.reset(seed=seed)
    first = masks_of(environment)
    states, actions, total, over = [], [], 0.0, False
    while not over:
        chosen = rule(observation, masks_of(environment))
        states.append(observation)
        actions.append(chosen)
        observation, reward, ended, cut, _ = environment.step(as_action(environment, chosen))
        total += float(reward)
        over = ended or cut
    kept = np.unique(np.linspace(0, len(states) - 1, STATES).round().astype(int))
    return [states[place] for place in kept], [actions[place] for place in kept], total, first


def _departing(
    environment: Environment,
    rule: Chooser,
    action: NDArray[np.int64],
    departs: NDArray[np.bool_],
    seed: int,
) -> float:
    """Return of the rule's episode with some of its choices kept constant to the end."""
    observation, _ = environment.reset(seed=seed)
    total, over = 0.0, False
    while not over:
        chosen = np.where(departs, action, rule(observation, masks_of(environment)))
        observation, reward, ended, cut, _ = environment.step(as_action(environment, chosen))
        total += float(reward)
        over = ended or cut
    return total


def _drawn(
    rng: np.random.Generator, masks: NDArray[np.bool_] | None, sizes: tuple[int, ...]
) -> NDArray[np.int64]:
    allowed = split_masks(np.ones(sum(sizes), bool) if masks is None else masks, sizes)
    return np.array([int(rng.choice(np.flatnonzero(mask))) for mask in allowed], np.int64)


def _design_rows(found: Contrasts, sizes: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Inputs, gains and weights of the plays.

    Inputs are ``n x plays x options``: where a play leaves the rule in a choice, 1 for what it chose, less 1
    for what the rule did on the observation. Gains and weights are ``worlds x plays``.

    Gains weigh less the more they scatter within their world, so that worlds in which one choice is a
    disaster do not decide everything.
    """
    actions, departs = found.actions[found.world], found.departs[found.world]
    inputs = np.zeros((*departs.shape[:2], sum(sizes)), np.float32)
    rows, plays = np.indices(departs.shape[:2])
    for choice, start in enumerate(np.cumsum([0, *sizes[:-1]])):
        away = departs[..., choice].astype(np.float32)
        usual = np.broadcast_to(found.rule[:, None, choice], rows.shape)
        np.add.at(inputs, (rows, plays, start + actions[..., choice]), away)
        np.add.at(inputs, (rows, plays, start + usual), -away)
    gains = found.gains.astype(np.float32)
    weight = 1 / (0.05 + gains.std(axis=1, keepdims=True)) * np.ones_like(gains)
    return torch.as_tensor(inputs), torch.as_tensor(gains), torch.as_tensor(weight / weight.mean())


def _outputs(policy: Any, observations: torch.Tensor) -> torch.Tensor:
    latent = policy.mlp_extractor.policy_net(
        policy.extract_features(observations, policy.pi_features_extractor)
    )
    outputs: torch.Tensor = policy.action_net(latent)
    return outputs
