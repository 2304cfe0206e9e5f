"""The figures of a benchmark's page, as inline SVG in the page's own colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from autoscope.app.benchmarking.config import ORACLE
from autoscope.app.benchmarking.scoring import Row
from autoscope.report.figures import BLUE, INK, ORANGE, VERMILLION, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NOMINAL = 0.95


def draw_fields(rows: Sequence[Row]) -> Figure:
    """Fields at the end, one bar for each policy: mean, 90th percentile, and what the true error needed.

    Args:
        rows: of one specimen, target and tier.
    """
    figure, axes = new_figure(0.7 + 0.3 * len(rows))
    place = np.arange(len(rows))
    axes.barh(
        place, [row.fields_mean for row in rows], 0.62, color=[_colour(row) for row in rows], alpha=0.85
    )
    for y, row in zip(place, rows, strict=True):
        axes.plot([row.fields_p90] * 2, [y - 0.31, y + 0.31], color=INK, linewidth=1.2)
        axes.plot(row.fields_by_error, y, "o", color=INK, markersize=4, markerfacecolor="none")
    _name_policies(axes, rows)
    axes.set_xlim(0, 1.06 * max(max(row.fields_p90, row.fields_by_error) for row in rows))
    axes.set_xlabel("fields", fontsize=8)
    return figure


def draw_coverage(rows: Sequence[Row]) -> Figure:
    """Coverage of the reported intervals with its own 99 % Monte-Carlo interval.

    Args:
        rows: of one specimen, target and tier.
    """
    figure, axes = new_figure(0.7 + 0.3 * len(rows))
    place = np.arange(len(rows))
    for y, row in zip(place, rows, strict=True):
        axes.plot([row.coverage_low, row.coverage_high], [y, y], color=_colour(row), linewidth=2.4)
        axes.plot(row.coverage, y, "o", color=INK, markersize=4)
    axes.axvline(_NOMINAL, color=INK, linewidth=0.8, linestyle="--")
    _name_policies(axes, rows)
    axes.set_xlim(min(0.85, min(row.coverage_low for row in rows) - 0.02), 1.005)
    axes.set_xlabel("share of intervals that hold the truth", fontsize=8)
    return figure


def draw_endings(rows: Sequence[Row], fields: Sequence[Sequence[int]]) -> Figure:
    """Share of episodes that have ended after a number of fields.

    Args:
        rows: of one specimen, target and tier.
        fields: for each row, the fields of each episode.
    """
    figure, axes = new_figure(2.4)
    styles = ("-", "--", ":", "-.")
    for number, (row, counts) in enumerate(zip(rows, fields, strict=True)):
        ends = np.sort(np.asarray(counts))
        share = np.arange(1, len(ends) + 1) / len(ends)
        axes.step(
            ends, share, where="post", color=_colour(row), label=row.policy, linewidth=1.4,
            linestyle=styles[number % len(styles)],
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_xlabel("fields", fontsize=8)
    axes.set_ylabel("episodes that have ended", fontsize=8)
    axes.legend(fontsize=7, frameon=False, labelcolor=INK)
    return figure


def _name_policies(axes: Axes, rows: Sequence[Row]) -> None:
    axes.set_yticks(np.arange(len(rows)), [row.policy for row in rows])
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)


def _colour(row: Row) -> str:
    return ORANGE if row.policy == ORACLE else VERMILLION if row.fewer_fields == 1 else BLUE
