"""What a network says of labelled images that it was not trained on: the raw material of calibration."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoscope.perception.error_signs import CELL_PX, tile_signs
from autoscope.perception.inference import HeadTile
from autoscope.perception.last_layer import last_layer, neighbourhoods
from autoscope.perception.network import NetworkSegmenter
from autoscope.perception.pairs import LabelledImage

_MOST_PIXELS = 2**18
"""Of an image, on a square raster; larger images are thinned."""
_SITES = 2048
"""Pixels of an image whose features are kept."""


@dataclass(frozen=True, slots=True)
class HeldOutImage:
    """Scores, labels and some features of one image.

    Attributes:
        name: of the image.
        scores: ``classes x rows x columns`` float16 on a raster over the image, as the network gives them.
        labels: ``rows x columns`` of the mask.
        inputs: ``n x features`` of the last layer at some pixels; None where the network has no last layer
            that could be treated so.
        site_scores: ``n x classes`` at these pixels.
        site_labels: ``n``.
        pixels: of the whole image.
        site_surroundings: ``4 x n``, signs of these pixels' surroundings
            (`autoscope.perception.error_signs`); None where they are not known.
    """

    name: str
    scores: Tensor
    labels: NDArray[np.uint8]
    inputs: Tensor | None
    site_scores: Tensor
    site_labels: Tensor
    pixels: int
    site_surroundings: Tensor | None = None


def observe(segmenter: NetworkSegmenter, image: LabelledImage, seed: int = 0) -> HeldOutImage:
    """Runs a network over a labelled image."""
    shape = image.labels.shape
    step = max(1, math.ceil(math.sqrt(image.labels.size / _MOST_PIXELS)))
    raster = (-(-shape[0] // step), -(-shape[1] // step))
    scores = torch.zeros(len(segmenter.class_names), *raster, dtype=torch.float16)
    rng = np.random.default_rng(seed)
    count = min(_SITES, image.labels.size)
    sites = np.stack(np.divmod(rng.choice(image.labels.size, count, replace=False), shape[1]))
    layer = last_layer(segmenter.network)
    parts: list[_Part] = []
    for tile in segmenter.runner.tiles(segmenter.normalised(image.micrograph.pixels), features=bool(layer)):
        _thin(tile, scores, step)
        parts.extend(_at_sites(tile, sites, shape, segmenter))
    order = np.concatenate([part.order for part in parts])
    inputs = [part.inputs for part in parts if part.inputs is not None]
    return HeldOutImage(
        image.name,
        scores,
        image.labels[::step, ::step],
        torch.cat(inputs) if inputs else None,
        torch.cat([part.scores for part in parts]),
        torch.from_numpy(image.labels[sites[0][order], sites[1][order]].astype(np.int64)),
        image.labels.size,
        torch.cat([part.surroundings for part in parts], dim=1),
    )


class _Part(NamedTuple):
    """Sites within the kept part of a tile: which, scores, inputs of the last layer, surroundings."""

    order: NDArray[np.intp]
    scores: Tensor
    inputs: Tensor | None
    surroundings: Tensor


def _thin(tile: HeadTile, scores: Tensor, step: int) -> None:
    """Copies every ``step``-th pixel of the frame that lies in the kept part."""
    rows, columns = (torch.arange(-(-s.start // step), -(-s.stop // step)) for s in tile.target)
    rows, columns = rows[rows < scores.shape[1]], columns[columns < scores.shape[2]]
    if not (len(rows) and len(columns)):
        return
    kept = tile.kept_scores.float().cpu()
    top, left = tile.target[0].start, tile.target[1].start
    taken = kept[:, rows * step - top][:, :, columns * step - left]
    scores[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = taken.half()


def _at_sites(
    tile: HeadTile, sites: NDArray[np.intp], shape: tuple[int, ...], segmenter: NetworkSegmenter
) -> Iterator[_Part]:
    """What is kept of the sites that lie in the kept part."""
    rows, columns = tile.target
    inside = (sites[0] >= rows.start) & (sites[0] < rows.stop)
    inside &= (sites[1] >= columns.start) & (sites[1] < columns.stop)
    chosen = np.flatnonzero(inside)
    if not len(chosen):
        return
    y = torch.from_numpy(sites[0][chosen] - rows.start + tile.inside[0].start)
    x = torch.from_numpy(sites[1][chosen] - columns.start + tile.inside[1].start)
    scores, features = tile.scores.float().cpu(), tile.features
    layer = last_layer(segmenter.network)
    inputs = None
    if layer is not None and features is not None and features.shape[-2:] == scores.shape[-2:]:
        inputs = neighbourhoods(features.float().cpu(), y, x, layer)
    _, cells = tile_signs(scores, scores.argmax(dim=0), tile.origin, shape)
    yield _Part(chosen, scores[:, y, x].T, inputs, cells[:, y // CELL_PX, x // CELL_PX])
