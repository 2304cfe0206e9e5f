"""The loop of training: a piece of learning, an evaluation, a checkpoint, and again.

Every piece begins with new episodes and with generators seeded from the training's seed and the piece's
number, so a training that was interrupted gives, to the last bit, what it would have given.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecNormalize

from autoscope.core import ConfigurationError, TrainingError, component_rng
from autoscope.perception.checkpoint import load_checkpoint, save_checkpoint
from autoscope_policies.learned.deference import Deference
from autoscope_policies.learned.files import LearnedNetwork, write_policy
from autoscope_policies.learned.network import Network
from autoscope_policies.training.algorithms import build, extracted, piece_steps
from autoscope_policies.training.cloning import clone
from autoscope_policies.training.contrasts import fit_contrasts, play_contrasts
from autoscope_policies.training.describing import card_of
from autoscope_policies.training.evaluation import Evaluation, episode_seeds, evaluate, score
from autoscope_policies.training.problem import (
    Chooser,
    Environment,
    Problem,
    check_algorithm,
    check_environment,
)
from autoscope_policies.training.progress import EpisodeWatch, LearningPoint, LearningProgress
from autoscope_policies.training.randomness import borrowed_generators
from autoscope_policies.training.resuming import Standing, captured, restore
from autoscope_policies.training.settings import LearningSettings
from autoscope_policies.training.trusting import Deferring, Trust, trust
from autoscope_policies.training.vectorising import vectorise

CHECKPOINT, WEIGHTS, TENSORBOARD = "checkpoint.pt", "policy.safetensors", "tensorboard"
VALIDATION_SEED = 1
"""Of the episodes of all evaluations, whatever the training's own seed is: seeds are compared on the same."""

Tell = Callable[[LearningProgress], None]


@dataclass(frozen=True, slots=True)
class TrainedPolicy:
    """What a training gave.

    Attributes:
        policy: the best network, as its file holds it.
        path: the file.
        points: one for each evaluation.
        rule: what the rule reached in the evaluations' episodes; None without a rule.
        seconds: of all calls.
        cloning_loss: at the end of cloning; None without.
    """

    policy: LearnedNetwork
    path: Path
    points: tuple[LearningPoint, ...]
    rule: Evaluation | None
    seconds: float
    cloning_loss: float | None


def learn(
    problem: Problem,
    settings: LearningSettings,
    seed: int,
    folder: Path,
    *,
    resume: bool = False,
    tell: Tell | None = None,
) -> TrainedPolicy:
    """Trains one policy and writes it, with its card and its TensorBoard log, to a folder.

    Args:
        problem: what to train on.
        settings: how.
        seed: decides everything.
        folder: of this training alone; made where it is missing.
        resume: go on from the checkpoint in the folder.
        tell: hears how far the training is.

    Raises:
        ConfigurationError: algorithm, environment and settings do not fit together; or the folder holds a
            checkpoint and ``resume`` was not asked for, or none and it was, or one of another training.
        TrainingError: a reward, an observation, or the loss is not a finite number.
        ModelError: the checkpoint is damaged.
    """
    validation = problem.make_validation()
    try:
        check_algorithm(settings.algorithm, validation, problem.environment.id)
        check_environment(validation, problem.layout)
        if (settings.cloning.steps or settings.contrasts.worlds or settings.trust.worlds) and (
            problem.rule is None or settings.algorithm == "dqn"
        ):
            raise ConfigurationError(
                "training.cloning, training.contrasts and training.trust need a rule and one of the PPO"
                " family:"
                f" the rule is {'there' if problem.rule else 'missing'}, the algorithm {settings.algorithm!r}"
            )
        with borrowed_generators(_child_seed(seed, "training")):
            environments = vectorise(problem.make, settings)
            try:
                return _Training(problem, settings, seed, folder, validation, environments, tell).run(resume)
            finally:
                environments.close()
    finally:
        validation.close()


class _Training:
    """One training, from its beginning or from a checkpoint."""

    def __init__(
        self,
        problem: Problem,
        settings: LearningSettings,
        seed: int,
        folder: Path,
        validation: Environment,
        environments: VecNormalize,
        tell: Tell | None,
    ) -> None:
        self._problem, self._settings, self._seed, self._folder = problem, settings, seed, folder
        self._validation, self._environments, self._tell = validation, environments, tell
        self._model = build(settings, environments, _child_seed(seed, "weights"))
        self._standing = Standing()
        self._played = self._tried = 0
        self._seeds = episode_seeds(VALIDATION_SEED, "validation", settings.evaluation_episodes)
        self._rule: Evaluation | None = None

    def run(self, resume: bool) -> TrainedPolicy:
        """Trains to the end."""
        self._begin(resume)
        self._model.set_logger(configure(str(self._folder / TENSORBOARD), ["tensorboard"]))
        if self._problem.rule is not None:
            self._rule = evaluate(self._problem.rule, self._validation, self._seeds)
        if self._standing.points:
            self._played = self._settings.contrasts.worlds
        else:
            began = time.monotonic()
            self._clone(self._problem.rule)
            self._contrast(self._problem.rule)
            self._judge([], began)
        while self._model.num_timesteps < self._settings.steps:
            self._piece()
        return self._finished()

    def _begin(self, resume: bool) -> None:
        path = self._folder / CHECKPOINT
        if not resume:
            if path.exists():
                raise ConfigurationError(
                    f"{path}: a training is kept here: --resume goes on with it; or choose another --out"
                )
            self._folder.mkdir(parents=True, exist_ok=True)
            return
        state = load_checkpoint(path, self._fingerprint(), torch.device("cpu"))
        if state is None:
            raise ConfigurationError(f"{path}: there is no checkpoint to resume from: leave out --resume")
        self._standing = restore(state, self._model, self._environments, self._network())

    def _clone(self, rule: Chooser | None) -> None:
        if rule is None or not self._settings.cloning.steps:
            return
        seed = _child_seed(self._seed, "cloning")
        self._model.set_random_seed(seed)
        self._standing.cloning_loss = clone(
            self._model, self._environments, rule, self._settings, self._problem.layout.sizes, seed
        )

    def _contrast(self, rule: Chooser | None) -> None:
        settings, sizes = self._settings.contrasts, self._problem.layout.sizes
        if rule is None or not settings.worlds:
            return
        environment = self._problem.make()
        try:
            found = play_contrasts(environment, rule, settings, sizes, self._seed, self._world_played)
        finally:
            environment.close()
        seed = _child_seed(self._seed, "contrasts")
        fit_contrasts(self._model, self._environments, found, settings, sizes, seed, self._fitted)

    def _fitted(self, number: int, learnt: float, held_out: float) -> None:
        """A pass over the contrasts, for TensorBoard."""
        logger = self._model.logger
        logger.record("contrasts/unexplained_in_worlds_learnt_from", learnt)
        logger.record("contrasts/unexplained_in_worlds_held_out", held_out)
        logger.dump(number)

    def _world_played(self, number: int) -> None:
        self._played = number
        self._told(0)

    def _piece(self) -> None:
        """Learns up to the next evaluation, evaluates, and keeps a checkpoint."""
        began, number = time.monotonic(), len(self._standing.points)
        self._model.set_random_seed(_child_seed(self._seed, "piece", number))
        self._model.set_env(self._environments, force_reset=True)
        watch = EpisodeWatch(self._told)
        try:
            self._model.learn(
                piece_steps(self._settings), callback=watch, log_interval=1, reset_num_timesteps=False
            )
            self._judge(watch.returns, began)
        except TrainingError as error:
            raise self._stopped(error) from error

    def _judge(self, returns: list[float], began: float) -> None:
        """Evaluates the network of now, and keeps what came of it."""
        network = self._network()
        found = evaluate(self._chooser(network, None), self._validation, self._seeds)
        self._keep(network, found, returns, time.monotonic() - began)

    def _keep(self, network: Network, found: Evaluation, returns: list[float], seconds: float) -> None:
        standing, step = self._standing, self._model.num_timesteps
        before = standing.best_return
        best = before is None or found.mean > before
        gain, error = (None, None) if self._rule is None else found.gain(self._rule)
        point = LearningPoint(
            step,
            float(np.mean(returns)) if returns else None,
            len(returns),
            found.mean,
            found.standard_error,
            found.beam_time_s,
            gain,
            error,
            best,
            seconds,
        )
        standing.points.append(point)
        standing.seconds += seconds
        if best:
            standing.best, standing.best_step = network, step
        self._log(point)
        state = captured(self._fingerprint(), self._model, self._environments, standing)
        save_checkpoint(self._folder / CHECKPOINT, state)
        self._told(step)

    def _log(self, point: LearningPoint) -> None:
        logger = self._model.logger
        logger.record("validation/mean_return", point.validation_return)
        if point.beam_time_s is not None:
            logger.record("validation/mean_beam_time_s", point.beam_time_s)
        if point.gain is not None:
            logger.record("validation/gain_over_rule", point.gain)
        logger.dump(point.step)

    def _stopped(self, error: TrainingError) -> TrainingError:
        points = self._standing.points
        kept = (
            f"the last good checkpoint is after {points[-1].step} steps; --resume goes on from it, with a"
            f" training.learning_rate below {self._settings.learning_rate:g} where the network diverged"
            if points
            else "no checkpoint was kept yet"
        )
        where = f"after {self._model.num_timesteps} steps of seed {self._seed}"
        return TrainingError(f"training stopped {where}: {error}; {kept}")

    def _finished(self) -> TrainedPolicy:
        """Scores the best network on episodes that did not choose it, and writes it."""
        standing, rule = self._standing, self._problem.rule
        if standing.best is None:
            raise ConfigurationError(f"training.steps = {self._settings.steps}: nothing was learnt")
        trusted = self._trusted(standing.best, rule)
        seeds = episode_seeds(VALIDATION_SEED, "the score", self._settings.evaluation_episodes)
        found = evaluate(self._chooser(standing.best, trusted), self._validation, seeds)
        beaten = None if rule is None else evaluate(rule, self._validation, seeds)
        path = self._folder / WEIGHTS
        card = card_of(
            self._problem,
            self._settings,
            standing.best,
            seed=self._seed,
            steps=standing.best_step,
            scores=score(found, beaten),
            trust=trusted,
        )
        policy = write_policy(path, standing.best, card)
        return TrainedPolicy(
            policy, path, tuple(standing.points), self._rule, standing.seconds, standing.cloning_loss
        )

    def _trusted(self, network: Network, rule: Chooser | None) -> Trust | None:
        """What the best network is trusted with; None where it need not defer to a rule."""
        settings = self._settings.trust
        if rule is None or not (settings.worlds or self._margin):
            return None
        if not settings.worlds:
            return Trust(Deference(self._margin, (True,) * len(network.sizes)))
        seeds = episode_seeds(self._seed, "trust", settings.worlds)
        return trust(
            network, self._margin, rule, self._validation, seeds, settings.confidence, self._world_tried
        )

    def _world_tried(self, number: int) -> None:
        self._tried = number
        self._told(self._model.num_timesteps)

    def _chooser(self, network: Network, trusted: Trust | None) -> Chooser:
        """The network as it is judged: with what it is trusted with, everything before that is known."""
        rule = self._problem.rule
        if rule is None or not (trusted or self._margin):
            return network.choose
        everything = Deference(self._margin, (True,) * len(network.sizes))
        return Deferring(network, everything if trusted is None else trusted.deference, rule)

    @property
    def _margin(self) -> float:
        """By how much an output must exceed the rule's option's: the caution, in units of the temperature."""
        own = self._settings.contrasts
        return own.caution / own.temperature if own.worlds else 0.0

    def _network(self) -> Network:
        return extracted(self._model, self._environments, self._problem.layout, self._settings)

    def _fingerprint(self) -> str:
        """Hash of what a checkpoint must share with a training that goes on from it."""
        settings, layout = self._settings, self._problem.layout
        content = {
            "environment": self._problem.environment.model_dump(mode="json"),
            "observations": layout.observations,
            "choices": [[choice.name, *choice.options] for choice in layout.choices],
            "algorithm": settings.algorithm,
            "hidden": settings.hidden,
            "activation": settings.activation,
            "environments": settings.environments,
            "piece": piece_steps(settings),
            "episodes": settings.evaluation_episodes,
            "buffer": settings.dqn.buffer,
            "seed": self._seed,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def _told(self, step: int) -> None:
        if self._tell is not None:
            points = self._standing.points
            latest = points[-1] if points else None
            played = self._played + self._tried
            worlds = self._settings.contrasts.worlds + self._settings.trust.worlds
            best = self._standing.best_return
            self._tell(LearningProgress(played + step, worlds + self._settings.steps, latest, best))


def _child_seed(seed: int, component: str, *keys: int) -> int:
    return int(component_rng(seed, component, *keys).integers(2**31))
