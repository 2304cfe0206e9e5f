"""``autoscope benchmark``."""

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
from autoscope.core import ConfigurationError

if TYPE_CHECKING:
    from autoscope.app.benchmarking.config import BenchmarkConfig
    from autoscope.app.benchmarking.running import Benchmark
    from autoscope.app.benchmarking.scoring import Row

JSON, PAGE = "benchmark.json", "benchmark.html"


def run(options: argparse.Namespace) -> int:
    """Compares policies, writes the page, prints the table; with a ``[gate]``, the gate."""
    from autoscope.app.gating.config import is_gate

    folder: Path = options.out or Path("benchmark-results") / options.config.stem
    if folder.exists() and not folder.is_dir():
        raise ConfigurationError(f"{folder} exists and is not a folder: choose another --out")
    if is_gate(options.config):
        from autoscope.app.cli import gate

        return gate.run(options, folder)
    from autoscope.app.benchmarking.config import load_benchmark
    from autoscope.app.benchmarking.page import render_page
    from autoscope.app.benchmarking.running import to_text
    from autoscope.records import replace_file

    config = load_benchmark(options.config, options.episodes)
    benchmark = _run(config, folder, options)
    replace_file(folder / JSON, to_text(benchmark))
    replace_file(folder / PAGE, render_page(benchmark))
    if options.json:
        print(to_text(benchmark), end="")
    else:
        print_benchmark(benchmark, folder / PAGE)
    return OK


def _run(config: BenchmarkConfig, folder: Path, options: argparse.Namespace) -> Benchmark:
    from autoscope.app.benchmarking.running import run_benchmark

    jobs = options.jobs or os.cpu_count() or 1
    console = Console(stderr=True, quiet=options.json)
    with WorkBar("episodes", quiet=options.json) as bar:

        def advance(done: int, total: int, last: str) -> None:
            bar.update(done, total, escape(f"{done} of {total}{', ' if last else ''}{last}"))

        def announce(message: str) -> None:
            console.print(message, markup=False, soft_wrap=True)

        try:
            return run_benchmark(
                config, folder, jobs=jobs, ray=options.ray, advance=advance, announce=announce
            )
        except KeyboardInterrupt:
            announce("what was finished is kept: the same command goes on from here")
            raise


def print_benchmark(benchmark: Benchmark, page: Path) -> None:
    """The tables on the terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 200)
    console.print(_rows_table(benchmark.rows))
    console.print(_summary_table(benchmark))
    for name in benchmark.skipped:
        console.print(f"[yellow]left out:[/] {escape(name)}, its specimen file is not there")
    console.print(f"page: {page}", soft_wrap=True, markup=False)


def _rows_table(rows: tuple[Row, ...]) -> Table:
    table = Table(title="policies on specimens", title_justify="left", pad_edge=False)
    for name in ("specimen", "class", "tier", "policy"):
        table.add_column(name, no_wrap=name == "policy")
    for name in ("± wanted", "fields", "p90", "of", "fewer", "beam time", "faster", "oracle", "bias/±",
                 "rmse/±", "coverage", "99 % MC"):  # fmt: skip
        table.add_column(name, justify="right", no_wrap=True)
    before = None
    for row in rows:
        here = (row.specimen, _asked(row), row.tier)
        if before is not None and here != before:
            table.add_section()
        table.add_row(*(("",) * 3 if here == before else map(escape, here)), *_figures(row))
        before = here
    return table


def _asked(row: Row) -> str:
    """The class, and the quantity where it is not an area fraction."""
    if row.quantity == "area_fraction":
        return row.class_name
    return f"{row.class_name} {row.quantity.replace('_', ' ')}".strip()


def _figures(row: Row) -> tuple[str, ...]:
    return (
        escape(row.policy),
        f"{row.half_width:.4g}",
        f"{row.fields_mean:.0f}",
        f"{row.fields_p90:.0f}",
        f"{row.fields_in_region}",
        times(row.fewer_fields),
        f"{row.beam_time_s_mean:.0f} s",
        times(row.less_beam_time),
        percent(row.oracle_share),
        f"{row.bias / row.half_width:+.3f}",
        f"{row.rmse / row.half_width:.3f}",
        f"{100 * row.coverage:.1f} %",
        f"{100 * row.coverage_low:.1f}–{100 * row.coverage_high:.1f}",
    )


def _summary_table(benchmark: Benchmark) -> Table:
    from autoscope.app.benchmarking.summary import LARGE

    table = Table(title="over all specimens (geometric means)", title_justify="left", pad_edge=False)
    table.add_column("tier")
    table.add_column("policy")
    for name in (
        "fewer fields",
        f"where {benchmark.config.benchmark.baseline} needs {LARGE}",
        "less beam time",
        "oracle",
        "coverage",
        "99 % MC",
    ):
        table.add_column(name, justify="right", no_wrap=True)
    for line in benchmark.summary:
        large = f"{times(line.fewer_fields_large)} ({line.large_rows} of {line.rows})"
        table.add_row(
            line.tier,
            escape(line.policy),
            times(line.fewer_fields),
            large,
            times(line.less_beam_time),
            percent(line.oracle_share),
            f"{100 * line.coverage:.1f} %",
            f"{100 * line.coverage_low:.1f}–{100 * line.coverage_high:.1f}",
        )
    return table


def times(value: float | None) -> str:
    """``6.1x``, or a dash."""
    return "–" if value is None else f"{value:.2f}x"


def percent(value: float | None) -> str:
    """``75 %``, or a dash."""
    return "–" if value is None else f"{100 * value:.0f} %"
