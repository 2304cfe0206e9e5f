"""What a policy is trained on: environments that are handed in, and what their numbers mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError
from autoscope_policies.learned.card import EnvironmentCard
from autoscope_policies.learned.layout import Layout

MASKS = "action_masks"
"""Method of an environment that says which options are allowed: booleans, one choice after the other."""

Environment = gym.Env[Any, Any]
MakeEnvironment = Callable[[], Environment]
Chooser = Callable[[NDArray[np.floating], NDArray[np.bool_] | None], NDArray[np.int64]]
"""An observation and the masks in, one index for each choice out: a network, or a rule."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is trained on.

    Attributes:
        make: an environment of training; it can be pickled where environments have their own processes.
        make_validation: one of the evaluations, which may hold other specimens.
        layout: the names of what is seen and chosen.
        environment: for the card.
        hashes: SHA-256 of what decides the result, for the card.
        trained_on: SHA-256 of the specimen files behind the environments, for the card.
        rule: the hand-written rule that the policy is compared with and may be cloned from.
    """

    make: MakeEnvironment
    make_validation: MakeEnvironment
    layout: Layout
    environment: EnvironmentCard
    hashes: Mapping[str, str] = field(default_factory=dict)
    trained_on: tuple[str, ...] = ()
    rule: Chooser | None = None


def check_algorithm(algorithm: str, environment: Environment, name: str) -> None:
    """Checks that an algorithm can learn to act in an environment.

    Args:
        algorithm: which.
        environment: where.
        name: of it, for the message.

    Raises:
        ConfigurationError: it cannot; says which one can.
    """
    space = environment.action_space
    if algorithm == "sac":
        raise ConfigurationError(
            f"training.algorithm = 'sac' chooses real numbers, and the actions of {name} are options"
            f" ({space}): use 'maskable_ppo' or 'ppo'"
        )
    if algorithm == "dqn" and not isinstance(space, gym.spaces.Discrete):
        raise ConfigurationError(
            f"training.algorithm = 'dqn' makes a single choice, and {name} asks for several ({space}):"
            " use 'maskable_ppo' or 'ppo'"
        )
    if algorithm == "maskable_ppo" and not environment.has_wrapper_attr(MASKS):
        raise ConfigurationError(
            f"training.algorithm = 'maskable_ppo' needs {MASKS}(), which {name} does not offer: use 'ppo'"
        )


def check_environment(environment: Environment, layout: Layout) -> None:
    """Checks that an environment has the layout's numbers and choices.

    Raises:
        ConfigurationError: its spaces are of another kind or size.
    """
    seen, acted = environment.observation_space, environment.action_space
    problems = []
    if not isinstance(seen, gym.spaces.Box) or seen.shape != (len(layout.observations),):
        problems.append(
            f"the observation space is {seen}; a policy needs a flat Box of {len(layout.observations)}"
        )
    if option_counts(acted) != layout.sizes:
        problems.append(f"the action space is {acted}; the layout names choices of {layout.sizes} options")
    if problems:
        raise ConfigurationError(*problems)


def option_counts(space: gym.Space[Any]) -> tuple[int, ...]:
    """How many options each choice of an action space has; empty where it offers none."""
    if isinstance(space, gym.spaces.Discrete):
        return (int(space.n),)
    if isinstance(space, gym.spaces.MultiDiscrete):
        return tuple(int(count) for count in space.nvec.ravel())
    return ()


def masks_of(environment: Environment) -> NDArray[np.bool_] | None:
    """Which options are allowed now; None where the environment allows all."""
    if not environment.has_wrapper_attr(MASKS):
        return None
    return np.asarray(environment.get_wrapper_attr(MASKS)(), bool)


def as_action(environment: Environment, chosen: NDArray[np.int64]) -> Any:
    """What ``step`` takes: a number for a single choice, otherwise one for each."""
    return np.int64(chosen[0]) if isinstance(environment.action_space, gym.spaces.Discrete) else chosen
