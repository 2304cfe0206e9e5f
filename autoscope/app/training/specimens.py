"""Worlds to train in that are specimens: tables of fields, as a benchmark makes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from autoscope.app.benchmarking.config import SpecimenEntry, load_benchmark
from autoscope.app.benchmarking.episode import cell_targets
from autoscope.app.benchmarking.table import FieldTable, load_table
from autoscope.app.benchmarking.tabulating import problems_of
from autoscope.app.training.live import table_world
from autoscope.core import ConfigurationError
from autoscope_envs import TableWorld

SURVEY = "autoscope/Survey-v0"
"""The environment that is played in worlds."""
TABLES = "tables"
"""Folder of the tables, in that of the training."""


@dataclass(frozen=True)
class SpecimenWorlds:
    """One of some specimens for each episode; it can be sent to another process.

    Attributes:
        tables: file of each specimen's table, and what is asked of it.
        sha256: of the specimens.
    """

    tables: tuple[tuple[Path, SpecimenEntry], ...]
    sha256: tuple[str, ...]

    def __call__(self, rng: np.random.Generator) -> TableWorld:
        """The world of an episode."""
        path, entry = self.tables[int(rng.integers(len(self.tables)))]
        focus_s = entry.focus.every_s
        return table_world(_table(path), cell_targets(entry), int(rng.integers(2**31)), focus_every_s=focus_s)


def specimen_worlds(
    benchmark: Path, environment: str, folder: Path, announce: Callable[[str], None]
) -> SpecimenWorlds:
    """The specimens of a benchmark's configuration; each is tabulated once.

    Args:
        benchmark: TOML file with ``[[specimens]]``.
        environment: id of what is trained in.
        folder: of the training.
        announce: told of what takes a while.

    Raises:
        ConfigurationError: the environment is not played in worlds, or a specimen cannot be surveyed as asked
            or has no truth.
        SpecimenError: a specimen file is missing or damaged.
    """
    if environment != SURVEY:
        raise ConfigurationError(
            f"training.environment.specimens: {environment} is not played on specimens, {SURVEY} is"
        )
    problems, _ = problems_of(load_benchmark(benchmark), folder / TABLES, (), announce)
    return SpecimenWorlds(
        tuple((problem.path.resolve(), problem.entry) for problem in problems),
        tuple(sorted({problem.table.sha256 for problem in problems})),
    )


@lru_cache(maxsize=16)
def _table(path: Path) -> FieldTable:
    return load_table(path)
