"""The conformance suite of environments: what learning code needs of them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autoscope.testing.checks import ConformanceError, require
from autoscope.testing.promises import Promise, promises

if TYPE_CHECKING:
    import gymnasium as gym

MakeEnvironment = Callable[[], "gym.Env[Any, Any]"]
"""Makes a fresh environment with ``render_mode="rgb_array"``; a check may call it more than once."""

_SEED, _STEPS = 7, 60


def environment_checks() -> tuple[Promise[gym.Env[Any, Any]], ...]:
    """Every promise of an environment with discrete choices, one check each.

    Returns:
        The checks; each is called with a function that makes the environment with
        ``render_mode="rgb_array"``, and raises `ConformanceError` where a promise is broken.
    """
    return promises(
        (
            gymnasium_accepts_it,
            observations_lie_in_their_space,
            rewards_are_finite,
            masks_fit_the_choices,
            the_same_seed_gives_the_same_episode,
            it_draws_its_map,
        )
    )


def gymnasium_accepts_it(make: MakeEnvironment) -> None:
    """Gymnasium's own check passes without a warning."""
    from gymnasium.utils.env_checker import check_env

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            check_env(make().unwrapped, skip_render_check=True)
        except Exception as error:  # whatever the other library finds, a broken promise is the answer
            raise ConformanceError(f"it says: {type(error).__name__}: {error}") from error


def observations_lie_in_their_space(make: MakeEnvironment) -> None:
    """Every observation lies in the observation space."""
    environment = make()
    for number, (observation, _, _) in enumerate(_episode(environment)):
        require(environment.observation_space.contains(observation), f"that of step {number} does not")


def rewards_are_finite(make: MakeEnvironment) -> None:
    """Every reward is a finite number."""
    for number, (_, reward, _) in enumerate(_episode(make())):
        require(bool(np.isfinite(reward)), f"that of step {number} is {reward}")


def masks_fit_the_choices(make: MakeEnvironment) -> None:
    """``action_masks()`` is one boolean for each option, and each choice always has an allowed one."""
    environment = make()
    sizes = _sizes(environment)
    for number, (_, _, ended) in enumerate(_episode(environment)):
        masks = _masks(environment)
        require(
            masks.dtype == np.bool_ and masks.shape == (sum(sizes),),
            f"after step {number} it is {masks.shape} of {masks.dtype}, not {sum(sizes)} booleans",
        )
        parts = np.split(masks, np.cumsum(sizes)[:-1])
        require(ended or all(part.any() for part in parts), f"after step {number} a choice has no option")


def the_same_seed_gives_the_same_episode(make: MakeEnvironment) -> None:
    """Two episodes of one seed, with the same actions, have the same observations and rewards."""
    first, second = list(_episode(make())), list(_episode(make()))
    require(len(first) == len(second), f"one had {len(first) - 1} steps, the other {len(second) - 1}")
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        same = np.array_equal(one[0], other[0]) and one[1:] == other[1:]
        require(same, f"step {number} differs")


def it_draws_its_map(make: MakeEnvironment) -> None:
    """``render()`` gives a picture of ``height x width x 3`` bytes."""
    environment = make()
    environment.reset(seed=_SEED)
    picture: Any = environment.render()
    fits = isinstance(picture, np.ndarray) and picture.dtype == np.uint8 and picture.ndim == 3
    require(fits and picture.shape[2] == 3, f"it gives {getattr(picture, 'shape', type(picture).__name__)}")


def _episode(environment: gym.Env[Any, Any]) -> Iterator[tuple[Any, float, bool]]:
    """Observation, reward and end of each step of an episode of allowed actions; the reset is the first."""
    rng = np.random.default_rng(_SEED)
    observation, _ = environment.reset(seed=_SEED)
    yield observation, 0.0, False
    for _ in range(_STEPS):
        observation, reward, terminated, truncated, _ = environment.step(_allowed(environment, rng))
        yield observation, float(reward), terminated or truncated
        if terminated or truncated:
            return


def _allowed(environment: gym.Env[Any, Any], rng: np.random.Generator) -> Any:
    """An action that the masks allow; any option of a choice that has none."""
    sizes, masks = _sizes(environment), _masks(environment)
    if masks.shape != (sum(sizes),):
        masks = np.ones(sum(sizes), bool)
    parts = np.split(masks, np.cumsum(sizes)[:-1])
    chosen = [int(rng.choice(np.flatnonzero(part) if part.any() else len(part))) for part in parts]
    return chosen[0] if environment.action_space.shape == () else np.array(chosen)


def _masks(environment: gym.Env[Any, Any]) -> NDArray[Any]:
    if not environment.has_wrapper_attr("action_masks"):
        raise ConformanceError("there is no action_masks()")
    return np.asarray(environment.get_wrapper_attr("action_masks")())


def _sizes(environment: gym.Env[Any, Any]) -> tuple[int, ...]:
    """How many options each choice has."""
    from gymnasium.spaces import Discrete, MultiDiscrete

    space = environment.action_space
    if isinstance(space, Discrete):
        return (int(space.n),)
    if isinstance(space, MultiDiscrete):
        return tuple(int(n) for n in space.nvec)
    raise ConformanceError(f"its actions are {space}: Discrete or MultiDiscrete choices are needed")
