"""From episodes to the rows of a benchmark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri

from autoscope.app.benchmarking.config import ORACLE
from autoscope.app.benchmarking.episode import Cell, Episode, cell_targets, wanted_half_width
from autoscope.app.benchmarking.table import FieldTable
from autoscope.survey import Target

MONTE_CARLO_CONFIDENCE = 0.99
"""Confidence of the interval that is printed beside a coverage."""
ROUNDING = 1e-12
"""By how much an interval of a census may miss the truth in floating point."""


@dataclass(frozen=True, slots=True)
class Row:
    """One policy with one tier, one specimen and one target.

    Attributes:
        specimen: its name.
        policy: its name in the configuration.
        tier: statistics tier.
        quantity: what was asked.
        class_name: of which class.
        half_width: wanted; for a relative target that of the truth.
        truth: the true value.
        fields_in_region: size of the population.
        exploration: share of every draw that is uniform.
        episodes: how many were run.
        reached: share of them that met this target.
        fields_mean: fields at the end.
        fields_mean_se: its standard error.
        fields_p90: 90th percentile.
        beam_time_s_mean: the microscope's clock at the end.
        bias: mean of estimate - truth.
        bias_se: its standard error.
        rmse: root-mean-square of estimate - truth.
        coverage: share of the reported intervals that hold the truth.
        coverage_se: its binomial standard error.
        coverage_low: lower end of its 99 % Clopper-Pearson interval.
        coverage_high: upper end.
        oracle_share: fields of the oracle over fields; None without an oracle.
        fewer_fields: fields of the baseline policy over fields.
        less_beam_time: the same of beam time.
        fields_by_error: fields that would have done by the true error (which no session knows): those at
            which z rmse is the half-width, if the variance falls as 1/n - 1/N.
        regret_fields: mean of fields - fields of the oracle, over episodes with the same random numbers.
        regret_fields_se: its standard error.
    """

    specimen: str
    policy: str
    tier: str
    quantity: str
    class_name: str
    half_width: float
    truth: float
    fields_in_region: int
    exploration: float
    episodes: int
    reached: float
    fields_mean: float
    fields_mean_se: float
    fields_p90: float
    beam_time_s_mean: float
    bias: float
    bias_se: float
    rmse: float
    coverage: float
    coverage_se: float
    coverage_low: float
    coverage_high: float
    oracle_share: float | None
    fewer_fields: float
    less_beam_time: float
    fields_by_error: float
    regret_fields: float | None
    regret_fields_se: float | None


@dataclass(frozen=True, slots=True)
class Scored:
    """A cell, its episodes in order of their number, and the table they ran on."""

    cell: Cell
    episodes: tuple[Episode, ...]
    table: FieldTable


def score(cells: Sequence[Scored], baseline: str) -> tuple[Row, ...]:
    """The rows of a benchmark, in the order of the cells and their targets.

    Args:
        cells: every cell with its episodes.
        baseline: name of the policy that the others are compared with.
    """
    peers = {(s.cell.specimen, s.cell.tier, s.cell.policy.name): s for s in cells}
    oracles = {(s.cell.specimen, s.cell.tier): s for s in cells if s.cell.policy.kind == ORACLE}
    rows = []
    for scored in cells:
        cell = scored.cell
        oracle = oracles.get((cell.specimen, cell.tier))
        reference = peers[cell.specimen, cell.tier, baseline]
        for k, target in enumerate(cell_targets(cell.entry)):
            rows.append(_row(scored, k, target, oracle, reference))
    return tuple(rows)


def _row(scored: Scored, k: int, target: Target, oracle: Scored | None, reference: Scored) -> Row:
    cell, table, count = scored.cell, scored.table, len(scored.episodes)
    truth, n_fields = target.reported(float(table.truth[k])), len(table.grid)
    half_width = wanted_half_width(target, truth)
    answers = [episode.answers[k] for episode in scored.episodes]
    errors = np.array([answer.estimate - truth for answer in answers])
    hits = sum(covers(answer.ci_low, answer.ci_high, truth) for answer in answers)
    coverage, (low, high) = hits / count, clopper_pearson(hits, count, MONTE_CARLO_CONFIDENCE)
    fields, seconds = _fields(scored), _seconds(scored)
    rmse = float(np.sqrt((errors**2).mean()))
    share = None if oracle is None else float(_fields(oracle).mean() / fields.mean())
    regret, regret_se = (None, None) if oracle is None else paired(fields, _fields(oracle))
    return Row(
        specimen=cell.specimen,
        policy=cell.policy.name,
        tier=cell.tier,
        quantity=target.quantity,
        class_name=target.class_name,
        half_width=half_width,
        truth=truth,
        fields_in_region=n_fields,
        exploration=cell.exploration,
        episodes=count,
        reached=float(np.mean([answer.met for answer in answers])),
        fields_mean=float(fields.mean()),
        fields_mean_se=standard_error(fields),
        fields_p90=float(np.quantile(fields, 0.9)),
        beam_time_s_mean=float(seconds.mean()),
        bias=float(errors.mean()),
        bias_se=standard_error(errors),
        rmse=rmse,
        coverage=coverage,
        coverage_se=float(np.sqrt(coverage * (1 - coverage) / count)),
        coverage_low=low,
        coverage_high=high,
        oracle_share=share,
        fewer_fields=float(_fields(reference).mean() / fields.mean()),
        less_beam_time=float(_seconds(reference).mean() / seconds.mean()),
        fields_by_error=fields_by_error(rmse, float(fields.mean()), n_fields, half_width, target.confidence),
        regret_fields=regret,
        regret_fields_se=regret_se,
    )


def covers(low: float | None, high: float | None, truth: float) -> bool:
    """Whether an interval holds the truth; one that was not given does not."""
    return low is not None and high is not None and low - ROUNDING <= truth <= high + ROUNDING


def clopper_pearson(hits: int, count: int, confidence: float) -> tuple[float, float]:
    """Exact binomial interval (Clopper and Pearson, Biometrika 26 (1934) 404)."""
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else float(betaincinv(hits, count - hits + 1, tail))
    high = 1.0 if hits == count else float(betaincinv(hits + 1, count - hits, 1 - tail))
    return low, high


def standard_error(values: NDArray[np.float64]) -> float:
    """Standard error of a mean."""
    return float(values.std(ddof=1) / np.sqrt(len(values)))


def paired(mine: NDArray[np.float64], best: NDArray[np.float64]) -> tuple[float, float]:
    """Mean difference and its standard error, over episodes with the same random numbers."""
    difference = mine - best
    return float(difference.mean()), standard_error(difference)


def fields_by_error(rmse: float, fields: float, n_fields: int, half_width: float, confidence: float) -> float:
    """Fields at which z times the root-mean-square error would be the half-width.

    The variance is taken to be c (1/n - 1/N), with c from the error that was seen (Cochran 1977, section
    2.6). A census has no error and needs no more than itself.
    """
    z = float(ndtri(0.5 + confidence / 2))
    left = 1 / fields - 1 / n_fields
    if left <= 0:
        return float(n_fields)
    if rmse == 0:
        return 1.0
    return float(1 / ((half_width / z) ** 2 * left / rmse**2 + 1 / n_fields))


def _fields(scored: Scored) -> NDArray[np.float64]:
    return np.array([episode.fields for episode in scored.episodes], float)


def _seconds(scored: Scored) -> NDArray[np.float64]:
    return np.array([episode.beam_time_s for episode in scored.episodes], float)


def row_json(row: Row) -> Mapping[str, object]:
    """A row as the command prints it."""
    return {
        "class" if name == "class_name" else name: getattr(row, name) for name in Row.__dataclass_fields__
    }
