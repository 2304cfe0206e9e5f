"""The page of a gate: one file that opens offline."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import autoscope
from autoscope.app.gating.playing import NAIVE
from autoscope.app.gating.running import Gate
from autoscope.app.gating.verdicts import FamilyResult, Paired
from autoscope.report.figures import BLUE, INK, ORANGE, VERMILLION, new_figure, to_svg

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = {"pass": BLUE, "not worse": ORANGE, "worse": VERMILLION}


def render_page(gate: Gate) -> str:
    """The whole page as HTML; it needs no other file and no network."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("autoscope.app.gating"), PackageLoader("autoscope.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = "; ".join(f"{f.family} {_percent(f.pooled)}, {f.verdict}" for f in gate.families)
    return environment.get_template("gate.html.j2").render(
        version=autoscope.__version__,
        gate=gate,
        table=gate.config.gate,
        naive=NAIVE.said(),
        figure=Markup(
            to_svg(draw_differences(gate), "differences", f"Learned against the best rule: {words}")
        ),
        pairs=list(zip(gate.families, gate.learned, strict=True)),
        percent=_percent,
        interval=_interval,
    )


def draw_differences(gate: Gate) -> Figure:
    """Learned less best rule in per cent of its beam time: pooled with its interval, each seed as a dot."""
    families = gate.families
    figure, axes = new_figure(0.9 + 0.34 * len(families))
    for y, family in enumerate(families):
        scale = 100 * _scale(family)
        pooled = family.pooled
        axes.plot(
            [scale * pooled.low, scale * pooled.high], [y, y], color=COLOURS[family.verdict], linewidth=2.4
        )
        axes.plot(scale * pooled.mean, y, "o", color=INK, markersize=5)
        seeds = [scale * one.mean for one in family.by_seed]
        axes.plot(seeds, np.full(len(seeds), y + 0.24), "o", color=INK, markersize=3, markerfacecolor="none")
    axes.axvline(0.0, color=INK, linewidth=0.8, linestyle="--")
    axes.set_yticks(np.arange(len(families)), [family.family for family in families])
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("beam time of the learned policies less the best rule's, %", fontsize=8)
    return figure


def _scale(family: FamilyResult) -> float:
    """One over the mean seconds of the best rule."""
    return 1 / next(row.beam_time_s for row in family.rows if row.policy == family.best_rule)


def _percent(paired: Paired) -> str:
    return f"{100 * paired.relative:+.1f} %"


def _interval(paired: Paired) -> str:
    """The interval in per cent of what is compared with; the relative mean gives the scale."""
    return f"{paired.mean:+.0f} s, {paired.low:+.0f} to {paired.high:+.0f} s"
