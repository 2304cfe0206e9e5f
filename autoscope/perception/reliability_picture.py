"""The reliability diagram as a picture."""

from __future__ import annotations

from pathlib import Path

from autoscope.perception.reliability import BINS, Reliability


def draw_reliability(found: Reliability, path: Path) -> None:
    """Draws how often labels are right against how probable they were said to be, and how many are so.

    Args:
        found: from `autoscope.perception.evaluation.evaluate`.
        path: PNG, SVG or PDF file to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.6, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = [one for one in found.bins if one.confidence is not None and one.accuracy is not None]
    upper.plot([0, 1], [0, 1], color="0.6", linewidth=1, linestyle="--")
    upper.plot([one.confidence for one in filled], [one.accuracy for one in filled], marker="o")
    upper.set_ylabel("share of the pixels that are right")
    upper.set_ylim(0, 1.02)
    upper.set_title(f"ECE {found.ece:.4f}, {len(found.bins)} bins of equal width")
    shares = {(number + 0.5) / BINS: one.share for number, one in enumerate(found.bins) if one.share}
    lower.bar(list(shares), list(shares.values()), width=0.9 / BINS)
    lower.set_yscale("log")
    lower.set_ylabel("share")
    lower.set_xlabel("probability of the label")
    lower.set_xlim(0, 1)
    figure.savefig(path, dpi=150)
