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
        rule: ``worlds x choices``, what the rule chose at the beginning.
    """

    observations: NDArray[np.float32]
    world: NDArray[np.intp]
    actions: NDArray[np.int64]
    gains: NDArray[np.float64]
    rule: NDArray[np.int64]


def play_contrasts(
    environment: Environment,
    rule: Chooser,
    settings: ContrastSettings,
    sizes: tuple[int, ...],
    seed: int,
    tell: Callable[[int], None],
) -> Contrasts:
    """Plays each world under the rule and under constant choices around it.

    Each choice is the rule's with probability one half, otherwise any that is allowed at the beginning.

    Args:
        environment: one of training.
        rule: the baseline.
        settings: how many.
        sizes: how many options each choice has.
        seed: of the worlds and the choices.
        tell: hears how many worlds were played.
    """
    rng = component_rng(seed, "contrasts")
    seen, world, actions, gains, rules = [], [], [], [], []
    for number, episode in enumerate(episode_seeds(seed, "contrasts", settings.worlds)):
        states, base, first, masks = _watched(environment, rule, episode)
        seen += states
        world += [number] * len(states)
        rules.append(first)
        drawn = np.array([_near(rng, first, masks, sizes) for _ in range(settings.plays)])
        actions.append(drawn)
        returns = np.array([_constant(environment, action, episode) for action in drawn])
        gains.append((returns - base) / np.maximum(np.maximum(np.abs(returns), abs(base)), LEAST_RETURN))
        tell(number + 1)
    return Contrasts(
        np.array(seen, np.float32),
        np.array(world, np.intp),
        np.array(actions),
        np.array(gains),
        np.array(rules),
    )


def fit_contrasts(
    model: BaseAlgorithm,
    environments: VecNormalize,
    found: Contrasts,
    settings: ContrastSettings,
    sizes: tuple[int, ...],
    seed: int,
) -> float:
    """Fits the network's outputs to the gains: what a play gained is the sum of what its options are worth.

    A share of the worlds is held out; the weights are those that explained them best, and an option must
    promise the caution more than the rule's before it is preferred. The outputs become logits: an option that
    gains the temperature more than another is e times as likely.

    Args:
        model: one of the PPO family.
        environments: their normalisation learns from what was seen.
        found: the plays.
        settings: how.
        sizes: how many options each choice has.
        seed: of the order.

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
    for _ in range(settings.epochs):
        order = rng.permutation(np.flatnonzero(~held_out))
        for start in range(0, len(order), settings.batch):
            loss = rows.loss(policy, order[start : start + settings.batch], settings.temperature)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        error = rows.error(policy, held_out, settings.temperature)
        if error < best:
            best, kept = error, _copied(parameters)
    with torch.no_grad():
        for parameter, value in zip(parameters, kept, strict=True):
            parameter.copy_(value)
        _prefer_rule(policy.action_net.bias, found.rule, sizes, settings.caution / settings.temperature)
    return 1 - best / nothing if nothing > 0 else 0.0


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
        said = torch.einsum("bo,bpo->bp", worth, self._inputs[world])
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


def _prefer_rule(bias: torch.Tensor, rule: NDArray[np.int64], sizes: tuple[int, ...], by: float) -> None:
    """Adds to the outputs of the options that the rule chose in most worlds."""
    for choice, start in enumerate(np.cumsum([0, *sizes[:-1]]).tolist()):
        usual = int(np.bincount(rule[:, choice], minlength=sizes[choice]).argmax())
        bias[start + usual] += by


def _watched(
    environment: Environment, rule: Chooser, seed: int
) -> tuple[list[NDArray[np.floating]], float, NDArray[np.int64], NDArray[np.bool_] | None]:
    """Some states of the rule's episode, its return, what the rule did first, and what it could have done."""
    observation, _ = environment.reset(seed=seed)
    masks = masks_of(environment)
    first, states, total, over = rule(observation, masks), [observation], 0.0, False
    while not over:
        chosen = rule(observation, masks_of(environment))
        observation, reward, ended, cut, _ = environment.step(as_action(environment, chosen))
        total += float(reward)
        over = ended or cut
        if not over:
            states.append(observation)
    kept = np.unique(np.linspace(0, len(states) - 1, STATES).round().astype(int))
    return [states[place] for place in kept], total, first, masks


def _constant(environment: Environment, action: NDArray[np.int64], seed: int) -> float:
    """Return of an episode in which an action is repeated to the end."""
    environment.reset(seed=seed)
    total, over = 0.0, False
    while not over:
        _, reward, ended, cut, _ = environment.step(as_action(environment, action))
        total += float(reward)
        over = ended or cut
    return total


def _near(
    rng: np.random.Generator,
    rule: NDArray[np.int64],
    masks: NDArray[np.bool_] | None,
    sizes: tuple[int, ...],
) -> NDArray[np.int64]:
    allowed = split_masks(np.ones(sum(sizes), bool) if masks is None else masks, sizes)
    drawn = [int(rng.choice(np.flatnonzero(mask))) for mask in allowed]
    return np.where(rng.random(len(sizes)) < 0.5, rule, drawn).astype(np.int64)


def _design_rows(found: Contrasts, sizes: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """``worlds x plays x options``: 1 for what a play chose, less 1 for what the rule did; gains; weights.

    Gains weigh less the more they scatter within their world, so that worlds in which one choice is a
    disaster do not decide everything.
    """
    offset = np.cumsum([0, *sizes[:-1]])
    inputs = np.zeros((*found.gains.shape, sum(sizes)), np.float32)
    worlds, plays = np.indices(found.gains.shape)
    for choice, start in enumerate(offset):
        np.add.at(inputs, (worlds, plays, start + found.actions[..., choice]), 1)
        np.add.at(
            inputs, (worlds, plays, start + np.broadcast_to(found.rule[:, None, choice], worlds.shape)), -1
        )
    gains = found.gains.astype(np.float32)
    weight = 1 / (0.05 + gains.std(axis=1, keepdims=True)) * np.ones_like(gains)
    return torch.as_tensor(inputs), torch.as_tensor(gains), torch.as_tensor(weight / weight.mean())


def _outputs(policy: Any, observations: torch.Tensor) -> torch.Tensor:
    latent = policy.mlp_extractor.policy_net(
        policy.extract_features(observations, policy.pi_features_extractor)
    )
    outputs: torch.Tensor = policy.action_net(latent)
    return outputs
