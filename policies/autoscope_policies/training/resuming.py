"""The state of a training between two pieces of it, as plain numbers and tensors, and back."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from stable_baselines3 import DQN
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import VecNormalize

from autoscope.core import ModelError
from autoscope_policies.learned.network import Network, Normalisation
from autoscope_policies.training.progress import LearningPoint

CHECKPOINT_SCHEMA = "autoscope.policy-checkpoint/1"
_REPLAY = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


@dataclass(slots=True)
class Standing:
    """How the training has gone so far.

    Attributes:
        points: one for each evaluation.
        best: the network of the best one; None before the first.
        best_step: when that was.
        seconds: of all calls so far.
        cloning_loss: at the end of cloning; None without.
    """

    points: list[LearningPoint] = field(default_factory=list)
    best: Network | None = None
    best_step: int = 0
    seconds: float = 0.0
    cloning_loss: float | None = None

    @property
    def best_return(self) -> float | None:
        """Mean validation return of the best network."""
        return max((point.validation_return for point in self.points), default=None)


def captured(
    fingerprint: str, model: BaseAlgorithm, environments: VecNormalize, standing: Standing
) -> dict[str, Any]:
    """Everything that training needs to go on from here as if it had never stopped."""
    return {
        "schema": CHECKPOINT_SCHEMA,
        "fingerprint": fingerprint,
        "step": model.num_timesteps,
        "parameters": copy.deepcopy(model.get_parameters()),
        "observations": _statistics(environments.obs_rms),
        "returns": _statistics(environments.ret_rms),
        "replay": _replay(model),
        "points": [asdict(point) for point in standing.points],
        "best": None if standing.best is None else _network(standing.best),
        "best_step": standing.best_step,
        "seconds": standing.seconds,
        "cloning_loss": standing.cloning_loss,
    }


def restore(
    state: Mapping[str, Any], model: BaseAlgorithm, environments: VecNormalize, fresh: Network
) -> Standing:
    """Goes back to a state.

    Args:
        state: from `captured`.
        model: of the same algorithm and shape.
        environments: whose normalisation becomes that of the state.
        fresh: a network of this shape.

    Returns:
        How the training had gone.

    Raises:
        ModelError: the state was written by another version.
    """
    if state.get("schema") != CHECKPOINT_SCHEMA:
        raise ModelError(
            f"the checkpoint is of the form {state.get('schema')!r}, not {CHECKPOINT_SCHEMA!r}: it was"
            " written by another version; train afresh in another --out"
        )
    model.set_parameters(state["parameters"], device="cpu")
    model.num_timesteps = int(state["step"])
    _set_statistics(environments.obs_rms, state["observations"])
    _set_statistics(environments.ret_rms, state["returns"])
    if state["replay"] is not None:
        _refill(model, state["replay"])
    return Standing(
        [LearningPoint(**point) for point in state["points"]],
        None if state["best"] is None else _rebuilt(state["best"], fresh),
        int(state["best_step"]),
        float(state["seconds"]),
        state["cloning_loss"],
    )


def _statistics(found: RunningMeanStd | dict[str, RunningMeanStd]) -> dict[str, Any]:
    if isinstance(found, dict):
        raise TypeError("observations are of several parts")
    return {
        "mean": torch.as_tensor(np.array(found.mean)),
        "variance": torch.as_tensor(np.array(found.var)),
        "count": float(found.count),
    }


def _set_statistics(found: RunningMeanStd | dict[str, RunningMeanStd], kept: Mapping[str, Any]) -> None:
    if isinstance(found, dict):
        raise TypeError("observations are of several parts")
    found.mean, found.var = kept["mean"].numpy().copy(), kept["variance"].numpy().copy()
    found.count = float(kept["count"])


def _replay(model: BaseAlgorithm) -> dict[str, Any] | None:
    if not isinstance(model, DQN) or model.replay_buffer is None:
        return None
    buffer: Any = model.replay_buffer
    filled = buffer.buffer_size if buffer.full else buffer.pos
    kept = {name: torch.as_tensor(getattr(buffer, name)[:filled].copy()) for name in _REPLAY}
    return {"position": int(buffer.pos), "full": bool(buffer.full), **kept}


def _refill(model: BaseAlgorithm, kept: Mapping[str, Any]) -> None:
    buffer: Any = model.replay_buffer if isinstance(model, DQN) else None
    for name in _REPLAY:
        values = kept[name].numpy()
        getattr(buffer, name)[: len(values)] = values
    buffer.pos, buffer.full = int(kept["position"]), bool(kept["full"])


def _network(network: Network) -> dict[str, Any]:
    scaling = network.normalisation
    return {
        "weights": [torch.as_tensor(weight) for weight in network.weights],
        "biases": [torch.as_tensor(bias) for bias in network.biases],
        "mean": torch.as_tensor(scaling.mean),
        "variance": torch.as_tensor(scaling.variance),
    }


def _rebuilt(kept: Mapping[str, Any], fresh: Network) -> Network:
    own = fresh.normalisation
    scaling = Normalisation(kept["mean"].numpy(), kept["variance"].numpy(), own.epsilon, own.clip)
    weights = tuple(weight.numpy() for weight in kept["weights"])
    biases = tuple(bias.numpy() for bias in kept["biases"])
    return Network(weights, biases, fresh.sizes, scaling, fresh.activation, fresh.head)
