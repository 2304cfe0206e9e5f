"""Scores of a model, for programs and for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from autoscope.perception.evaluation import Evaluation


def plain(found: Evaluation) -> dict[str, Any]:
    """The scores as JSON takes them."""
    return found.model_dump(mode="json", by_alias=True)


def print_scores(found: Evaluation) -> None:
    """The scores on the terminal."""
    console = Console(highlight=False)
    table = Table("class", "IoU", "precision", "recall", "F1")
    for score in found.per_class:
        numbers = (score.iou, score.precision, score.recall, score.f1)
        table.add_row(score.class_name, *("-" if n is None else f"{n:.3f}" for n in numbers))
    console.print(table)
    mean = "-" if found.mean_iou is None else f"{found.mean_iou:.3f}"
    console.print(f"mean IoU {mean}, accuracy {found.accuracy:.3f}, {len(found.images)} images")
    names = [score.class_name for score in found.per_class]
    matrix = Table("true \\ found", *names, title="confusion, pixels")
    for name, row in zip(names, found.confusion, strict=True):
        matrix.add_row(name, *(str(count) for count in row))
    console.print(matrix)
