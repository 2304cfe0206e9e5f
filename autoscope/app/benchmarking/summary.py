"""One line for each policy: its rows put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscope.app.benchmarking.scoring import MONTE_CARLO_CONFIDENCE, Row, clopper_pearson

LARGE = 600
"""Fields that the baseline must need for a gain to be judged (METHODS section 6)."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One policy with one tier over all specimens and targets.

    Attributes:
        policy: its name.
        tier: statistics tier.
        rows: how many rows were put together.
        fewer_fields: geometric mean over rows.
        less_beam_time: likewise.
        oracle_share: likewise.
        large_rows: rows in which the baseline needs at least 600 fields: gains are judged there.
        fewer_fields_large: geometric mean over those.
        coverage: over all episodes of all rows.
        coverage_low: lower end of its 99 % Clopper-Pearson interval.
        coverage_high: upper end.
    """

    policy: str
    tier: str
    rows: int
    fewer_fields: float
    less_beam_time: float
    oracle_share: float | None
    large_rows: int
    fewer_fields_large: float | None
    coverage: float
    coverage_low: float
    coverage_high: float


def summarise(rows: Sequence[Row]) -> tuple[Summary, ...]:
    """One line for each policy and tier."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.policy, row.tier), []).append(row)
    return tuple(_summary(name, group) for name, group in groups.items())


def _summary(name: tuple[str, str], rows: Sequence[Row]) -> Summary:
    large = [row for row in rows if row.fewer_fields * row.fields_mean >= LARGE]
    shares = [row.oracle_share for row in rows if row.oracle_share is not None]
    count = sum(row.episodes for row in rows)
    hits = sum(round(row.coverage * row.episodes) for row in rows)
    low, high = clopper_pearson(hits, count, MONTE_CARLO_CONFIDENCE)
    return Summary(
        policy=name[0],
        tier=name[1],
        rows=len(rows),
        fewer_fields=_geometric_mean([row.fewer_fields for row in rows]),
        less_beam_time=_geometric_mean([row.less_beam_time for row in rows]),
        oracle_share=_geometric_mean(shares) if shares else None,
        large_rows=len(large),
        fewer_fields_large=_geometric_mean([row.fewer_fields for row in large]) if large else None,
        coverage=hits / count,
        coverage_low=low,
        coverage_high=high,
    )


def _geometric_mean(values: Sequence[float]) -> float:
    return float(np.exp(np.log(values).mean()))
