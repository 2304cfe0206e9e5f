"""``autoscope segment train | evaluate | predict``."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from autoscope.app.cli.main import OK
from autoscope.core import ConfigurationError

if TYPE_CHECKING:
    from autoscope.perception.evaluation import Evaluation
    from autoscope.perception.trainer import TrainingProgress


def run_train(options: argparse.Namespace) -> int:
    """Trains a model from two folders."""
    from autoscope.perception.training import train

    settings = _settings(options)
    with _bar(quiet=options.json) as bar:
        task = bar.add_task("training", total=None)
        result = train(
            options.images,
            options.masks,
            [name.strip() for name in options.classes.split(",")],
            options.output,
            settings=settings,
            encoder_weights=options.encoder_weights,
            restart=options.restart,
            progress=lambda now: _tell(bar, task, now),
        )
    if options.json:
        scores = None if result.evaluation is None else _plain(result.evaluation)
        print(json.dumps({"path": str(result.path), "sha256": result.card.sha256, "validation": scores}))
        return OK
    print(f"{result.path}: {result.card.steps} steps, card beside it")
    if result.evaluation is None:
        print("no image was held out: nothing is known of how good it is")
    else:
        print("on the images held out for validation:")
        _print_scores(result.evaluation)
    return OK


def run_evaluate(options: argparse.Namespace) -> int:
    """Scores a model."""
    from autoscope.perception.confusion_picture import draw_confusion
    from autoscope.perception.evaluation import evaluate

    with _bar(quiet=options.json) as bar:
        task = bar.add_task("evaluating", total=None)
        found = evaluate(
            options.model,
            options.images,
            options.masks,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    if options.picture is not None:
        draw_confusion(found, options.picture)
    if options.json:
        print(json.dumps(_plain(found), indent=2))
    else:
        _print_scores(found)
    return OK


def run_predict(options: argparse.Namespace) -> int:
    """Writes class maps."""
    from autoscope.perception.prediction import predict

    with _bar(quiet=options.json) as bar:
        task = bar.add_task("segmenting", total=len(options.images))
        written = predict(
            options.model,
            options.images,
            options.output,
            probability=options.probabilities,
            progress=lambda done, of: bar.update(task, completed=done, total=of),
        )
    if options.json:
        print(json.dumps({"written": [str(path) for path in written]}))
    else:
        print(f"{len(written)} class maps in {options.output}")
    return OK


def _settings(options: argparse.Namespace) -> Any:
    from pydantic import ValidationError

    from autoscope.perception import Architecture, TrainingSettings

    given: dict[str, Any] = {"seed": options.seed, "architecture": Architecture(encoder=options.encoder)}
    if options.steps is not None:
        given["steps"] = options.steps
    if options.validation:
        given["validation_images"] = tuple(options.validation)
    try:
        return TrainingSettings(**given)
    except ValidationError as error:
        raise ConfigurationError(*(f"{e['loc'][0]}: {e['msg']}" for e in error.errors())) from None


def _tell(bar: Progress, task: TaskID, now: TrainingProgress) -> None:
    score = "" if now.best_iou is None else f", mean IoU {now.best_iou:.3f}"
    description = f"step {now.step} of {now.steps}, loss {now.loss:.3f}{score}"
    bar.update(task, completed=now.step, total=now.steps, description=description)


def _plain(found: Evaluation) -> dict[str, Any]:
    return found.model_dump(mode="json", by_alias=True)


def _print_scores(found: Evaluation) -> None:
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


def _bar(*, quiet: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(),
        console=Console(stderr=True, quiet=quiet), transient=True,
    )  # fmt: skip
