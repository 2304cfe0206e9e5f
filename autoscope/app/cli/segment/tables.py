"""Tables of what is known of a model's uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from autoscope.perception.calibration_card import Calibration
    from autoscope.perception.evaluation import Evaluation
    from autoscope.perception.prediction import PredictedImage


def print_calibration(classes: Sequence[str], found: Calibration) -> None:
    """What was fitted."""
    console = Console(highlight=False)
    after = "-" if found.nll_after is None else f"{found.nll_after:.4f}"
    console.print(
        f"temperature {found.temperature:.2f}, scale of the posterior {found.posterior_scale:g}; a pixel's"
        f" negative log-likelihood {found.nll_before:.4f} before, {after} after (each image by the others)"
    )
    table = Table("class", "offset", "shift", "scale of log-odds", "quarter over whole")
    for name, offset, one in zip(classes, found.offsets, found.area.per_class, strict=True):
        table.add_row(
            name, f"{offset:+.3f}", f"{one.shift:+.3f}", f"{one.scale:.3f}", f"{one.patch_ratio:.2f}"
        )
    console.print(table)


def print_reliability(found: Evaluation) -> None:
    """How far probabilities can be trusted, and the images, the worst first."""
    console = Console(highlight=False)
    reliability = found.reliability
    if reliability is None:
        return
    console.print(
        f"ECE {reliability.ece:.4f} (15 bins of equal width), Brier {reliability.brier:.4f},"
        f" NLL {reliability.nll:.4f} nats"
    )
    console.print(
        f"AUROC of finding wrong pixels {_shown(reliability.error_auroc)},"
        f" plain softmax {_shown(reliability.error_auroc_softmax)};"
        f" 90 % intervals of area fractions hold the truth in {_shown(reliability.area_coverage)}"
    )
    head = ("image", "mean IoU", "entropy, nats", "class", "true area", "90 % interval")
    table = Table(*head, title="images, the worst first")
    for image in found.worst_first:
        names = [image.image, _shown(image.mean_iou), _shown(image.score)]
        truths = [area.truth for area in image.area_fractions]
        for one, truth in zip(image.area_intervals, truths, strict=False):
            mark = "" if one.covered else " missed"
            table.add_row(*names, one.class_name, f"{truth:.4f}", f"{one.low:.4f} to {one.high:.4f}{mark}")
            names = ["", "", ""]
        if not image.area_intervals:
            table.add_row(*names, "", "", "")
    console.print(table)


def print_intervals(written: Sequence[PredictedImage]) -> None:
    """The area fractions of images with their intervals."""
    table = Table("image", "entropy, nats", "class", "found", "mean", "90 % interval")
    for image in written:
        names = [image.image.name, _shown(image.score)]
        for one in image.area_intervals:
            found = image.area_fractions[one.class_name]
            row = (one.class_name, f"{found:.4f}", f"{one.mean:.4f}", f"{one.low:.4f} to {one.high:.4f}")
            table.add_row(*names, *row)
            names = ["", ""]
        if not image.area_intervals:
            table.add_row(*names, "not calibrated", "", "", "")
    Console(highlight=False).print(table)


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
