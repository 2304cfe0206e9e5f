"""How a training went, as a picture: one line for each seed, against the hand-written rule."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from autoscope_policies.training.trainer import TrainedPolicy


def draw_learning_curves(policies: Mapping[int, TrainedPolicy], path: Path) -> None:
    """Draws the mean return, and where the environment tells it the beam time, of every evaluation.

    Bands and bars are one standard error of the mean over the validation episodes. Policies that were
    evaluated once, because they were fitted and took no steps, stand side by side.

    Args:
        policies: by seed.
        path: PNG, SVG or PDF file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    timed = all(point.beam_time_s is not None for one in policies.values() for point in one.points)
    figure = Figure(figsize=(11.0 if timed else 6.0, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    all_axes = figure.subplots(1, 2 if timed else 1, squeeze=False)[0]
    once = all(len(one.points) == 1 for one in policies.values())
    for seed, one in policies.items():
        at = [seed if once else point.step for point in one.points]
        _draw_returns(all_axes[0], f"seed {seed}", at, one)
        if timed:
            all_axes[1].plot(at, [point.beam_time_s for point in one.points], ".-", label=f"seed {seed}")
    _draw_rule(all_axes, next(iter(policies.values())))
    for axes, what in zip(all_axes, ("mean return", "mean beam time, s"), strict=False):
        axes.set_xlabel("seed" if once else "environment steps")
        if once:
            axes.set_xticks(list(policies))
            axes.margins(x=0.3)
        axes.set_ylabel(f"{what}, validation episodes")
        axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


def _draw_returns(axes: Axes, label: str, at: list[int], policy: TrainedPolicy) -> None:
    mean = np.array([point.validation_return for point in policy.points])
    error = np.array([point.standard_error for point in policy.points])
    if len(at) == 1:
        axes.errorbar(at, mean, yerr=error, fmt="o", capsize=4, label=label)
        return
    (line,) = axes.plot(at, mean, ".-", label=label)
    axes.fill_between(at, mean - error, mean + error, color=line.get_color(), alpha=0.15, linewidth=0)
    best = int(mean.argmax())
    axes.plot(at[best], mean[best], "o", color=line.get_color(), markersize=8, fillstyle="none")


def _draw_rule(all_axes: np.ndarray, policy: TrainedPolicy) -> None:
    """The rule's level; it played the same episodes for every seed."""
    if policy.rule is None:
        return
    levels = (policy.rule.mean, policy.rule.beam_time_s)
    for axes, level in zip(all_axes, levels, strict=False):
        if level is not None:
            axes.axhline(level, color="0.4", linestyle="--", label="rule")
