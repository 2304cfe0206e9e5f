"""``autoscope segment pretrain``."""

from __future__ import annotations

import argparse
import json

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK
from autoscope.app.cli.segment.recipes import read_settings


def run(options: argparse.Namespace) -> int:
    """Trains an encoder on micrographs without masks."""
    from autoscope.perception.pretraining import PretrainingSettings, pretrain

    given = {"steps": options.steps, "seed": options.seed, "architecture.encoder": options.encoder}
    settings = read_settings(PretrainingSettings, options, {}, given)
    with WorkBar("pretraining", quiet=options.json) as bar:
        error = pretrain(
            options.images,
            options.output,
            settings=settings,
            encoder_weights=options.encoder_weights,
            progress=lambda step, steps, loss: bar.update(
                step, steps, f"step {step} of {steps}, loss {loss:.3f}"
            ),
        )
    if options.json:
        print(json.dumps({"path": str(options.output), "grey_error": error}))
    else:
        print(f"{options.output}: hidden grey levels are restored to {100 * error:.1f} % of the full range")
    return OK
