"""``autoscope segment predict``."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK
from autoscope.app.cli.segment.tables import print_intervals

if TYPE_CHECKING:
    from autoscope.perception.prediction import PredictedImage


def run(options: argparse.Namespace) -> int:
    """Writes class maps."""
    from autoscope.perception.prediction import predict

    with WorkBar("segmenting", quiet=options.json) as bar:
        written = predict(
            options.model,
            options.images,
            options.output,
            probabilities=options.probabilities,
            uncertainty=options.uncertainty,
            views=options.views,
            progress=bar.update,
        )
    if options.json:
        print(json.dumps([_written(image) for image in written], indent=2))
    else:
        print(f"{len(written)} class maps in {options.output}")
        if options.uncertainty:
            print_intervals(written)
    return OK


def _written(image: PredictedImage) -> dict[str, Any]:
    return {
        "image": str(image.image),
        "labels": str(image.labels),
        "probabilities": None if image.probabilities is None else str(image.probabilities),
        "area_fractions": image.area_fractions,
        "notes": image.notes,
        "score": image.score,
        "uncertainty": None if image.uncertainty is None else str(image.uncertainty),
        "epistemic": None if image.epistemic is None else str(image.epistemic),
        "errors": None if image.errors is None else str(image.errors),
        "area_intervals": [one.model_dump(mode="json", by_alias=True) for one in image.area_intervals],
    }
