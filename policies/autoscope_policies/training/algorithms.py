"""The algorithms of Stable-Baselines3: which suits what, how each is set up, which network it trains."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sb3_contrib import MaskablePPO
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecNormalize
from torch import nn

from autoscope.core import TrainingError
from autoscope_policies.learned.layout import Layout
from autoscope_policies.learned.network import Network
from autoscope_policies.training.settings import LearningSettings
from autoscope_policies.training.vectorising import normalisation_of

_ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU}


def build(settings: LearningSettings, environments: VecNormalize, seed: int) -> BaseAlgorithm:
    """The algorithm with a fresh network; a gradient that is not finite ends training before it is used."""
    schedule = _Falling(settings)
    shared: dict[str, Any] = {
        "learning_rate": schedule,
        "gamma": settings.gamma,
        "max_grad_norm": settings.max_gradient,
        "policy_kwargs": {
            "net_arch": list(settings.hidden),
            "activation_fn": _ACTIVATIONS[settings.activation],
        },
        "seed": seed,
        "device": "cpu",
    }
    model: BaseAlgorithm
    if settings.algorithm == "dqn":
        model = _dqn(settings, environments, shared)
    else:
        model = _ppo(settings, environments, shared)
    schedule.model = model
    model.policy.optimizer.register_step_pre_hook(_refuse_what_is_not_finite)
    return model


def _ppo(settings: LearningSettings, environments: VecNormalize, shared: dict[str, Any]) -> BaseAlgorithm:
    own = settings.ppo
    kind: type[PPO] | type[MaskablePPO] = MaskablePPO if settings.algorithm == "maskable_ppo" else PPO
    return kind(
        "MlpPolicy",
        environments,
        n_steps=own.n_steps,
        batch_size=own.batch,
        n_epochs=own.epochs,
        gae_lambda=own.gae_lambda,
        clip_range=own.clip_range,
        ent_coef=own.entropy,
        vf_coef=own.value_weight,
        **shared,
    )


def _dqn(settings: LearningSettings, environments: VecNormalize, shared: dict[str, Any]) -> BaseAlgorithm:
    own = settings.dqn
    model = DQN(
        "MlpPolicy",
        environments,
        buffer_size=own.buffer,
        batch_size=own.batch,
        learning_starts=own.learning_starts,
        train_freq=own.train_every,
        gradient_steps=1,
        target_update_interval=own.target_every,
        **shared,
    )
    chance_s = max(1.0, own.exploration_share * settings.steps)

    def by_chance(_: float) -> float:
        return max(own.exploration_end, 1 - (1 - own.exploration_end) * model.num_timesteps / chance_s)

    model.exploration_schedule = by_chance
    return model


class _Falling:
    """The learning rate by the steps of the whole training, which is learnt from in pieces."""

    def __init__(self, settings: LearningSettings) -> None:
        self._settings = settings
        self.model: BaseAlgorithm | None = None

    def __call__(self, _: float) -> float:
        done = 0 if self.model is None else self.model.num_timesteps
        left = max(0.0, 1 - done / max(self._settings.steps, 1))
        return self._settings.learning_rate * (
            self._settings.final_rate + (1 - self._settings.final_rate) * left
        )


def _refuse_what_is_not_finite(optimizer: torch.optim.Optimizer, *_: object) -> None:
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all()):
                raise TrainingError("the loss or its gradient is not a finite number any more")


def piece_steps(settings: LearningSettings) -> int:
    """Environment steps between two evaluations: whole updates of the algorithm."""
    each = settings.ppo.n_steps if settings.algorithm != "dqn" else settings.dqn.train_every
    update = each * settings.environments
    return update * max(1, -(-settings.evaluate_every // update))


def extracted(
    model: BaseAlgorithm, environments: VecNormalize, layout: Layout, settings: LearningSettings
) -> Network:
    """The part of the network that chooses, with the normalisation of now."""
    modules: Iterable[nn.Module]
    if isinstance(model, DQN):
        modules = model.q_net.q_net.modules()
    else:
        policy: Any = model.policy
        modules = [*policy.mlp_extractor.policy_net.modules(), policy.action_net]
    linear = [module for module in modules if isinstance(module, nn.Linear)]
    return Network(
        tuple(_taken(layer.weight) for layer in linear),
        tuple(_taken(layer.bias) for layer in linear),
        layout.sizes,
        normalisation_of(environments),
        settings.activation,
        "values" if isinstance(model, DQN) else "logits",
    )


def _taken(tensor: torch.Tensor) -> NDArray[np.float32]:
    return np.array(tensor.detach().cpu().numpy(), np.float32)
