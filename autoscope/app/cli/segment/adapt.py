"""``autoscope segment adapt``."""

from __future__ import annotations

import argparse
import json

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK


def run(options: argparse.Namespace) -> int:
    """Fits a model's batch normalisation to unlabelled frames."""
    from autoscope.perception.adaptation import adapt

    with WorkBar("adapting", quiet=options.json) as bar:
        card = adapt(
            options.model,
            options.images,
            options.output,
            prior_frames=options.prior_frames,
            progress=bar.update,
        )
    frames = 0 if card.adaptation is None else len(card.adaptation.images_sha256)
    if options.json:
        print(json.dumps({"path": str(options.output), "sha256": card.sha256, "frames": frames}))
    else:
        print(f"{options.output}: adapted to {frames} frame(s); how good it is now is not known")
    return OK
