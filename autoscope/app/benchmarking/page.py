"""The page of a benchmark: one file that opens offline."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import autoscope
from autoscope.app.benchmarking.config import ORACLE
from autoscope.app.benchmarking.figures import draw_coverage, draw_endings, draw_fields
from autoscope.app.benchmarking.running import Benchmark
from autoscope.app.benchmarking.scoring import Row, Scored
from autoscope.app.benchmarking.summary import LARGE, Summary
from autoscope.report.figures import to_svg


@dataclass(frozen=True, slots=True)
class Group:
    """One specimen, target and tier: what the policies are compared on."""

    title: str
    facts: str
    rows: tuple[Row, ...]
    fields: Markup
    coverage: Markup
    endings: Markup


def render_page(benchmark: Benchmark) -> str:
    """The whole page as HTML; it needs no other file and no network."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("autoscope.app.benchmarking"), PackageLoader("autoscope.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    table = benchmark.config.benchmark
    return environment.get_template("benchmark.html.j2").render(
        version=autoscope.__version__,
        table=table,
        headline=headline(benchmark.summary, table.baseline),
        summary=benchmark.summary,
        groups=_groups(benchmark),
        skipped=benchmark.skipped,
        large=LARGE,
        oracle=any(policy.kind == ORACLE for policy in table.policies),
        specimens=len({row.specimen for row in benchmark.rows}),
    )


def headline(summary: Sequence[Summary], baseline: str) -> str:
    """The best that was seen, in one sentence."""
    rivals = [line for line in summary if line.policy not in {ORACLE, baseline}]
    if not rivals:
        return "Policies side by side"
    best = max(rivals, key=lambda line: line.fewer_fields_large or line.fewer_fields)
    gain, where = best.fewer_fields, ""
    if best.fewer_fields_large is not None:
        gain, where = best.fewer_fields_large, f" where that needs at least {LARGE}"
    return f"{best.policy} ({best.tier}): {gain:.2g} times fewer fields than {baseline}{where}"


def _groups(benchmark: Benchmark) -> tuple[Group, ...]:
    together: dict[tuple[str, str, str, str], list[Row]] = {}
    for row in benchmark.rows:
        together.setdefault((row.specimen, row.quantity, row.class_name, row.tier), []).append(row)
    cells: dict[tuple[str, str, str], Scored] = {
        (s.cell.specimen, s.cell.policy.name, s.cell.tier): s for s in benchmark.cells
    }
    return tuple(_group(number, rows, cells) for number, rows in enumerate(together.values()))


def _group(number: int, rows: list[Row], cells: Mapping[tuple[str, str, str], Scored]) -> Group:
    first = rows[0]
    counts = [
        [episode.fields for episode in cells[row.specimen, row.policy, row.tier].episodes] for row in rows
    ]
    what = first.quantity.replace("_", " ") + (f" of {first.class_name}" if first.class_name else "")
    words = "; ".join(
        f"{row.policy} {row.fields_mean:.0f} fields, coverage {row.coverage:.3f}" for row in rows
    )
    return Group(
        title=f"{first.specimen}: {what}, {first.tier}",
        facts=(
            f"truth {first.truth:.4g}, wanted ± {first.half_width:.3g}, {first.fields_in_region} fields,"
            f" exploration floor {first.exploration:g}"
        ),
        rows=tuple(rows),
        fields=Markup(to_svg(draw_fields(rows), f"fields-{number}", f"Fields at the end: {words}")),
        coverage=Markup(to_svg(draw_coverage(rows), f"coverage-{number}", f"Coverage: {words}")),
        endings=Markup(
            to_svg(draw_endings(rows, counts), f"endings-{number}", f"When episodes end: {words}")
        ),
    )
