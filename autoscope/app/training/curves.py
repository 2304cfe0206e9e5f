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

    Bands are one standard error of the mean over the validation episodes.

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
    for seed, one in policies.items():
        _draw_returns(all_axes[0], f"seed {seed}", one)
        if timed:
            steps = [point.step for point in one.points]
            all_axes[1].plot(steps, [point.beam_time_s for point in one.points], ".-", label=f"seed {seed}")
    _draw_rule(all_axes, next(iter(policies.values())))
    for axes, what in zip(all_axes, ("mean return", "mean beam time, s"), strict=False):
        axes.set_xlabel("environment steps")
        axes.set_ylabel(f"{what}, validation episodes")
        axes.legend(frameon=False)
    figure.savefig(path, dpi=130)


def _draw_returns(axes: Axes, label: str, policy: TrainedPolicy) -> None:
    steps = np.array([point.step for point in policy.points])
    mean = np.array([point.validation_return for point in policy.points])
    error = np.array([point.standard_error for point in policy.points])
    (line,) = axes.plot(steps, mean, ".-", label=label)
    axes.fill_between(steps, mean - error, mean + error, color=line.get_color(), alpha=0.15, linewidth=0)
    best = max(policy.points, key=lambda point: point.validation_return)
    axes.plot(best.step, best.validation_return, "o", color=line.get_color(), markersize=8, fillstyle="none")


def _draw_rule(all_axes: np.ndarray, policy: TrainedPolicy) -> None:
    """The rule's level; it played the same episodes for every seed."""
    if policy.rule is None:
        return
    levels = (policy.rule.mean, policy.rule.beam_time_s)
    for axes, level in zip(all_axes, levels, strict=False):
        if level is not None:
            axes.axhline(level, color="0.4", linestyle="--", label="rule")
