"""``autoscope segment evaluate``."""

from __future__ import annotations

import argparse
import json

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK
from autoscope.app.cli.segment.scores import plain, print_scores
from autoscope.app.cli.segment.tables import print_reliability
from autoscope.core import ConfigurationError


def run(options: argparse.Namespace) -> int:
    """Scores a model."""
    from autoscope.perception.confusion_picture import draw_confusion
    from autoscope.perception.evaluation import evaluate
    from autoscope.perception.reliability_picture import draw_reliability

    with WorkBar("evaluating", quiet=options.json) as bar:
        found = evaluate(
            options.model,
            options.images,
            options.masks,
            views=options.views,
            progress=bar.update,
        )
    if options.picture is not None:
        draw_confusion(found, options.picture)
    if options.reliability is not None:
        if found.reliability is None:
            raise ConfigurationError(f"{options.model}: nothing is known of its probabilities to draw")
        draw_reliability(found.reliability, options.reliability)
    if options.worst is not None:
        from autoscope.perception import load_segmenter
        from autoscope.perception.worst_frames import draw_worst_frames

        segmenter = load_segmenter(options.model, views=options.views)
        draw_worst_frames(found, segmenter, options.images, options.masks, options.worst)
    if options.json:
        print(json.dumps(plain(found), indent=2))
    else:
        print_scores(found)
        print_reliability(found)
    return OK
