"""How a training went, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autoscope.perception.trainer import TrainingProgress

_SMOOTHED_STEPS = 20


def draw_learning_curves(steps: Sequence[TrainingProgress], path: Path) -> None:
    """Draws the loss of every step, its running mean, and the mean IoU of every validation.

    Args:
        steps: what training reported, at least one; after an interruption only what came since.
        path: PNG, SVG or PDF file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    number = np.array([one.step for one in steps])
    loss = np.array([one.loss for one in steps])
    axes.plot(number, loss, color="0.8", linewidth=0.8, label="loss of each step")
    axes.plot(number, running_mean(loss), color="tab:blue", label=f"mean of {_SMOOTHED_STEPS} steps")
    axes.set_xlabel("step")
    axes.set_ylabel("loss")
    axes.set_ylim(bottom=0.0)
    validated = validations(steps)
    if validated:
        right = axes.twinx()
        places, scores = zip(*validated, strict=True)
        right.plot(places, scores, "o-", color="tab:orange", label="mean IoU, images held out")
        right.set_ylabel("mean IoU")
        right.set_ylim(0.0, 1.0)
        best = int(np.argmax(scores))
        right.annotate(
            f"{scores[best]:.3f}",
            (places[best], scores[best]),
            textcoords="offset points",
            xytext=(0, 7),
            ha="center",
        )
    figure.legend(loc="outside upper center", ncols=3, frameon=False)
    figure.savefig(path, dpi=130)


def running_mean(values: np.ndarray, length: int = _SMOOTHED_STEPS) -> np.ndarray:
    """Mean of each value and up to ``length - 1`` before it."""
    total = np.cumsum(np.concatenate([[0.0], values]))
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - length, 0)
    return np.asarray((total[last] - total[first]) / (last - first))


def validations(steps: Sequence[TrainingProgress]) -> list[tuple[int, float]]:
    """The steps after which there was a new mean IoU, and what it was."""
    found: list[tuple[int, float]] = []
    for one in steps:
        if one.validation_iou is not None and (not found or one.validation_iou != found[-1][1]):
            found.append((one.step, one.validation_iou))
    return found
