"""Running a benchmark: every cell's episodes, in parallel processes, on from where it was left."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import autoscope
from autoscope.app.benchmarking.config import TRAINED, BenchmarkConfig
from autoscope.app.benchmarking.episode import Cell, Episode, run_episodes
from autoscope.app.benchmarking.fingerprints import EPISODE_CODE, code_hash, digest
from autoscope.app.benchmarking.ledger import Ledger
from autoscope.app.benchmarking.scoring import Row, Scored, row_json, score
from autoscope.app.benchmarking.summary import Summary, summarise
from autoscope.app.benchmarking.tabulating import Announce, Problem, problems_of
from autoscope.app.benchmarking.unseen import read_cards, reader_card
from autoscope.app.scaling import map_over
from autoscope.perception.overview_card import shipped_reader

SCHEMA = "autoscope.benchmark/1"
TABLES = "tables"
BATCH = 5
"""Episodes that a process runs before it reports."""

Advance = Callable[[int, int, str], None]
"""Told how many episodes are done, of how many, and what was run last."""
Batch = tuple[Cell, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A finished benchmark.

    Attributes:
        config: what was compared.
        rows: one for each specimen, policy, tier and target.
        summary: one for each policy and tier.
        cells: the episodes behind the rows.
        skipped: specimens that were left out because their file is missing.
    """

    config: BenchmarkConfig
    rows: tuple[Row, ...]
    summary: tuple[Summary, ...]
    cells: tuple[Scored, ...]
    skipped: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The document that the command prints."""
        table = self.config.benchmark
        return {
            "schema": SCHEMA,
            "autoscope_version": autoscope.__version__,
            "mode": table.mode,
            "seed": table.seed,
            "rows": [row_json(row) for row in self.rows],
            "summary": [asdict(line) for line in self.summary],
            "skipped": list(self.skipped),
        }


def run_benchmark(
    config: BenchmarkConfig,
    folder: Path,
    *,
    jobs: int,
    ray: str | None = None,
    advance: Advance | None = None,
    announce: Announce | None = None,
) -> Benchmark:
    """Runs every episode that is not in the folder yet, and scores them all.

    Args:
        config: what to compare.
        folder: of finished episodes and cached tables.
        jobs: processes; 1 runs everything in this one.
        ray: address of a Ray cluster that runs the episodes instead.
        advance: told of progress.
        announce: told of what takes a while before the first episode.

    Raises:
        ConfigurationError: a specimen cannot be surveyed as asked, or was seen in training.
        AutoscopeError: an episode failed, or a process was killed.
    """
    cards = read_cards(config.benchmark.cards)
    if any(policy.predictor == TRAINED for policy in config.benchmark.policies):
        cards += (reader_card(shipped_reader()),)
    problems, skipped = problems_of(config, folder / TABLES, cards, announce or _quiet)
    cells = cells_of(config, problems)
    ledger = Ledger(folder)
    count = config.benchmark.episodes
    done = sum(len(ledger.of(cell.key, count)) for cell in cells)
    total = count * len(cells)
    tell = advance or _still
    tell(done, total, "" if not done else "from the call before")
    for (cell, _), episodes in map_over(_run, _missing(cells, ledger, count), jobs=jobs, ray=ray):
        ledger.add(episodes)
        done += len(episodes)
        tell(done, total, f"{cell.specimen}, {cell.policy.name}, {cell.tier}")
    tables = {problem.name: problem.table for problem in problems}
    scored = tuple(
        Scored(cell, tuple(ledger.of(cell.key, count).values()), tables[cell.specimen]) for cell in cells
    )
    rows = score(scored, config.benchmark.baseline)
    return Benchmark(config, rows, summarise(rows), scored, skipped)


def cells_of(config: BenchmarkConfig, problems: Sequence[Problem]) -> tuple[Cell, ...]:
    """Every combination of specimen, tier and policy."""
    table, code = config.benchmark, code_hash(EPISODE_CODE)
    cells = []
    for problem in problems:
        targets = [target.model_dump(mode="json") for target in problem.entry.targets]
        for tier in table.tiers:
            exploration = float(getattr(table.exploration, tier))
            for policy in table.policies:
                how = [
                    policy.kind,
                    dict(policy.options),
                    policy.predictor,
                    tier,
                    exploration,
                    table.seed,
                    table.mode,
                ]
                cells.append(
                    Cell(
                        key=digest(problem.key, targets, how, code)[:16],
                        specimen=problem.name,
                        entry=problem.entry,
                        specimen_seed=problem.specimen_seed,
                        table=problem.path,
                        policy=policy,
                        tier=tier,
                        exploration=exploration,
                        seed=table.seed,
                        whole_sessions=table.mode == "sessions",
                    )
                )
    return tuple(cells)


def _missing(cells: Sequence[Cell], ledger: Ledger, count: int) -> list[Batch]:
    """What is still to be run, the first episodes of every cell before the second ones of any."""
    batches = []
    for start in range(0, count, BATCH):
        for cell in cells:
            there = ledger.of(cell.key, count)
            numbers = tuple(n for n in range(start, min(start + BATCH, count)) if n not in there)
            if numbers:
                batches.append((cell, numbers))
    return batches


def _run(batch: Batch) -> list[Episode]:
    cell, numbers = batch
    return run_episodes(cell, numbers)


def to_text(benchmark: Benchmark) -> str:
    """The document as JSON text."""
    return json.dumps(benchmark.to_json(), indent=2, allow_nan=False) + "\n"


def _quiet(message: str) -> None:
    """Nobody listens."""


def _still(done: int, total: int, last: str) -> None:
    """Nobody listens."""
