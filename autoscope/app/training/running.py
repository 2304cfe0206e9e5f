"""Running a training: one policy for each seed, the best of them beside, and how it went."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

import autoscope
from autoscope.app.benchmarking.fingerprints import code_hash, digest
from autoscope.app.training.config import TrainingConfig
from autoscope.app.training.environments import environment_maker, layout_of, rule_of
from autoscope.app.training.seeds import Tell, train_seeds
from autoscope.app.training.specimens import specimen_worlds
from autoscope.core import ConfigurationError
from autoscope.perception.output_files import make_folder
from autoscope.records import replace_file
from autoscope_policies.learned import EnvironmentCard
from autoscope_policies.training import Problem
from autoscope_policies.training.problem import check_algorithm

if TYPE_CHECKING:
    from autoscope_policies.training.trainer import TrainedPolicy

SCHEMA = "autoscope.training/1"
SUMMARY, CONFIG, CURVES, WEIGHTS = "training.json", "config.toml", "learning.png", "policy.safetensors"
TRAINING_CODE = (
    "autoscope.core",
    "autoscope.survey",
    "autoscope.estimation",
    "autoscope_envs",
    "autoscope_policies.learned",
    "autoscope_policies.training",
)
"""What a training's result depends on, beside its configuration."""


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A finished training.

    Attributes:
        config: what was trained.
        folder: of the results.
        policies: by seed.
        best: seed of the policy with the highest score.
    """

    config: TrainingConfig
    folder: Path
    policies: dict[int, TrainedPolicy]
    best: int

    @property
    def weights(self) -> Path:
        """The best policy's file."""
        return self.folder / WEIGHTS

    def to_json(self) -> dict[str, Any]:
        """The document that the command prints and keeps."""
        return {
            "schema": SCHEMA,
            "autoscope_version": autoscope.__version__,
            "environment": self.config.training.environment.model_dump(mode="json"),
            "algorithm": self.config.training.algorithm,
            "policy": str(self.weights),
            "sha256": self.policies[self.best].policy.sha256,
            "best_seed": self.best,
            "seeds": [_seed_json(seed, policy) for seed, policy in self.policies.items()],
        }


def run_training(
    config: TrainingConfig,
    folder: Path,
    *,
    name: str,
    resume: bool = False,
    jobs: int = 1,
    ray: str | None = None,
    tell: Tell | None = None,
) -> TrainingRun:
    """Trains a policy for each seed and writes everything to a folder.

    Seeds that are finished already are not trained again where ``resume`` is asked for.

    Args:
        config: what to train.
        folder: of the results; made where it is missing.
        name: of the configuration's file, for messages.
        resume: go on from the checkpoints in the folder.
        jobs: seeds that are trained at the same time, each in a process of its own.
        ray: address of a Ray cluster that trains instead; its machines share the folder.
        tell: hears how far it is.

    Raises:
        ConfigurationError: the environment, its options, the algorithm or the folder do not fit.
        TrainingError: a reward, an observation or the loss is not a finite number.
        ModelError: a checkpoint is damaged.
    """
    _check_folder(folder, resume)
    problem = problem_of(config, name=name, folder=folder)
    make_folder(folder)
    replace_file(folder / CONFIG, tomli_w.dumps(config.model_dump(mode="json", exclude_none=True)))
    policies = train_seeds(
        problem,
        config.training.learning,
        config.training.seeds,
        folder,
        resume=resume,
        jobs=jobs,
        ray=ray,
        tell=tell,
    )
    best = max(policies, key=lambda seed: _score(policies[seed]))
    for ending in (".safetensors", ".json"):
        shutil.copyfile(policies[best].path.with_suffix(ending), (folder / WEIGHTS).with_suffix(ending))
    run = TrainingRun(config, folder, policies, best)
    replace_file(folder / SUMMARY, json.dumps(run.to_json(), indent=2) + "\n")
    from autoscope.app.training.curves import draw_learning_curves

    draw_learning_curves(policies, folder / CURVES)
    return run


def problem_of(config: TrainingConfig, *, name: str, folder: Path = Path()) -> Problem:
    """What a configuration trains on.

    Args:
        config: the training.
        name: of the configuration's file, for messages.
        folder: of the training; specimens are tabulated in it.

    Raises:
        ConfigurationError: the environment, an option of it or the rule is unknown, or of another type; the
            algorithm cannot act in the environment; or the specimens cannot be surveyed as asked.
        SpecimenError: a specimen file is missing or damaged.
    """
    asked = config.training.environment
    make = environment_maker(asked.id, asked.options, name=name, key="training.environment.options")
    validation = environment_maker(
        asked.id, asked.validation_options, name=name, key="training.environment.validation"
    )
    trained_on: tuple[str, ...] = ()
    if asked.specimens is not None:
        worlds = specimen_worlds(asked.specimens, asked.id, folder, _say)
        make, validation = replace(make, world=worlds), replace(validation, world=worlds)
        trained_on = worlds.sha256
    environment = make()
    try:
        check_algorithm(config.training.algorithm, environment, asked.id)
        layout = layout_of(asked.id, environment)
    finally:
        environment.close()
    return Problem(
        make,
        validation,
        layout,
        EnvironmentCard(id=asked.id, options=dict(asked.options)),
        {"config": digest(config.model_dump(mode="json")), "code": code_hash(TRAINING_CODE)},
        trained_on,
        rule_of(asked.id, asked.rule, name=name),
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _check_folder(folder: Path, resume: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} exists and is not a folder: choose another --out")
    begun = folder.is_dir() and any(folder.iterdir())
    if begun and not resume:
        raise ConfigurationError(
            f"{folder}: a training is kept here: --resume goes on with it; or choose another --out"
        )
    if resume and not begun:
        raise ConfigurationError(f"{folder}: there is no training to go on with: leave out --resume")


def _score(policy: TrainedPolicy) -> float:
    scores = policy.policy.card.scores
    return float("-inf") if scores is None else scores.mean_return


def _seed_json(seed: int, policy: TrainedPolicy) -> dict[str, Any]:
    card = policy.policy.card
    return {
        "seed": seed,
        "policy": str(policy.path),
        "sha256": policy.policy.sha256,
        "steps": card.steps,
        "seconds": policy.seconds,
        "cloning_loss": policy.cloning_loss,
        "scores": None if card.scores is None else card.scores.model_dump(mode="json"),
        "rule_validation_return": None if policy.rule is None else policy.rule.mean,
        "points": [asdict(point) for point in policy.points],
    }
