"""What is told of a training while it runs, and kept of it afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from stable_baselines3.common.callbacks import BaseCallback

_TELL_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class LearningPoint:
    """Where the training stood at an evaluation.

    Attributes:
        step: environment steps so far.
        training_return: mean return of the training's episodes since the last evaluation, with chance in the
            choices; None where none ended.
        training_episodes: how many ended.
        validation_return: mean return of the validation episodes.
        standard_error: of it.
        beam_time_s: mean beam time of the validation episodes; None where the environment does not tell.
        gain: mean paired difference to the rule; None without a rule.
        gain_standard_error: of it.
        best: whether it is the best so far.
        seconds: of training and evaluating since the last point.
    """

    step: int
    training_return: float | None
    training_episodes: int
    validation_return: float
    standard_error: float
    beam_time_s: float | None
    gain: float | None
    gain_standard_error: float | None
    best: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class LearningProgress:
    """Where a training stands now.

    Attributes:
        step: environment steps so far.
        steps: of the whole training.
        latest: the last evaluation; None before the first.
        best_return: the best mean return of the evaluations; None before the first.
    """

    step: int
    steps: int
    latest: LearningPoint | None
    best_return: float | None


class EpisodeWatch(BaseCallback):
    """Collects the returns of the training's episodes, and tells now and then how far it is.

    Args:
        tell: hears the number of steps.
    """

    def __init__(self, tell: Callable[[int], None]) -> None:
        super().__init__()
        self._tell, self._told_s = tell, 0.0
        self.returns: list[float] = []

    def _on_step(self) -> bool:
        for told in self.locals["infos"]:
            if "episode" in told:
                self.returns.append(float(told["episode"]["r"]))
        now = time.monotonic()
        if now - self._told_s >= _TELL_EVERY_S:
            self._told_s = now
            self._tell(self.num_timesteps)
        return True
