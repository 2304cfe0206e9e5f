"""One episode: a survey of a table of fields, or a whole simulated session."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoscope.app.benchmarking.config import (
    GREY,
    JUNK,
    NONE,
    ORACLE,
    PolicyEntry,
    SpecimenEntry,
    Tier,
    session_config,
)
from autoscope.app.benchmarking.table import FieldTable, load_table
from autoscope.app.build import targets_of
from autoscope.app.config import PolicyConfig
from autoscope.app.preparing import predictor_of
from autoscope.app.running import run_session
from autoscope.core import AutoscopeError, component_rng
from autoscope.perception.overview_groups import GREY_GROUPS
from autoscope.survey import Decision, Policy, Statistics, Survey, TableSource, Target, run
from autoscope_policies.oracle import NeymanOracle, overview_likeness


@dataclass(frozen=True, slots=True)
class Cell:
    """One policy with one tier on one specimen: what many episodes are run of.

    Attributes:
        key: hash of everything that an episode depends on but its number.
        specimen: name of the specimen.
        entry: its table in the configuration.
        specimen_seed: seed of a synthetic specimen.
        table: file of its table of fields.
        policy: how fields are chosen.
        tier: which promise the intervals make.
        exploration: the floor.
        seed: of the benchmark; episode e of every cell draws with ``seed + e``.
        whole_sessions: whether an episode is a simulated session instead of a survey of the table.
    """

    key: str
    specimen: str
    entry: SpecimenEntry
    specimen_seed: int
    table: Path
    policy: PolicyEntry
    tier: Tier
    exploration: float
    seed: int
    whole_sessions: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What an episode says about one target."""

    estimate: float
    ci_low: float | None
    ci_high: float | None
    met: bool


@dataclass(frozen=True, slots=True)
class Episode:
    """How one episode ended.

    Attributes:
        cell: key of its cell.
        number: counted from 0; the same number means the same random numbers in every cell.
        fields: fields visited.
        beam_time_s: the microscope's clock at the end, overview, travel and focus included.
        answers: one for each target.
    """

    cell: str
    number: int
    fields: int
    beam_time_s: float
    answers: tuple[Answer, ...]


class _ClockedTable(TableSource):
    """A table that adds up what the visits cost."""

    spent_s = 0.0

    def acquire(self, decision: Decision) -> None:
        """Pays for travel and frame."""
        self.spent_s += decision.predicted_cost_s


def run_episodes(cell: Cell, numbers: tuple[int, ...]) -> list[Episode]:
    """Runs some episodes of a cell.

    Raises:
        AutoscopeError: an episode failed; the message says which.
    """
    table = _table(cell.table)
    done = []
    for number in numbers:
        try:
            done.append(_session(cell, number) if cell.whole_sessions else _survey(cell, table, number))
        except AutoscopeError as error:
            # a plain AutoscopeError, since it must travel between processes
            raise AutoscopeError(
                f"specimen {cell.specimen}, policy {cell.policy.name}, tier {cell.tier},"
                f" episode {number}: {error}"
            ) from None
    return done


@lru_cache(maxsize=4)
def _table(path: Path) -> FieldTable:
    return load_table(path)


def cell_targets(entry: SpecimenEntry) -> tuple[Target, ...]:
    """What is asked on a specimen."""
    return tuple(measure.target for measure in targets_of(session_config(entry, 0, 0)))


def wanted_half_width(target: Target, truth: float) -> float:
    """The half-width that is wanted where the estimate is the truth."""
    return target.half_width if target.half_width is not None else (target.relative or 0.0) * abs(truth)


def _survey(cell: Cell, table: FieldTable, number: int) -> Episode:
    targets, costs = cell_targets(cell.entry), table.costs
    survey = Survey(
        grid=table.grid,
        targets=targets,
        policy=_policy(cell, table, targets),
        predictor=predictor_of(len(table.grid), targets, _groups(cell, table)),
        statistics=Statistics(cell.tier, cell.exploration),
        seed=cell.seed + number,
        travel_s=costs.timing.travel_s,
        visit_s=costs.visit_s,
        start_xy_um=costs.start_xy_um,
    )
    source = _ClockedTable(table.values)
    fields = run(survey, source)
    answers = tuple(Answer(s.estimate, s.ci_low, s.ci_high, s.met) for s in survey.states())
    return Episode(cell.key, number, fields, costs.beam_time_s(source.spent_s), answers)


def _groups(cell: Cell, table: FieldTable) -> tuple[NDArray[np.float64], ...]:
    """What the predictor is given for the overview."""
    if cell.policy.predictor == NONE:
        return ()
    if cell.policy.predictor == JUNK:
        rng = component_rng(cell.seed, "junk")
        return tuple(rng.standard_normal(group.shape) for group in table.groups)
    return table.groups[:GREY_GROUPS] if cell.policy.predictor == GREY else table.groups


def _policy(cell: Cell, table: FieldTable, targets: tuple[Target, ...]) -> Policy:
    if cell.policy.kind != ORACLE:
        return cell.policy.make()
    likeness = overview_likeness(table.values, np.column_stack(table.groups), table.grid.weight)
    wanted = [t.goal.wanted(float(truth)) for t, truth in zip(targets, table.truth, strict=True)]
    return NeymanOracle(table.values, likeness, np.maximum(wanted, 1e-12))


def _session(cell: Cell, number: int) -> Episode:
    entry = cell.policy
    policy = PolicyConfig(
        kind=entry.kind, exploration=cell.exploration, predictor=entry.predictor, options=entry.options
    )
    config = session_config(cell.entry, cell.specimen_seed, cell.seed + number, policy=policy, tier=cell.tier)
    with tempfile.TemporaryDirectory() as folder:
        result = run_session(config, Path(folder) / "session")
    answers = tuple(
        Answer(float("nan") if q.estimate is None else q.estimate, q.ci_low, q.ci_high, q.target_met)
        for q in result.quantities
    )
    fields = result.quantities[0].fields_measured
    return Episode(cell.key, number, fields, result.spent.beam_time_s, answers)
