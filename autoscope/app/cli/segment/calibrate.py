"""``autoscope segment calibrate``."""

from __future__ import annotations

import argparse
import json

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK
from autoscope.app.cli.segment.tables import print_calibration


def run(options: argparse.Namespace) -> int:
    """Fits and stores a calibration."""
    from autoscope.perception.calibrating import calibrate

    with WorkBar("calibrating", quiet=options.json) as bar:
        card = calibrate(options.model, options.images, options.masks, progress=bar.update)
    found = card.calibration
    if options.json:
        content = None if found is None else found.model_dump(mode="json", by_alias=True)
        print(json.dumps({"path": str(options.model), "sha256": card.sha256, "calibration": content}))
    elif found is not None:
        print(f"{options.model}: calibrated on {len(found.images)} images, now {card.sha256[:12]}")
        print_calibration(card.classes, found)
    return OK
