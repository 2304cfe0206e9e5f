"""The images on which a model is worst, with what it found there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from autoscope.perception.evaluation import Evaluation, ImageScores
from autoscope.perception.overlay import class_picture, grey_picture
from autoscope.perception.pairs import find_pairs, read_pair, select
from autoscope.perception.segmentation import Segmenter

WORST = 6
_LONGEST_PX = 512
"""Images are thinned to this edge for the picture."""


def worst_images(evaluation: Evaluation, count: int = WORST) -> tuple[ImageScores, ...]:
    """The images with the lowest mean IoU, lowest first."""
    scored = [one for one in evaluation.images if one.mean_iou is not None]
    return tuple(sorted(scored, key=lambda one: one.mean_iou or 0.0)[:count])


def draw_worst_frames(
    evaluation: Evaluation, segmenter: Segmenter, images: Path, masks: Path, path: Path, *, count: int = WORST
) -> tuple[str, ...]:
    """Draws the worst images: the image, the truth, what was found, and where they differ.

    Args:
        evaluation: of these images.
        segmenter: that was evaluated.
        images: folder of the images.
        masks: folder of their masks.
        path: PNG, SVG or PDF file to write.
        count: how many, at most.

    Returns:
        Their names, worst first.
    """
    worst = worst_images(evaluation, count)
    pairs = select(find_pairs(images, masks), [one.image for one in worst])
    figure = Figure(figsize=(12.0, 3.1 * max(len(worst), 1)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(max(len(worst), 1), 4, squeeze=False)
    for axes in grid.flat:
        axes.set_axis_off()
    for row, pair, scores in zip(grid, pairs, worst, strict=True):
        one = read_pair(pair, segmenter.class_names)
        size = one.micrograph.pixel_nm
        found = segmenter.segment(one.micrograph.pixels, float("nan") if size is None else size).labels
        thin = (slice(None, None, -(-max(found.shape) // _LONGEST_PX)),) * 2
        grey = grey_picture(one.micrograph.pixels)[thin]
        wrong = np.where((found != one.labels)[thin][..., None], np.array([255, 0, 0], np.uint8), grey // 2)
        shown = (grey, class_picture(one.labels[thin]), class_picture(found[thin]), wrong)
        titles = (f"{one.name}\nmean IoU {scores.mean_iou:.3f}", "truth", "found", "wrong")
        for axes, picture, title in zip(row, shown, titles, strict=True):
            axes.imshow(picture)
            axes.set_title(title, fontsize=9)
    figure.savefig(path, dpi=110)
    return tuple(one.image for one in worst)
