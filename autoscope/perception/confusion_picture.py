"""The confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from autoscope.perception.evaluation import Evaluation

_LARGEST_NOTED = 12
"""More classes than this are drawn without numbers in the cells."""


def draw_confusion(evaluation: Evaluation, path: Path) -> None:
    """Draws the confusion matrix: rows are the truth and add up to 1, columns the prediction.

    Args:
        evaluation: from `autoscope.perception.evaluation.evaluate`.
        path: PNG, SVG or PDF file to write.
    """
    score = "-" if evaluation.mean_iou is None else f"{evaluation.mean_iou:.3f}"
    title = f"mean IoU {score}, {len(evaluation.images)} images"
    draw_confusion_of(evaluation.confusion, evaluation.classes, title, path)


def draw_confusion_of(
    confusion: Sequence[Sequence[int]], names: Sequence[str], title: str, path: Path
) -> None:
    """Draws any confusion matrix.

    Args:
        confusion: counts; rows are the truth, columns the prediction.
        names: of rows and columns.
        title: of the picture.
        path: PNG, SVG or PDF file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    counts = np.array(confusion, dtype=np.float64)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    edge = 2.2 + 0.8 * len(names)
    figure = Figure(figsize=(edge + 1.0, edge), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    shown = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.set_title(title)
    figure.colorbar(shown, ax=axes, label="share of the true class", shrink=0.8)
    if len(names) <= _LARGEST_NOTED:
        for row, column in np.ndindex(shares.shape):
            share = shares[row, column]
            colour = "white" if share > 0.5 else "black"
            axes.text(column, row, f"{share:.3f}", ha="center", va="center", color=colour)
    figure.savefig(path, dpi=150)
