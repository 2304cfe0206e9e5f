"""``autoscope classify train | evaluate | predict``."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK

if TYPE_CHECKING:
    from autoscope.perception.frame_types_training import FrameTypeScores


def train(options: argparse.Namespace) -> int:
    """Fits a model."""
    from autoscope.perception.frame_types_training import (
        checkpoint_backbone,
        segmentation_backbone,
        train_frame_types,
    )

    if options.backbone is not None:
        backbone = segmentation_backbone(options.backbone)
    else:
        backbone = checkpoint_backbone(options.encoder, options.encoder_weights)
    with WorkBar("describing images", quiet=options.json) as bar:
        card = train_frame_types(options.images, options.output, backbone, progress=bar.update)
    if options.json:
        print(json.dumps({"path": str(options.output), "sha256": card.sha256, "types": card.types}))
    else:
        print(f"{options.output}: {', '.join(card.types)}; {len(card.training_data)} images, card beside it")
    return OK


def evaluate(options: argparse.Namespace) -> int:
    """Scores a model."""
    from autoscope.perception.confusion_picture import draw_confusion_of
    from autoscope.perception.frame_types import load_frame_classifier
    from autoscope.perception.frame_types_training import evaluate_frame_types

    with WorkBar("telling types", quiet=options.json) as bar:
        found = evaluate_frame_types(
            load_frame_classifier(options.model), options.images, progress=bar.update
        )
    if options.picture is not None:
        title = f"{found.accuracy:.3f} of {len(found.frames)} frames right"
        draw_confusion_of(found.confusion, found.types, title, options.picture)
    if options.json:
        print(json.dumps(found.model_dump(mode="json"), indent=2))
    else:
        print_frame_type_scores(found)
    return OK


def predict(options: argparse.Namespace) -> int:
    """Tells the type of images."""
    from autoscope.images import read_micrograph
    from autoscope.perception.frame_types import load_frame_classifier

    model = load_frame_classifier(options.model)
    found = [(image, model.probability(read_micrograph(image).pixels)) for image in options.images]
    if options.json:
        print(json.dumps([{"image": str(image), "probability": p} for image, p in found], indent=2))
        return OK
    for image, probability in found:
        best = max(probability, key=lambda name: probability[name])
        print(f"{image}: {best} ({probability[best]:.2f})")
    return OK


def print_frame_type_scores(found: FrameTypeScores) -> None:
    """The scores on the terminal."""
    console = Console(highlight=False)
    matrix = Table("true \\ found", *found.types, title="confusion, frames")
    for name, row in zip(found.types, found.confusion, strict=True):
        matrix.add_row(name, *(str(count) for count in row))
    console.print(matrix)
    console.print(
        f"accuracy {found.accuracy:.3f}, mean over the types {found.balanced_accuracy:.3f},"
        f" {len(found.frames)} frames"
    )
    for frame in found.frames:
        if frame.found != frame.true:
            console.print(f"  {frame.image}: {frame.found} ({frame.probability:.2f}), is {frame.true}")
