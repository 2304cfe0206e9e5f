"""A policy for each seed, one after the other or in processes of their own; the policies are the same."""

from __future__ import annotations

import multiprocessing
import queue
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from autoscope.app.processes import one_thread_each
from autoscope.app.scaling import map_over
from autoscope.core import AutoscopeError
from autoscope_policies.training import LearningSettings, Problem

if TYPE_CHECKING:
    from autoscope_policies.training.progress import LearningProgress
    from autoscope_policies.training.trainer import TrainedPolicy

_LISTEN_S = 0.5
"""How long the main process waits for the others before it passes on what they told."""

Tell = Callable[[int, "LearningProgress"], None]
"""Told of the seed that is trained and of how far it is."""


def train_seeds(
    problem: Problem,
    settings: LearningSettings,
    seeds: Sequence[int],
    folder: Path,
    *,
    resume: bool = False,
    jobs: int = 1,
    ray: str | None = None,
    tell: Tell | None = None,
) -> dict[int, TrainedPolicy]:
    """Trains a policy for each seed, in ``folder/seed-N``.

    Args:
        problem: what to train on.
        settings: how.
        seeds: of the policies.
        folder: of all results.
        resume: go on from the checkpoints that are there.
        jobs: processes; 1 trains everything in this one.
        ray: address of a Ray cluster that trains instead; its machines share the folder.
        tell: hears how far it is; of seeds on a cluster, when each is done.

    Raises:
        ConfigurationError: algorithm, environment and settings do not fit together.
        TrainingError: a reward, an observation or the loss is not a finite number. Seeds in other processes
            are trained to their end first.
        AutoscopeError: a process was killed.
    """
    if ray is not None:
        return _train_on_cluster(problem, settings, seeds, folder, ray, tell)
    if jobs == 1 or len(seeds) == 1:
        return {
            seed: train_seed(
                problem, settings, seed, folder, resume, None if tell is None else partial(tell, seed)
            )
            for seed in seeds
        }
    context = multiprocessing.get_context("spawn")
    with (
        one_thread_each(),
        context.Manager() as manager,
        ProcessPoolExecutor(min(jobs, len(seeds)), context) as pool,
    ):
        told = manager.Queue()
        running = {
            seed: pool.submit(_train_aside, problem, settings, seed, folder, resume, told) for seed in seeds
        }
        try:
            _listen(list(running.values()), told, tell)
            return {seed: future.result() for seed, future in running.items()}
        except BrokenProcessPool as error:
            raise AutoscopeError(
                "a process of the training was killed (out of memory?): --resume goes on from the"
                " checkpoints, with fewer --jobs"
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def train_seed(
    problem: Problem,
    settings: LearningSettings,
    seed: int,
    folder: Path,
    resume: bool,
    tell: Callable[[LearningProgress], None] | None,
) -> TrainedPolicy:
    """Trains one policy; where it has no checkpoint it begins afresh, even if resuming was asked for."""
    from autoscope_policies.training.trainer import CHECKPOINT, learn

    here = folder / f"seed-{seed}"
    going_on = resume and (here / CHECKPOINT).exists()
    return learn(problem, settings, seed, here, resume=going_on, tell=tell)


def _train_aside(
    problem: Problem,
    settings: LearningSettings,
    seed: int,
    folder: Path,
    resume: bool,
    told: queue.Queue[tuple[int, LearningProgress]],
) -> TrainedPolicy:
    """As `train_seed`, in another process."""

    def tell(now: LearningProgress) -> None:
        told.put((seed, now))

    return train_seed(problem, settings, seed, folder, resume, tell)


def _train_on_cluster(
    problem: Problem,
    settings: LearningSettings,
    seeds: Sequence[int],
    folder: Path,
    ray: str,
    tell: Tell | None,
) -> dict[int, TrainedPolicy]:
    """Every seed on some machine of a cluster; each is told of when it is done."""
    from autoscope_policies.training.progress import LearningProgress

    train, done = partial(_train_far, problem, settings, folder.resolve()), {}
    steps = settings.contrasts.worlds + settings.steps + settings.trust.worlds
    for seed, policy in map_over(train, seeds, ray=ray):
        done[seed] = policy
        if tell is not None:
            best = max(policy.points, key=lambda point: point.validation_return)
            tell(seed, LearningProgress(steps, steps, policy.points[-1], best.validation_return))
    return dict(sorted(done.items()))


def _train_far(problem: Problem, settings: LearningSettings, folder: Path, seed: int) -> TrainedPolicy:
    """As `train_seed`, on a machine of a cluster: what another one that was lost has left is gone on with."""
    return train_seed(problem, settings, seed, folder, True, None)


def _listen(
    running: Sequence[Future[TrainedPolicy]],
    told: queue.Queue[tuple[int, LearningProgress]],
    tell: Tell | None,
) -> None:
    """Passes on what is told until every process is done."""
    waiting = set(running)
    while waiting:
        waiting = set(wait(waiting, timeout=_LISTEN_S).not_done)
        while not told.empty():
            seed, now = told.get()
            if tell is not None:
                tell(seed, now)
