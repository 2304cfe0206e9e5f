"""The map of the specimen: what was there to measure, what was measured, what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from autoscope.core import Frame
from autoscope.records import FrameDocument, SessionView
from autoscope.report.evidence import Evidence
from autoscope.report.figures import INK, VERMILLION, WIDTH_IN, new_figure, use_ink
from autoscope.report.wording import Scale

CANVAS_PX = 1100
"""Longer edge of the map's background."""

RASTERISED_FROM = 1500
"""From this many visits on they are pixels, not shapes: a page must stay small."""

Box = tuple[float, float, float, float]
"""``(x0, y0, x1, y1)``, um."""


@dataclass(frozen=True, slots=True)
class Background:
    """What the visits are drawn on.

    Attributes:
        rgba: ``height x width x 4``, transparent where there is nothing.
        box: where it lies, um.
    """

    rgba: NDArray[np.uint8]
    box: Box


def draw_map(evidence: Evidence, target: int, scale: Scale, background: Background) -> Figure:
    """Visited fields coloured by their value and sized by their weight, 1 / propensity.

    Args:
        evidence: the session.
        target: which quantity.
        scale: how it is printed.
        background: from `draw_background`.
    """
    x0, y0, x1, y1 = box = background.box
    ratio = (y1 - y0) / (x1 - x0)
    figure, axes = new_figure(float(np.clip((WIDTH_IN - 0.7) * ratio + 1.1, 2.2, 6.5)))
    axes.imshow(background.rgba, extent=(x0, x1, y1, y0), interpolation="antialiased", aspect="equal")
    measured = [v for v in evidence.visits if v.observations[target].value is not None]
    lost = [v for v in evidence.visits if v.observations[target].value is None]
    if measured:
        values = scale.factor * np.array([v.observations[target].value for v in measured], float)
        weights = np.array([v.weight for v in measured])
        low, high = np.quantile(values, [0.02, 0.98])
        points = axes.scatter(
            [v.decision.x_um for v in measured], [v.decision.y_um for v in measured], c=values,
            s=_sizes(weights, evidence.fields, box), cmap="viridis", vmin=low, vmax=max(high, low + 1e-9),
            edgecolors="white", linewidths=0.5 if len(measured) < 150 else 0.2,
            rasterized=len(measured) > RASTERISED_FROM,
        )  # fmt: skip
        along = "horizontal" if ratio < 1.2 else "vertical"
        bar = figure.colorbar(points, ax=axes, orientation=along, fraction=0.05, pad=0.03, aspect=40)
        bar.set_label(
            f"{scale.name.lower()} ({scale.unit})" if scale.unit else scale.name.lower(), fontsize=9
        )
        bar.outline.set_visible(False)
        use_ink(bar.ax)
    axes.plot(
        [v.decision.x_um for v in lost], [v.decision.y_um for v in lost], "X", color=VERMILLION, markersize=9,
        markeredgecolor="white", markeredgewidth=0.8,
    )  # fmt: skip
    axes.set_xlabel("x (µm)", fontsize=9)
    axes.set_ylabel("y (µm)", fontsize=9)
    for spine in axes.spines.values():
        spine.set_color(INK)
        spine.set_alpha(0.4)
    return figure


def _sizes(weights: NDArray[np.float64], fields: Mapping[str, NDArray[Any]], box: Box) -> NDArray[np.float64]:
    """Marker areas in points², proportional to the weights; the largest covers about two fields."""
    field_pt = (WIDTH_IN - 0.9) * 72 * float(fields["hfw_um"]) / (box[2] - box[0])
    largest = float(np.clip(2 * field_pt**2, 14.0, 180.0))
    return np.asarray(np.maximum(largest * weights / weights.max(), 4.0))


def draw_background(
    view: SessionView, fields: Mapping[str, NDArray[Any]], overview: Sequence[FrameDocument]
) -> Background:
    """All fields in light grey, over the mosaic of the overview where there is one.

    Args:
        view: the session folder.
        fields: its table of fields.
        overview: the overview's frames.
    """
    field_boxes, frame_boxes = _field_boxes(fields), _frame_boxes(view, overview)
    whole = np.concatenate([field_boxes, frame_boxes])
    box = (*whole[:, :2].min(axis=0).tolist(), *whole[:, 2:].max(axis=0).tolist())
    per_um = CANVAS_PX / max(box[2] - box[0], box[3] - box[1])
    shape = (max(1, round((box[3] - box[1]) * per_um)), max(1, round((box[2] - box[0]) * per_um)))
    grey = np.full(shape, np.nan, np.float32)
    low, high = _range(view, overview)
    frames = view.frames([d.frame for d in overview])
    for frame, frame_box in zip(frames, frame_boxes, strict=True):
        _paint(grey, frame, _window(frame_box, box, per_um, shape), low, high)
    inside = np.zeros(shape, bool)
    for field_box in field_boxes:
        rows, columns = _window(field_box, box, per_um, shape)
        inside[rows, columns] = True
    return Background(_compose(grey, inside), box)


def _compose(grey: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Lightens the mosaic, more outside the fields; plain light grey where there is no mosaic."""
    seen = np.isfinite(grey)
    light = np.where(inside, 0.35 + 0.55 * np.nan_to_num(grey), 0.72 + 0.25 * np.nan_to_num(grey))
    light = np.where(seen, light, 0.86)
    rgba = np.empty((*grey.shape, 4), np.uint8)
    rgba[..., :3] = (255 * light)[..., None]
    rgba[..., 3] = np.where(seen | inside, 255, 0)
    return rgba


def _paint(
    grey: NDArray[np.float32], frame: Frame, window: tuple[slice, slice], low: float, high: float
) -> None:
    rows, columns = window
    size = (columns.stop - columns.start, rows.stop - rows.start)
    image = Image.fromarray(frame.pixels.astype(np.float32)).resize(size, Image.Resampling.BOX)
    grey[rows, columns] = np.clip((np.asarray(image) - low) / (high - low), 0, 1)


def _range(view: SessionView, overview: Sequence[FrameDocument]) -> tuple[float, float]:
    """Grey levels to be shown as black and white, from a sample of the overview."""
    if not overview:
        return 0.0, 1.0
    chosen = [d.frame for d in overview[:: 1 + len(overview) // 16]]
    sample = np.concatenate([frame.pixels[::8, ::8].ravel() for frame in view.frames(chosen)])
    low, high = np.quantile(sample, [0.005, 0.995])
    return float(low), float(max(high, low + 1))


def _frame_boxes(view: SessionView, overview: Sequence[FrameDocument]) -> NDArray[np.float64]:
    """``n x 4``, as `Box`; frames of one purpose have one shape."""
    if not overview:
        return np.empty((0, 4))
    imaging = view.frame(overview[0].frame).imaging
    x, y, hfw = np.array([(d.x_um, d.y_um, d.hfw_um) for d in overview]).T
    dx, dy = hfw / 2, hfw * imaging.height_px / imaging.width_px / 2
    return np.stack([x - dx, y - dy, x + dx, y + dy], axis=1)


def _field_boxes(fields: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    x, y = fields["x_um"], fields["y_um"]
    dx, dy = float(fields["hfw_um"]) / 2, float(fields["vfw_um"]) / 2
    return np.stack([x - dx, y - dy, x + dx, y + dy], axis=1)


def _window(
    part: Box | NDArray[np.float64], whole: Box, per_um: float, shape: tuple[int, int]
) -> tuple[slice, slice]:
    """Rows and columns of a rectangle on the canvas, one pixel at least."""
    height, width = shape
    x0, y0 = round((part[0] - whole[0]) * per_um), round((part[1] - whole[1]) * per_um)
    x1, y1 = round((part[2] - whole[0]) * per_um), round((part[3] - whole[1]) * per_um)
    x0, y0 = min(x0, width - 1), min(y0, height - 1)
    return slice(y0, min(max(y1, y0 + 1), height)), slice(x0, min(max(x1, x0 + 1), width))
