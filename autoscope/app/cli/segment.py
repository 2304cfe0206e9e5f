"""``autoscope segment train | evaluate | predict``."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK
from autoscope.core import ConfigurationError

if TYPE_CHECKING:
    from autoscope.perception import TrainingSettings
    from autoscope.perception.evaluation import Evaluation
    from autoscope.perception.prediction import PredictedImage
    from autoscope.perception.trainer import TrainingProgress


def run_train(options: argparse.Namespace) -> int:
    """Trains a model from two folders."""
    from autoscope.perception.training import train

    settings = _settings(options)
    with WorkBar("training", quiet=options.json) as bar:
        result = train(
            options.images,
            options.masks,
            [name.strip() for name in options.classes.split(",")],
            options.output,
            settings=settings,
            encoder_weights=options.encoder_weights,
            restart=options.restart,
            progress=lambda now: _tell(bar, now),
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

    with WorkBar("evaluating", quiet=options.json) as bar:
        found = evaluate(
            options.model,
            options.images,
            options.masks,
            progress=bar.update,
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

    with WorkBar("segmenting", quiet=options.json) as bar:
        written = predict(
            options.model,
            options.images,
            options.output,
            probabilities=options.probabilities,
            progress=bar.update,
        )
    if options.json:
        print(json.dumps([_written(image) for image in written], indent=2))
    else:
        print(f"{len(written)} class maps in {options.output}")
    return OK


def run_familiarity(options: argparse.Namespace) -> int:
    """Teaches a model what its images look like, so that it knows unfamiliar ones."""
    from autoscope.perception.familiarity_images import fit_to_folder

    with WorkBar("looking", quiet=options.json) as bar:
        card = fit_to_folder(options.model, options.images, progress=bar.update)
    fitted = card.familiarity
    if fitted is None:
        raise ConfigurationError(f"{options.model}: no familiarity was fitted")
    if options.json:
        print(json.dumps({"path": str(options.model), "sha256": card.sha256, **fitted.model_dump()}))
        return OK
    print(
        f"{options.model}: familiar are frames like {fitted.windows} windows of {fitted.window_px} px of"
        f" {fitted.images} images; suspicious is what {100 * fitted.suspicious_rate:g} % of them exceed,"
        f" foreign what {100 * fitted.foreign_rate:g} % would (extrapolated)"
    )
    if fitted.suspicious_extrapolated:
        print("there are too few images for that share: the largest score of all is the edge of suspicion")
    return OK


def _settings(options: argparse.Namespace) -> TrainingSettings:
    from pydantic import ValidationError

    from autoscope.perception import Architecture, Preprocessing, TrainingSettings

    given: dict[str, Any] = {
        "steps": options.steps,
        "batch": options.batch,
        "crop_px": options.crop,
        "validation_images": tuple(options.validation) or None,
    }
    network: dict[str, Any] = {"encoder": options.encoder}
    try:
        if options.decoder is not None:
            channels = tuple(int(number) for number in options.decoder.split(","))
            network |= {"decoder_channels": channels, "depth": len(channels)}
        return TrainingSettings(
            seed=options.seed,
            architecture=Architecture(**network),
            preprocessing=Preprocessing(kind=options.preprocessing),
            **{name: value for name, value in given.items() if value is not None},
        )
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigurationError(*problems) from None
    except ValueError:
        raise ConfigurationError(
            f"--decoder {options.decoder!r}: write numbers, such as 64,48,32,24,16"
        ) from None


def _tell(bar: WorkBar, now: TrainingProgress) -> None:
    score = "" if now.best_iou is None else f", mean IoU {now.best_iou:.3f}"
    bar.update(now.step, now.steps, f"step {now.step} of {now.steps}, loss {now.loss:.3f}{score}")


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


def _written(image: PredictedImage) -> dict[str, Any]:
    return {
        "image": str(image.image),
        "labels": str(image.labels),
        "probabilities": None if image.probabilities is None else str(image.probabilities),
        "area_fractions": image.area_fractions,
        "notes": image.notes,
    }
