"""The configuration of a training: TOML in, frozen and complete models out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator

from autoscope.app.config import Section
from autoscope.app.loading import override, read_toml, validated
from autoscope_policies.training import LearningSettings

Seed = Annotated[int, Field(ge=0, lt=2**31)]


class EnvironmentConfig(Section):
    """Where a policy learns, and where it is judged."""

    id: str
    options: Mapping[str, Any] = Field(default_factory=dict)
    validation: Mapping[str, Any] = Field(default_factory=dict)
    rule: str = ""
    specimens: Path | None = None

    @property
    def validation_options(self) -> dict[str, Any]:
        """Options of the environment in which policies are judged: those of training, some replaced."""
        return {**self.options, **self.validation}


class TrainingSection(LearningSettings):
    """How a policy is trained; one policy for each seed."""

    environment: EnvironmentConfig
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (1,)

    @model_validator(mode="after")
    def _each_once(self) -> TrainingSection:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("seeds: one is given twice")
        return self

    @property
    def learning(self) -> LearningSettings:
        """What decides the result of a training, besides environment and seed."""
        return LearningSettings(**{name: getattr(self, name) for name in LearningSettings.model_fields})


class TrainingConfig(Section):
    """A whole training."""

    training: TrainingSection


def load_training(
    path: Path, overrides: Iterable[str] = (), *, seed: int | None = None, steps: int | None = None
) -> TrainingConfig:
    """Reads the configuration of a training.

    Args:
        path: the TOML file; a relative path in it is relative to its folder, and ``$NAME`` is replaced by the
            environment's.
        overrides: ``"training.ppo.batch=128"`` items that replace values.
        seed: trains with this one alone.
        steps: replaces the file's number of steps.

    Raises:
        ConfigurationError: with every problem that was found.
    """
    document = read_toml(path)
    for item in overrides:
        override(document, item)
    table = document.get("training")
    if isinstance(table, dict):
        _absolute(table.get("environment"), path.resolve().parent)
        if seed is not None:
            table["seeds"] = [seed]
        if steps is not None:
            table["steps"] = steps
    return validated(TrainingConfig, document, name=str(path))


def _absolute(environment: object, folder: Path) -> None:
    if isinstance(environment, dict) and isinstance(environment.get("specimens"), str):
        specimens = Path(os.path.expandvars(environment["specimens"])).expanduser()
        environment["specimens"] = str(folder / specimens)
