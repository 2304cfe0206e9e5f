"""Behaviour cloning: the network first learns to do what a hand-written rule does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecNormalize

from autoscope.core import ConfigurationError
from autoscope_policies.learned.network import split_masks
from autoscope_policies.training.problem import MASKS, Chooser
from autoscope_policies.training.settings import CloningSettings


@dataclass(frozen=True, slots=True)
class Shown:
    """What the rule did.

    Attributes:
        observations: ``n x observations``, as the environments gave them.
        masks: ``n x options``; None where the environments have none.
        actions: ``n x choices``.
    """

    observations: NDArray[np.floating]
    masks: NDArray[np.bool_] | None
    actions: NDArray[np.int64]


def clone(
    model: BaseAlgorithm,
    environments: VecNormalize,
    rule: Chooser,
    settings: CloningSettings,
    sizes: tuple[int, ...],
    seed: int,
) -> float:
    """Lets the rule act, and fits the choices of the network to its choices.

    Args:
        model: one of the PPO family.
        environments: where; their normalisation learns from what the rule sees.
        rule: what is imitated.
        settings: how.
        sizes: how many options each choice has.
        seed: of the order of the steps.

    Returns:
        Mean negative log probability of the rule's actions in the last pass.

    Raises:
        ConfigurationError: the rule chose what is not allowed.
    """
    shown = watch(environments, rule, settings.steps, sizes)
    observations = torch.as_tensor(environments.normalize_obs(shown.observations))
    actions = torch.as_tensor(shown.actions)
    policy: Any = model.policy
    optimizer = torch.optim.Adam(policy.parameters(), lr=settings.learning_rate)
    rng, losses = np.random.default_rng(seed), [0.0]
    policy.set_training_mode(True)
    for _ in range(settings.epochs):
        order, losses = rng.permutation(len(actions)), []
        for first in range(0, len(order), settings.batch):
            chosen = torch.as_tensor(order[first : first + settings.batch])
            more = {} if shown.masks is None else {"action_masks": shown.masks[chosen.numpy()]}
            target = actions[chosen] if len(sizes) > 1 else actions[chosen, 0]
            _, log_probability, _ = policy.evaluate_actions(observations[chosen], target, **more)
            loss = -log_probability.mean()
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
    policy.set_training_mode(False)
    return float(np.mean(losses))


def watch(environments: VecNormalize, rule: Chooser, steps: int, sizes: tuple[int, ...]) -> Shown:
    """Lets a rule act for at least so many steps of all environments together.

    Raises:
        ConfigurationError: the rule chose what is not allowed.
    """
    environments.reset()
    masked = environments.has_attr(MASKS)
    seen, allowed, acted = [], [], []
    for _ in range(-(-steps // environments.num_envs)):
        now = np.asarray(environments.get_original_obs())
        masks = np.stack(environments.env_method(MASKS)) if masked else None
        chosen = np.array(
            [rule(one, None if masks is None else masks[place]) for place, one in enumerate(now)], np.int64
        )
        if masks is not None:
            _refuse_what_is_masked(chosen, masks, sizes)
            allowed.append(masks)
        seen.append(now)
        acted.append(chosen)
        environments.step(chosen if len(sizes) > 1 else chosen[:, 0])
    return Shown(np.concatenate(seen), np.concatenate(allowed) if masked else None, np.concatenate(acted))


def _refuse_what_is_masked(
    chosen: NDArray[np.int64], masks: NDArray[np.bool_], sizes: tuple[int, ...]
) -> None:
    for row, mask in zip(chosen, masks, strict=True):
        for place, (option, allowed) in enumerate(zip(row, split_masks(mask, sizes), strict=True)):
            if not allowed[option]:
                raise ConfigurationError(
                    f"the rule to be cloned chose option {option} of choice {place}, which is not allowed now"
                )
