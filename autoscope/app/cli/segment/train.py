"""``autoscope segment train``."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK
from autoscope.app.cli.segment.scores import plain, print_scores
from autoscope.core import ConfigurationError

if TYPE_CHECKING:
    from autoscope.perception import TrainingSettings
    from autoscope.perception.trainer import TrainingProgress


def run(options: argparse.Namespace) -> int:
    """Trains a model from two folders."""
    from autoscope.perception.training import train

    settings = _settings(options)
    steps: list[TrainingProgress] = []

    def tell(now: TrainingProgress) -> None:
        steps.append(now)
        _tell(bar, now)

    with WorkBar("training", quiet=options.json) as bar:
        result = train(
            options.images,
            options.masks,
            [name.strip() for name in options.classes.split(",")],
            options.output,
            settings=settings,
            encoder_weights=options.encoder_weights,
            restart=options.restart,
            progress=tell,
        )
    if options.curves is not None and steps:
        from autoscope.perception.learning_curves import draw_learning_curves

        draw_learning_curves(steps, options.curves)
    if options.json:
        scores = None if result.evaluation is None else plain(result.evaluation)
        print(json.dumps({"path": str(result.path), "sha256": result.card.sha256, "validation": scores}))
        return OK
    print(f"{result.path}: {result.card.steps} steps, card beside it")
    if result.evaluation is None:
        print("no image was held out: nothing is known of how good it is")
    else:
        print("on the images held out for validation:")
        print_scores(result.evaluation)
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
