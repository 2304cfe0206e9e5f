"""The configuration of a gate: TOML in, frozen and complete models out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from autoscope.app.config import Section
from autoscope.app.loading import read_toml, validated
from autoscope.core import nearest
from autoscope_envs import INSTRUMENTS, SPECIMENS

Exploration = Annotated[float, Field(gt=0, le=1)]


class FamilyEntry(Section):
    """A kind of specimen on a kind of instrument."""

    specimen: str
    instrument: str

    @model_validator(mode="after")
    def _known(self) -> FamilyEntry:
        for key, value, known in (
            ("specimen", self.specimen, list(SPECIMENS)),
            ("instrument", self.instrument, list(INSTRUMENTS)),
        ):
            if value not in known:
                said = ", ".join(known)
                raise ValueError(f"{key} {value!r} is unknown{nearest(value, known)}; it is one of {said}")
        return self

    @property
    def label(self) -> str:
        """What the table calls it."""
        return f"{self.specimen}, {self.instrument}"


class TuningConfig(Section):
    """How the best constant design is found: successive halving."""

    first: Annotated[int, Field(ge=2)] = 4
    keep: Annotated[float, Field(gt=0, lt=1)] = 0.25
    episodes: Annotated[int, Field(ge=2)] = 64


class GateSection(Section):
    """What is compared, on what, and when it passes."""

    weights: Annotated[tuple[Path, ...], Field(min_length=1)]
    families: Annotated[tuple[FamilyEntry, ...], Field(min_length=1)]
    episodes: Annotated[int, Field(ge=2)] = 200
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    side: Annotated[int, Field(ge=8, le=256)] = 64
    tier: Literal["standard", "anytime", "guaranteed"] = "standard"
    exploration: Exploration = 0.2
    significance: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    least_seeds: Annotated[int, Field(ge=1)] = 3
    tuning: TuningConfig = TuningConfig()

    @model_validator(mode="after")
    def _each_once(self) -> GateSection:
        for key, names in (
            ("families", [family.label for family in self.families]),
            ("weights", [str(path) for path in self.weights]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"{key}: one is given twice")
        return self


class GateConfig(Section):
    """A whole gate."""

    gate: GateSection


def is_gate(path: Path) -> bool:
    """Whether a file configures a gate: it has a ``[gate]`` table.

    Raises:
        ConfigurationError: it cannot be read or is not TOML.
    """
    return "gate" in read_toml(path)


def load_gate(path: Path, episodes: int | None = None) -> GateConfig:
    """Reads the configuration of a gate.

    Args:
        path: the TOML file; relative paths in it are relative to its folder, and ``$NAME`` in them is
            replaced by the environment's.
        episodes: replaces the file's number of episodes.

    Raises:
        ConfigurationError: with every problem that was found.
    """
    document = read_toml(path)
    table = document.get("gate")
    if isinstance(table, dict):
        if episodes is not None:
            table["episodes"] = episodes
        _absolute(table, path.resolve().parent)
    return validated(GateConfig, document, name=str(path))


def _absolute(table: dict[str, Any], folder: Path) -> None:
    files = table.get("weights")
    if isinstance(files, list):
        table["weights"] = [
            str(folder / Path(os.path.expandvars(file)).expanduser()) if isinstance(file, str) else file
            for file in files
        ]
