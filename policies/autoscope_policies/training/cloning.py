"""Behaviour cloning: the network first learns to do what a hand-written rule does, and what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecNormalize
from torch import Tensor

from autoscope.core import ConfigurationError
from autoscope_policies.learned.network import split_masks
from autoscope_policies.training.problem import MASKS, Chooser
from autoscope_policies.training.settings import LearningSettings


@dataclass(frozen=True, slots=True)
class Shown:
    """What the rule did, and what came of it.

    Attributes:
        observations: ``n x observations``, as the environments gave them.
        masks: ``n x options``; all are allowed where the environments have none.
        actions: ``n x choices``.
        returns: ``n``, discounted sum of the normalised rewards from there on; NaN where the episode had not
            ended when the watching did.
    """

    observations: NDArray[np.floating]
    masks: NDArray[np.bool_]
    actions: NDArray[np.int64]
    returns: NDArray[np.float32]


def clone(
    model: BaseAlgorithm,
    environments: VecNormalize,
    rule: Chooser,
    settings: LearningSettings,
    sizes: tuple[int, ...],
    seed: int,
) -> float:
    """Lets the rule act, and fits the network's choices to its choices and the values to their returns.

    Args:
        model: one of the PPO family.
        environments: where; their normalisation learns from what the rule sees.
        rule: what is imitated.
        settings: of the whole training.
        sizes: how many options each choice has.
        seed: of the order of the steps.

    Returns:
        Mean cross-entropy of the choices in the last pass.

    Raises:
        ConfigurationError: the rule chose what is not allowed.
    """
    own = settings.cloning
    shown = watch(environments, rule, own.steps, sizes, settings.gamma)
    observations = torch.as_tensor(environments.normalize_obs(shown.observations))
    policy: Any = model.policy
    optimizer = torch.optim.Adam(policy.parameters(), lr=own.learning_rate)
    rng, losses = np.random.default_rng(seed), [0.0]
    policy.set_training_mode(True)
    for _ in range(own.epochs):
        order, losses = rng.permutation(len(observations)), []
        for first in range(0, len(order), own.batch):
            rows = order[first : first + own.batch]
            seen = observations[torch.as_tensor(rows)]
            masks = {"action_masks": shown.masks[rows]} if settings.algorithm == "maskable_ppo" else {}
            parts = _parts(policy.get_distribution(seen, **masks))
            loss = _imitation(parts, shown.actions[rows], shown.masks[rows], own.smoothing)
            losses.append(float(loss.detach()))
            loss = loss + settings.ppo.value_weight * _worth(policy.predict_values(seen), shown.returns[rows])
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
    policy.set_training_mode(False)
    return float(np.mean(losses))


def watch(
    environments: VecNormalize, rule: Chooser, steps: int, sizes: tuple[int, ...], gamma: float
) -> Shown:
    """Lets a rule act for at least so many steps of all environments together.

    Raises:
        ConfigurationError: the rule chose what is not allowed.
    """
    environments.reset()
    masked, count = environments.has_attr(MASKS), environments.num_envs
    steps_seen = []
    for _ in range(-(-steps // count)):
        now = np.asarray(environments.get_original_obs())
        masks = np.stack(environments.env_method(MASKS)) if masked else np.ones((count, sum(sizes)), bool)
        chosen = np.array(
            [rule(one, mask if masked else None) for one, mask in zip(now, masks, strict=True)], np.int64
        )
        _refuse_what_is_masked(chosen, masks, sizes)
        _, rewards, ends, _ = environments.step(chosen if len(sizes) > 1 else chosen[:, 0])
        steps_seen.append((now, masks, chosen, rewards, ends))
    seen, allowed, acted, earned, ended = (np.array(kept) for kept in zip(*steps_seen, strict=True))
    return Shown(
        seen.reshape(-1, seen.shape[-1]),
        allowed.reshape(-1, allowed.shape[-1]),
        acted.reshape(-1, len(sizes)),
        discounted(earned, ended, gamma).reshape(-1),
    )


def discounted(rewards: NDArray[np.floating], ends: NDArray[np.bool_], gamma: float) -> NDArray[np.float32]:
    """Discounted sums of the rewards to the end of each episode; NaN where that is not known.

    Args:
        rewards: ``steps x environments``.
        ends: likewise, whether the step ended its episode.
        gamma: what a reward of the next step is worth.
    """
    returns = np.empty(rewards.shape, np.float32)
    later = np.full(rewards.shape[1], np.nan)
    for step in range(len(rewards) - 1, -1, -1):
        later = rewards[step] + gamma * np.where(ends[step], 0.0, later)
        returns[step] = later
    return returns


def _parts(distribution: Any) -> Sequence[Any]:
    """A categorical distribution for each choice."""
    if hasattr(distribution, "distributions"):
        return list(distribution.distributions)
    inner = distribution.distribution
    return inner if isinstance(inner, list) else [inner]


def _imitation(
    parts: Sequence[Any], actions: NDArray[np.int64], masks: NDArray[np.bool_], smoothing: float
) -> Tensor:
    """Mean cross-entropy to the rule's option, with a share of the probability on all that are allowed.

    Source: label smoothing, Szegedy et al., CVPR 2016, section 7.
    """
    total, offset = torch.zeros(()), 0
    for place, part in enumerate(parts):
        log_chance = part.logits
        allowed = torch.as_tensor(masks[:, offset : offset + log_chance.shape[1]])
        offset += log_chance.shape[1]
        chosen = log_chance.gather(1, torch.as_tensor(actions[:, place : place + 1]))[:, 0]
        spread = torch.where(allowed, log_chance, torch.zeros(())).sum(1) / allowed.sum(1)
        total = total - ((1 - smoothing) * chosen + smoothing * spread).mean()
    return total


def _worth(values: Tensor, returns: NDArray[np.float32]) -> Tensor:
    """Mean square of the values' departure from the returns that are known."""
    known = np.isfinite(returns)
    if not known.any():
        return torch.zeros(())
    departure = values[torch.as_tensor(known), 0] - torch.as_tensor(returns[known])
    return (departure**2).mean()


def _refuse_what_is_masked(
    chosen: NDArray[np.int64], masks: NDArray[np.bool_], sizes: tuple[int, ...]
) -> None:
    for row, mask in zip(chosen, masks, strict=True):
        for place, (option, allowed) in enumerate(zip(row, split_masks(mask, sizes), strict=True)):
            if not allowed[option]:
                raise ConfigurationError(
                    f"the rule to be cloned chose option {option} of choice {place}, which is not allowed now"
                )
