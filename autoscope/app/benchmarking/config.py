"""The configuration of a benchmark: TOML in, frozen and complete models out."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from autoscope.app.config import (
    SYNTHETIC,
    BeamConfig,
    Config,
    FocusConfig,
    ImagingConfig,
    ImperfectionsConfig,
    MicroscopeConfig,
    ModelConfig,
    PolicyConfig,
    Positive,
    RegionConfig,
    Section,
    StatisticsConfig,
    TargetConfig,
    TimingConfig,
)
from autoscope.app.loading import read_toml, validated
from autoscope.core import ConfigurationError, nearest
from autoscope.survey import Policy
from autoscope_policies import POLICIES, make_policy

Tier = Literal["standard", "anytime", "guaranteed"]
Mode = Literal["tables", "sessions"]
Exploration = Annotated[float, Field(gt=0, le=1)]
ORACLE = "oracle"
"""The policy that knows the truth; a benchmark has it, a session does not."""
TRAINED: Final = "trained"
GREY: Final = "grey"
NONE: Final = "none"
JUNK: Final = "junk"
"""What a policy's predictor reads: the overview with the trained reader or by grey levels alone, nothing (a
running mean), or noise in its place."""


class PolicyEntry(Section):
    """A policy, its options and its predictor; a bare string in the list is a policy by its kind."""

    name: str
    kind: str
    predictor: Literal["trained", "grey", "none", "junk"] = TRAINED
    options: Mapping[str, float | int | str] = Field(default_factory=dict)

    def make(self) -> Policy:
        """The policy. The oracle is not made here: it needs the truth."""
        return make_policy(self.kind, **self.options)


def _entry(value: object) -> object:
    if isinstance(value, str):
        return {"name": value, "kind": value}
    if isinstance(value, Mapping) and "kind" in value:
        return {"name": value["kind"], **value}
    return value


class ExplorationConfig(Section):
    """The floor for each tier."""

    standard: Exploration = 0.2
    anytime: Exploration = 0.2
    guaranteed: Annotated[float, Field(ge=0.5, le=1)] = 0.5


class BenchmarkSection(Section):
    """What is compared and how often."""

    episodes: Annotated[int, Field(ge=2)] = 200
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 1
    mode: Mode = "tables"
    policies: tuple[Annotated[PolicyEntry, BeforeValidator(_entry)], ...]
    baseline: str = "uniform"
    tiers: tuple[Tier, ...] = ("standard",)
    exploration: ExplorationConfig = ExplorationConfig()
    cards: tuple[Path, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> BenchmarkSection:
        for key, names in (("policies", [p.name for p in self.policies]), ("tiers", list(self.tiers))):
            if not names:
                raise ValueError(f"{key}: at least one is needed")
            if len(set(names)) < len(names):
                raise ValueError(f"{key}: one is named twice (give one of them another name)")
        if self.baseline not in {policy.name for policy in self.policies}:
            raise ValueError(f"baseline: {self.baseline!r} is not the name of one of the policies")
        return self


class SpecimenEntry(Section):
    """A specimen and what is asked of it; several seeds are several specimens."""

    name: str = ""
    specimen: str
    specimen_seeds: tuple[Annotated[int, Field(ge=0)], ...] = (0,)
    specimen_size_um: tuple[Positive, Positive] | None = None
    skip_if_missing: bool = False
    timing: TimingConfig = TimingConfig()
    imperfections: ImperfectionsConfig = ImperfectionsConfig()
    beam: BeamConfig = BeamConfig()
    focus: FocusConfig = FocusConfig()
    region: RegionConfig = RegionConfig()
    imaging: ImagingConfig = ImagingConfig()
    targets: tuple[TargetConfig, ...]

    @model_validator(mode="after")
    def _fits(self) -> SpecimenEntry:
        if not self.targets or not self.specimen_seeds:
            raise ValueError("at least one [[specimens.targets]] table and one of specimen_seeds is needed")
        if len(self.specimen_seeds) > 1 and not self.specimen.startswith(SYNTHETIC):
            raise ValueError("only a synthetic specimen has specimen_seeds")
        return self

    @property
    def label(self) -> str:
        """What the table calls it."""
        return self.name or Path(self.specimen.removeprefix(SYNTHETIC)).stem

    def named(self) -> tuple[tuple[str, int], ...]:
        """A name and a seed for each specimen that this entry stands for."""
        if not self.specimen.startswith(SYNTHETIC):
            return ((self.label, 0),)
        return tuple((f"{self.label}-{seed}", seed) for seed in self.specimen_seeds)


class BenchmarkConfig(Section):
    """A whole benchmark."""

    benchmark: BenchmarkSection
    specimens: tuple[SpecimenEntry, ...]

    @model_validator(mode="after")
    def _fits_together(self) -> BenchmarkConfig:
        names = [name for entry in self.specimens for name, _ in entry.named()]
        if not names:
            raise ValueError("specimens: at least one [[specimens]] table is needed")
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"specimens: {', '.join(twice)} stands for two specimens; give each a name")
        return self


def load_benchmark(path: Path, episodes: int | None = None) -> BenchmarkConfig:
    """Reads the configuration of a benchmark.

    Args:
        path: the TOML file; relative paths in it are relative to its folder, and ``$NAME`` in them is
            replaced by the environment's.
        episodes: replaces the file's number of episodes.

    Raises:
        ConfigurationError: with every problem that was found.
    """
    document = read_toml(path)
    _absolute_paths(document, path.resolve().parent)
    table = document.get("benchmark")
    if episodes is not None and isinstance(table, dict):
        table["episodes"] = episodes
    config = validated(BenchmarkConfig, document, name=str(path))
    _check_policies(config.benchmark, str(path))
    return config


def session_config(
    entry: SpecimenEntry,
    specimen_seed: int,
    seed: int,
    *,
    policy: PolicyConfig | None = None,
    tier: Tier = "standard",
) -> Config:
    """The session on a specimen of the benchmark, its values read from the truth.

    Args:
        entry: the specimen.
        specimen_seed: seed of a synthetic one.
        seed: the session's seed.
        policy: how fields are chosen; a table of fields needs none.
        tier: which promise the intervals make.
    """
    return Config(
        seed=seed,
        microscope=MicroscopeConfig(
            kind="simulated",
            specimen=entry.specimen,
            specimen_seed=specimen_seed,
            specimen_size_um=entry.specimen_size_um,
            timing=entry.timing,
            imperfections=entry.imperfections,
        ),
        beam=entry.beam,
        focus=entry.focus,
        region=entry.region,
        imaging=entry.imaging,
        targets=entry.targets,
        statistics=StatisticsConfig(tier=tier),
        model=ModelConfig(kind="truth"),
        policy=policy or PolicyConfig(kind="uniform", exploration=1.0),
    )


def _check_policies(table: BenchmarkSection, name: str) -> None:
    problems = []
    known = (*POLICIES, ORACLE)
    for entry in table.policies:
        if entry.kind == ORACLE:
            if table.mode == "sessions":
                problems.append(
                    f'{name}: benchmark.policies: {ORACLE!r} knows the truth and runs in mode = "tables" only'
                )
            if entry.options:
                problems.append(f"{name}: benchmark.policies: {ORACLE!r} has no options")
            continue
        if entry.kind not in POLICIES:
            problems.append(
                f"{name}: benchmark.policies: {entry.kind!r} is unknown{nearest(entry.kind, known)};"
                f" it is one of {', '.join(known)}"
            )
            continue
        if table.mode == "sessions" and entry.predictor == JUNK:
            problems.append(
                f'{name}: benchmark.policies: {entry.name!r}: predictor = "junk" needs mode = "tables"'
            )
        try:
            entry.make()
        except ConfigurationError as error:
            problems.extend(f"{name}: benchmark.policies: {problem}" for problem in error.problems)
    if problems:
        raise ConfigurationError(*problems)


def _absolute_paths(document: dict[str, Any], folder: Path) -> None:
    specimens = document.get("specimens")
    for table in specimens if isinstance(specimens, list) else ():
        path = table.get("specimen") if isinstance(table, dict) else None
        if isinstance(path, str) and path and not path.startswith(SYNTHETIC):
            table["specimen"] = _absolute(path, folder)
    benchmark = document.get("benchmark")
    cards = benchmark.get("cards") if isinstance(benchmark, dict) else None
    if isinstance(cards, list) and isinstance(benchmark, dict):
        benchmark["cards"] = [_absolute(c, folder) if isinstance(c, str) else c for c in cards]


def _absolute(path: str, folder: Path) -> str:
    return str(folder / Path(os.path.expandvars(path)).expanduser())
