"""``autoscope segment explain``."""

from __future__ import annotations

import argparse
import json

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK


def run(options: argparse.Namespace) -> int:
    """Draws what a model looks at when it finds a class."""
    from autoscope.perception.explaining import ExplanationSettings
    from autoscope.perception.explanation_files import explain_images

    with WorkBar("explaining", quiet=options.json) as bar:
        written = explain_images(
            options.model,
            options.images,
            options.output,
            options.class_name,
            ExplanationSettings(occlusion_cells=options.occlusion_cells),
            progress=bar.update,
        )
    if options.json:
        print(json.dumps([image.model_dump(mode="json") for image in written], indent=2))
    else:
        for image in written:
            print(f"{image.picture}: {image.class_name} on {100 * image.share:.1f} % of the image")
    return OK
