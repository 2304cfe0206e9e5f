"""Results and plans as a person reads them."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from autoscope.app.cli.progress import clock
from autoscope.app.planning import SessionPlan
from autoscope.records import QuantityResult, SessionResult

REASONS = {
    "targets_reached": "every target was reached",
    "exhausted": "every field of the region was measured (full census)",
    "budget_spent": "a budget was spent",
    "stopped_by_operator": "stopped by the operator",
    "instrument_fault": "the instrument was not healthy",
    "failed": "the session failed",
}


def print_result(result: SessionResult, folder: Path) -> None:
    """The answer of a session on the terminal."""
    console = Console(highlight=False)
    console.print(f"{REASONS[result.finish_reason]} ({result.finish_reason})")
    for quantity in result.quantities:
        console.print(f"  {escape(answer(quantity))}")
    spent = result.spent
    console.print(
        f"  beam time {clock(spent.beam_time_s)}, {spent.frames} frames, travel"
        f" {spent.stage_travel_um / 1000:.1f} mm, dose at most {spent.dose_e_per_nm2_max:.3g} e/nm2"
    )
    for warning in result.warnings:
        console.print(f"  [yellow]warning:[/] {escape(warning)}", soft_wrap=True)
    console.print(f"  report: {folder / 'report.html'}", soft_wrap=True)


def answer(quantity: QuantityResult) -> str:
    """One quantity in one line."""
    name = named(quantity.quantity, quantity.class_name)
    fields = f"{quantity.fields_measured} of {quantity.fields_in_region} fields"
    if quantity.estimate is None:
        return f"{name}: not known ({fields})"
    estimate = number(quantity.estimate) + with_unit(quantity.unit)
    if quantity.ci_low is None or quantity.ci_high is None:
        return f"{name}: {estimate}, no interval ({fields})"
    met = "target met" if quantity.target_met else "target not met"
    grain = quantity.extra.get("grain_size_number")
    grade = "" if grain is None else f", G = {grain:.2f}"
    return (
        f"{name}: {estimate}{grade}, {100 * quantity.confidence:g} % interval"
        f" [{number(quantity.ci_low)}, {number(quantity.ci_high)}] ({fields}, {met})"
    )


def named(quantity: str, class_name: str) -> str:
    """``inclusions per mm2 of oxide``; grain size by itself, for its class is that of the boundaries."""
    words = quantity.replace("_", " ")
    return words if quantity == "grain_size" else f"{words} of {class_name}"


def number(value: float) -> str:
    """Four decimals, or four digits of what is larger than 100."""
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.1f}"


def print_plan(plan: SessionPlan) -> None:
    """A plan on the terminal."""
    console = Console(highlight=False)
    table = Table.grid(padding=(0, 2))
    table.add_row("fields in the region", f"{plan.fields_in_region}")
    table.add_row("overview", f"{plan.overview_frames} frames")
    table.add_row(
        "time for one field",
        f"{plan.seconds_per_field:.2f} s, of which {plan.scan_seconds_per_field:.2f} s scanning",
    )
    table.add_row("finishes after", f"{clock(plan.finish_p50_s)} (p50), {clock(plan.finish_p90_s)} (p90)")
    table.add_row("dose", f"{plan.dose_e_per_nm2:.3g} e/nm2 where a field lies in the overview")
    if plan.eds_live_s > 0:
        live = f"{plan.eds_live_s:.0f} s (p50), {plan.eds_live_p90_s:.0f} s (p90)"
        table.add_row("EDS live time", f"{live}, {plan.spectra_per_field:.2g} spectra on a field")
    else:
        table.add_row("EDS live time", "none")
    table.add_row("the budget pays for", f"{plan.fields_affordable} fields")
    console.print(table)
    for t in plan.targets:
        console.print(
            f"  {escape(named(t.quantity, t.class_name))}: {t.fields_p50} fields (p50),"
            f" {t.fields_p90} (p90); within the budget ± {t.half_width_p50:.3g}{with_unit(t.unit)} (p50),"
            f" ± {t.half_width_p90:.3g}{with_unit(t.unit)} (p90)"
        )
        console.print(
            "    assumed: fields differ by a standard deviation of"
            f" {t.spread_p50:.3g}{with_unit(t.unit)} (p50), {t.spread_p90:.3g}{with_unit(t.unit)} (p90)"
        )
    for warning in plan.warnings:
        console.print(f"  [yellow]warning:[/] {escape(warning)}", soft_wrap=True)


def with_unit(unit: str) -> str:
    """A unit to be put behind a number."""
    return "" if unit == "1" else f" {unit}"
