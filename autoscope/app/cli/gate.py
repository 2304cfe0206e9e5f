"""``autoscope benchmark`` with a ``[gate]``."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK

if TYPE_CHECKING:
    from autoscope.app.gating.config import GateConfig
    from autoscope.app.gating.running import Gate
    from autoscope.app.gating.verdicts import FamilyResult, PolicyRow

JSON, PAGE = "gate.json", "gate.html"


def run(options: argparse.Namespace, folder: Path) -> int:
    """Plays the gate, writes the page, prints the verdict; the status is the same whatever it is."""
    from autoscope.app.gating.config import load_gate
    from autoscope.app.gating.page import render_page
    from autoscope.app.gating.running import to_text
    from autoscope.records import replace_file

    gate = _run(load_gate(options.config, options.episodes), folder, options)
    replace_file(folder / JSON, to_text(gate))
    replace_file(folder / PAGE, render_page(gate))
    if options.json:
        print(to_text(gate), end="")
    else:
        print_gate(gate, folder / PAGE)
    return OK


def _run(config: GateConfig, folder: Path, options: argparse.Namespace) -> Gate:
    from autoscope.app.gating.running import GateRunner

    console = Console(stderr=True, quiet=options.json)
    with WorkBar("episodes", quiet=options.json) as bar:

        def advance(done: int, total: int, stage: str) -> None:
            bar.update(done, total, escape(f"{done} of {total}, {stage}"))

        try:
            jobs = options.jobs or os.cpu_count() or 1
            return GateRunner(config, folder, jobs=jobs, ray=options.ray, advance=advance).run()
        except KeyboardInterrupt:
            console.print("what was finished is kept: the same command goes on from here")
            raise


def print_gate(gate: Gate, page: Path) -> None:
    """The verdict on the terminal, and what it rests on."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 200)
    console.print(_times(gate))
    console.print(_verdicts(gate))
    console.print(f"{gate.verdict}: {escape(gate.why)}", soft_wrap=True)
    console.print(f"page: {page}", soft_wrap=True, markup=False)


def _times(gate: Gate) -> Table:
    """Mean beam time of every policy on every family."""
    names = list(dict.fromkeys(row.policy for family in gate.families for row in family.rows))
    table = Table(title="mean beam time, s", title_justify="left", pad_edge=False)
    table.add_column("family", no_wrap=True)
    for name in names:
        table.add_column(name, justify="right")
    for family in gate.families:
        times = {row.policy: f"{row.beam_time_s:.0f}" for row in family.rows}
        table.add_row(escape(family.family), *(times.get(name, "–") for name in names))
    return table


def _verdicts(gate: Gate) -> Table:
    table = Table(
        title="all learned policies against the best rule, and against naive practice",
        title_justify="left", pad_edge=False,
    )  # fmt: skip
    for name in ("family", "best rule"):
        table.add_column(name, no_wrap=True)
    for name in ("difference", "95 % interval", "p", "Holm", "naive", "coverage", "99 % MC", "verdict"):
        table.add_column(name, justify="right", no_wrap=True)
    for family, row in zip(gate.families, gate.learned, strict=True):
        table.add_row(*_verdict(family, row))
    return table


def _verdict(family: FamilyResult, row: PolicyRow) -> tuple[str, ...]:
    pooled = family.pooled
    return (
        escape(family.family),
        family.best_rule,
        f"{100 * pooled.relative:+.1f} %",
        f"{pooled.low:+.0f} to {pooled.high:+.0f} s",
        f"{pooled.p:.3g}",
        f"{family.p_adjusted:.3g}",
        f"{100 * family.naive.relative:+.1f} %",
        f"{100 * row.coverage:.1f} %",
        f"{100 * row.coverage_low:.1f}–{100 * row.coverage_high:.1f}",
        family.verdict,
    )
