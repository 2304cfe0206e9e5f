"""``autoscope segment evaluate``."""

from __future__ import annotations

import argparse
import json

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK
from autoscope.app.cli.segment.scores import plain, print_scores


def run(options: argparse.Namespace) -> int:
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
    if options.worst is not None:
        from autoscope.perception import load_segmenter
        from autoscope.perception.worst_frames import draw_worst_frames

        draw_worst_frames(found, load_segmenter(options.model), options.images, options.masks, options.worst)
    if options.json:
        print(json.dumps(plain(found), indent=2))
    else:
        print_scores(found)
    return OK
