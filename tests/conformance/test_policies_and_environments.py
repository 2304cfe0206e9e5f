"""Shipped policies and environments keep their promises, and each check catches one that does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import autoscope_envs  # noqa: F401 - registers the environments
from autoscope.survey import Policy, Proposal, SurveyView
from autoscope.testing import ConformanceError, Promise, environment_checks, policy_checks
from autoscope_policies import make_policy

POLICY_CHECKS = {check.name: check for check in policy_checks()}
ENVIRONMENT_CHECKS = {check.name: check for check in environment_checks()}
WEIGHTS = Path(__file__).parents[2] / "configs" / "policies" / "survey-1.safetensors"
POLICIES: list[tuple[str, dict[str, Any]]] = [
    ("raster", {}), ("uniform", {}), ("systematic", {}), ("proportional", {}), ("active", {}),
    ("active", {"batch": 4}), ("greedy", {}), ("learned", {"weights": str(WEIGHTS)}),
]  # fmt: skip
ENVIRONMENTS = ("autoscope/Survey-v0", "autoscope/FieldSelection-v0", "autoscope/EDSTrigger-v0")


@pytest.mark.parametrize("check", POLICY_CHECKS.values(), ids=str)
@pytest.mark.parametrize(("kind", "options"), POLICIES)
def test_a_shipped_policy(check: Promise[Policy], kind: str, options: dict[str, Any]) -> None:
    check(lambda: make_policy(kind, **options))


@pytest.mark.parametrize("check", ENVIRONMENT_CHECKS.values(), ids=str)
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_shipped_environment(check: Promise[gym.Env[Any, Any]], name: str) -> None:
    check(lambda: gym.make(name, render_mode="rgb_array"))


class Even:
    """A good policy, that the others break."""

    name, sha256, floored = "even", "0" * 64, True

    def propose(self, view: SurveyView) -> Proposal:
        return Proposal(np.full(len(view.remaining), 1 / len(view.remaining)), "all alike")


class Nameless(Even):
    name = ""


class HashesItself(Even):
    def __init__(self) -> None:
        self.sha256 = f"{id(self):064x}"
        KEPT.append(self)


KEPT: list[object] = []
"""Keeps what would share an address otherwise."""


class TooMuch(Even):
    def propose(self, view: SurveyView) -> Proposal:
        return Proposal(np.full(len(view.remaining), 1.0), "more than all")


class Remembers(Even):
    def __init__(self) -> None:
        self.calls = 0

    def propose(self, view: SurveyView) -> Proposal:
        self.calls += 1
        weight = np.ones(len(view.remaining))
        weight[self.calls % len(weight)] += 1.0
        return Proposal(weight / weight.sum(), "by how often it was asked")


class Throws(Even):
    def propose(self, view: SurveyView) -> Proposal:
        weight = np.random.default_rng().random(len(view.remaining))
        return Proposal(weight / weight.sum(), "as it pleases")


class GivesUp(Even):
    def propose(self, view: SurveyView) -> Proposal:
        if len(view.remaining) == 1:
            raise ZeroDivisionError("nothing left to compare")
        return super().propose(view)


class ClaimsMore(Even):
    """Logs a propensity that is none."""

    floored = False

    def propose(self, view: SurveyView) -> Proposal:
        groups = tuple(np.array([field]) for field in view.remaining)
        return replace(super().propose(view), groups=groups, inclusion=1.5)


@pytest.mark.parametrize("check", POLICY_CHECKS.values(), ids=str)
def test_a_good_policy_passes(check: Promise[Policy]) -> None:
    check(Even)


BROKEN_POLICIES: list[tuple[str, Callable[[], Policy]]] = [
    ("it_says_what_it_is", Nameless),
    ("it_says_what_it_is", HashesItself),
    ("proposals_are_distributions", TooMuch),
    ("proposals_depend_on_the_view_alone", Remembers),
    ("a_survey_ends_in_a_census", GivesUp),
    ("every_draw_has_a_propensity", ClaimsMore),
    ("the_same_seed_gives_the_same_survey", Throws),
]


@pytest.mark.parametrize(("name", "broken"), BROKEN_POLICIES)
def test_a_broken_policy_is_caught(name: str, broken: Callable[[], Policy]) -> None:
    with pytest.raises(ConformanceError):
        POLICY_CHECKS[name](broken)


class Coin(gym.Env[Any, Any]):
    """A good environment, that the others break: guess a coin, eight times."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 1}  # noqa: RUF012 - as Gymnasium has it

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
        self.action_space = gym.spaces.Discrete(2)
        self.render_mode = "rgb_array"

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        super().reset(seed=seed)
        self._left = 8
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> Any:
        self._left -= 1
        seen = np.array([self.np_random.uniform(-1, 1)], np.float32)
        return seen, float(action), self._left == 0, False, {}

    def action_masks(self) -> Any:
        return np.ones(2, bool)

    def render(self) -> Any:
        return np.zeros((4, 4, 3), np.uint8)


class Wordy(Coin):
    def reset(self, **options: Any) -> Any:
        return super().reset(**options)[0]


class OutOfSpace(Coin):
    def step(self, action: Any) -> Any:
        return np.full(1, 9.0, np.float32), *super().step(action)[1:]


class Unbounded(Coin):
    def step(self, action: Any) -> Any:
        seen, _, *rest = super().step(action)
        return seen, float("nan"), *rest


class Narrow(Coin):
    def action_masks(self) -> Any:
        return np.ones(3, bool)


class Shut(Coin):
    def action_masks(self) -> Any:
        return np.zeros(2, bool)


class Unseeded(Coin):
    def step(self, action: Any) -> Any:
        return np.random.default_rng().random(1, np.float32), *super().step(action)[1:]


class Blank(Coin):
    def render(self) -> Any:
        return None


@pytest.mark.parametrize("check", ENVIRONMENT_CHECKS.values(), ids=str)
def test_a_good_environment_passes(check: Promise[gym.Env[Any, Any]]) -> None:
    check(Coin)


BROKEN_ENVIRONMENTS: list[tuple[str, Callable[[], gym.Env[Any, Any]]]] = [
    ("gymnasium_accepts_it", Wordy),
    ("observations_lie_in_their_space", OutOfSpace),
    ("rewards_are_finite", Unbounded),
    ("masks_fit_the_choices", Narrow),
    ("masks_fit_the_choices", Shut),
    ("the_same_seed_gives_the_same_episode", Unseeded),
    ("it_draws_its_map", Blank),
]


def test_every_check_can_fail() -> None:
    assert {name for name, _ in BROKEN_POLICIES} == set(POLICY_CHECKS)
    assert {name for name, _ in BROKEN_ENVIRONMENTS} == set(ENVIRONMENT_CHECKS)


@pytest.mark.parametrize(("name", "broken"), BROKEN_ENVIRONMENTS)
def test_a_broken_environment_is_caught(name: str, broken: Callable[[], gym.Env[Any, Any]]) -> None:
    with pytest.raises(ConformanceError):
        ENVIRONMENT_CHECKS[name](broken)
