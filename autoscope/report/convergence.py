"""The figure of how an interval shrank while fields were measured."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from autoscope.records import QuantityResult, TargetRecord
from autoscope.report.evidence import Progress
from autoscope.report.figures import BLUE, INK, VERMILLION, new_figure
from autoscope.report.wording import Scale


def draw_convergence(
    progress: Progress, quantity: QuantityResult, target: TargetRecord, scale: Scale
) -> Figure:
    """Estimate and interval against fields measured, with the wanted width around the last estimate."""
    figure, axes = new_figure(3.1)
    n = progress.fields
    estimate, low, high = (scale.factor * v for v in (progress.estimate, progress.low, progress.high))
    confidence = f"{100 * quantity.confidence:g} % interval"
    axes.fill_between(n, low, high, color=BLUE, alpha=0.2, linewidth=0, label=confidence)
    if np.isfinite(progress.half).any():
        low, high = (scale.factor * v for v in progress.indicative)
        axes.fill_between(n, low, high, color=BLUE, alpha=0.25, linewidth=0, label="large-sample, indicative")
    axes.plot(n, estimate, color=BLUE, linewidth=1.6, label="estimate")
    wanted = _wanted(quantity, target)
    if wanted is not None and quantity.estimate is not None:
        for sign in (-1, 1):
            axes.axhline(
                scale.factor * (quantity.estimate + sign * wanted), color=VERMILLION, linewidth=1,
                linestyle=(0, (5, 3)), label="wanted width" if sign > 0 else None,
            )  # fmt: skip
    axes.set_ylim(*_limits(progress, quantity, wanted, scale.factor))
    axes.set_xlabel("fields measured", fontsize=9)
    axes.set_ylabel(f"{scale.name.lower()} ({scale.unit})" if scale.unit else scale.name.lower(), fontsize=9)
    axes.margins(x=0)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False, labelcolor=INK, loc="upper right")
    return figure


def _wanted(quantity: QuantityResult, target: TargetRecord) -> float | None:
    if target.half_width is not None:
        return target.half_width
    if target.relative is not None and quantity.estimate is not None:
        return target.relative * abs(quantity.estimate)
    return None


def _limits(
    progress: Progress, quantity: QuantityResult, wanted: float | None, factor: float
) -> tuple[float, float]:
    """A range that shows the end well: the first, very wide intervals run out of the picture."""
    centre = quantity.estimate if quantity.estimate is not None else 0.0
    deviations = np.abs(np.concatenate(progress.indicative) - centre)
    settled = deviations[np.isfinite(deviations)]
    reach = max(6 * (wanted or 0.0), 3 * (quantity.half_width or 0.0))
    if reach == 0 and settled.size:
        reach = 1.6 * float(np.quantile(settled, 0.75))
    largest = float(settled.max()) * 1.1 if settled.size else reach
    reach = min(reach, max(largest, 1.5 * (wanted or 0.0))) or abs(centre) / 2 or 1.0
    return factor * (centre - reach), factor * (centre + reach)
