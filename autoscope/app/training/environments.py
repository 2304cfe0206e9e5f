"""Environments by their Gymnasium id, with options that are checked and names for what they show."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args, get_type_hints

import gymnasium as gym
import numpy as np
from pydantic import BaseModel, ConfigDict, create_model

from autoscope.app.loading import validated
from autoscope.app.training.roles import ROLES
from autoscope.core import ConfigurationError, nearest
from autoscope_envs import SurveyWorld
from autoscope_policies.learned import Choice, Layout
from autoscope_policies.training import Chooser
from autoscope_policies.training.problem import Environment, option_counts

OWN, NO_RULE = "autoscope/", "none"
_PLAIN: tuple[object, ...] = (bool, int, float, str, tuple, list, dict, type(None))


@dataclass(frozen=True)
class EnvironmentMaker:
    """Makes an environment; it can be sent to another process.

    Attributes:
        id: of the environment.
        options: beside its defaults.
        world: makes the world of an episode, where that is not one of its own.
    """

    id: str
    options: Mapping[str, Any] = field(default_factory=dict)
    world: Callable[[np.random.Generator], SurveyWorld] | None = None

    def __call__(self) -> Environment:
        """A new environment, without the warnings of the checker that wraps others."""
        importlib.import_module("autoscope_envs")
        options = dict(self.options) if self.world is None else {**self.options, "world": self.world}
        made: Environment = gym.make(self.id, disable_env_checker=True, **options)
        return made


def environment_maker(id: str, options: Mapping[str, Any], *, name: str, key: str) -> EnvironmentMaker:
    """A maker whose options are known to the environment and of the right type.

    Args:
        id: of the environment.
        options: beside its defaults.
        name: of the file they come from, for the messages.
        key: of their table, likewise.

    Raises:
        ConfigurationError: no environment has this id, or an option is unknown or of another type; names the
            nearest known one.
    """
    importlib.import_module("autoscope_envs")
    try:
        made = gym.spec(id).entry_point
    except gym.error.Error:
        known = sorted(spec for spec in gym.registry if spec.startswith(OWN))
        raise ConfigurationError(
            f"{name}: training.environment.id = {id!r} is unknown{nearest(id, known)}; autoscope has"
            f" {', '.join(known)}"
        ) from None
    target = _imported(made) if isinstance(made, str) else made
    if target is not None:
        checked = validated(_options_model(target), options, name=f"{name}: {key}")
        options = {option: getattr(checked, option) for option in options}
    return EnvironmentMaker(id, options)


def layout_of(id: str, environment: Environment) -> Layout:
    """The names of what an environment shows and asks; numbers where it is none of autoscope's.

    Args:
        id: of the environment.
        environment: with this id.

    Raises:
        ConfigurationError: its observation is no flat row of numbers, or it offers no options.
    """
    if id in ROLES:
        return ROLES[id].layout
    shape, counts = environment.observation_space.shape, option_counts(environment.action_space)
    if shape is None or len(shape) != 1 or not counts:
        raise ConfigurationError(
            f"a policy needs a flat Box of observations and Discrete or MultiDiscrete actions, not"
            f" {environment.observation_space} and {environment.action_space}"
        )
    return Layout(
        tuple(f"observation {number}" for number in range(shape[0])),
        tuple(
            Choice(f"choice {number}", tuple(map(str, range(count)))) for number, count in enumerate(counts)
        ),
    )


def rule_of(id: str, rule: str, *, name: str) -> Chooser | None:
    """The hand-written rule of an environment, which learned policies are compared with.

    Args:
        id: of the environment.
        rule: by its name; empty: the environment's own, if it has one; ``"none"``: no rule.
        name: of the file that asks for it, for the message.

    Raises:
        ConfigurationError: the environment has no such rule.
    """
    rules = ROLES[id].rules if id in ROLES else {}
    if rule == NO_RULE or not (rule or rules):
        return None
    if rule and rule not in rules:
        known = (*rules, NO_RULE)
        raise ConfigurationError(
            f"{name}: training.environment.rule = {rule!r} is unknown for {id}{nearest(rule, known)};"
            f" it is one of {', '.join(known)}"
        )
    return rules[rule or next(iter(rules))]


def _imported(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _options_model(target: Any) -> type[BaseModel]:
    """The options that a file can give: parameters of plain types."""
    hints = get_type_hints(target.__init__ if inspect.isclass(target) else target)
    fields: dict[str, Any] = {}
    for option, parameter in inspect.signature(target).parameters.items():
        if option in hints and _is_plain(hints[option]):
            default = ... if parameter.default is inspect.Parameter.empty else parameter.default
            fields[option] = (hints[option], default)
    return create_model("Options", __config__=ConfigDict(extra="forbid", strict=False), **fields)


def _is_plain(hint: Any) -> bool:
    inner = get_args(hint)
    return all(map(_is_plain, (one for one in inner if one is not ...))) if inner else hint in _PLAIN
