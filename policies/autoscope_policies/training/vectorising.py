"""Several environments side by side, watched for numbers that are none, and normalised."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from stable_baselines3.common.running_mean_std import RunningMeanStd
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    SubprocVecEnv,
    VecEnv,
    VecEnvWrapper,
    VecMonitor,
    VecNormalize,
)
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from autoscope.core import TrainingError
from autoscope_policies.learned.network import Normalisation
from autoscope_policies.training.problem import MakeEnvironment
from autoscope_policies.training.settings import LearningSettings


class Guarded(VecEnvWrapper):
    """Ends the training at the first observation or reward that is not a finite number."""

    def reset(self) -> NDArray[np.floating]:
        """The first observations, one row for each environment."""
        found = np.asarray(self.venv.reset())
        self._check(found, "observation")
        return found

    def step_wait(self) -> VecEnvStepReturn:
        """What came of the step."""
        seen, rewards, over, told = self.venv.step_wait()
        self._check(np.asarray(rewards), "reward")
        self._check(np.asarray(seen), "observation")
        return seen, rewards, over, told

    def _check(self, values: NDArray[np.floating], what: str) -> None:
        bad = np.argwhere(~np.isfinite(values))
        if len(bad):
            place = tuple(int(index) for index in bad[0])
            number = f" {place[1]}" if len(place) > 1 else ""
            raise TrainingError(f"{what}{number} of environment {place[0]} is {values[place]}")


def vectorise(make: MakeEnvironment, settings: LearningSettings) -> VecNormalize:
    """Environments side by side, whose observations, and rewards if asked, are normalised as they come."""
    makers = [make] * settings.environments
    plain: VecEnv = SubprocVecEnv(makers) if settings.subprocesses else DummyVecEnv(makers)
    return VecNormalize(
        VecMonitor(Guarded(plain)), gamma=settings.gamma, norm_reward=settings.normalise_reward
    )


def normalisation_of(environments: VecNormalize) -> Normalisation:
    """How observations are scaled now."""
    seen = environments.obs_rms
    if not isinstance(seen, RunningMeanStd):
        raise TypeError(f"observations are of several parts: {type(seen).__name__}")
    return Normalisation(seen.mean.copy(), seen.var.copy(), environments.epsilon, environments.clip_obs)
