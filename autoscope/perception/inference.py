"""Running a network over a frame of any size in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

TILE_PX = 1024
"""Frames up to this edge go through the network in one piece."""
MARGIN_PX = 128
"""How much of a tile's rim is computed and thrown away, because the network saw no surroundings there."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One piece of a frame.

    Attributes:
        rows: what the network sees.
        columns: likewise.
        kept_rows: what is taken over from the result.
        kept_columns: likewise.
    """

    rows: slice
    columns: slice
    kept_rows: slice
    kept_columns: slice


def plan_tiles(
    height: int, width: int, *, tile_px: int = TILE_PX, margin_px: int = MARGIN_PX
) -> Iterator[Tile]:
    """Covers a frame with overlapping tiles whose kept parts are disjoint.

    Args:
        height: of the frame, px; a multiple of the network's stride, as all numbers here.
        width: likewise.
        tile_px: largest edge of a tile.
        margin_px: overlap on each side.
    """
    spans = [
        list(_spans(height, tile_px, margin_px)),
        list(_spans(width, tile_px, margin_px)),
    ]
    for rows, kept_rows in spans[0]:
        for columns, kept_columns in spans[1]:
            yield Tile(rows, columns, kept_rows, kept_columns)


class NetworkRunner:
    """A network that is only used, not trained.

    Args:
        network: maps ``1 x 1 x height x width`` to ``1 x classes x height x width``; its weights may
            change between calls.
        stride_px: what height and width must be a multiple of.
        n_classes: of the network.
        device: where it runs.
        dtype: of the arithmetic.
        tile_px: largest edge of a piece.
        margin_px: overlap of pieces.
    """

    def __init__(
        self,
        network: nn.Module,
        stride_px: int,
        n_classes: int,
        device: torch.device,
        dtype: torch.dtype,
        *,
        tile_px: int = TILE_PX,
        margin_px: int = MARGIN_PX,
    ) -> None:
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._stride_px, self._n_classes = stride_px, n_classes
        self._device, self._dtype = device, dtype
        self._tile_px, self._margin_px = tile_px, margin_px

    def labels(self, image: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Most probable class of every pixel of a normalised ``height x width`` image."""
        found = np.empty(image.shape, dtype=np.uint8)
        for target, scores in self._scores(image):
            _paste(found, target, _most_probable(scores))
        return found

    def labels_and_probability(
        self, image: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
        """The same labels, and the ``classes x height x width`` softmax rounded to half precision."""
        labels = np.empty(image.shape, dtype=np.uint8)
        probability = np.empty((self._n_classes, *image.shape), dtype=np.float16)
        for target, scores in self._scores(image):
            _paste(labels, target, _most_probable(scores))
            _paste(probability, target, torch.softmax(scores.float(), dim=0).half().cpu().numpy())
        return labels, probability

    def _scores(self, image: NDArray[np.float32]) -> Iterator[tuple[tuple[slice, slice], Tensor]]:
        """For each tile: where its kept part belongs, and its ``classes x height x width`` scores."""
        whole = padded(image, self._stride_px)
        height, width = whole.shape
        for tile in plan_tiles(height, width, tile_px=self._tile_px, margin_px=self._margin_px):
            window = torch.from_numpy(np.ascontiguousarray(whole[tile.rows, tile.columns]))
            scores = self._forward(window[None, None])[0]
            top = tile.kept_rows.start - tile.rows.start
            left = tile.kept_columns.start - tile.columns.start
            kept = scores[
                :,
                top : top + tile.kept_rows.stop - tile.kept_rows.start,
                left : left + tile.kept_columns.stop - tile.kept_columns.start,
            ]
            yield (tile.kept_rows, tile.kept_columns), kept

    def _forward(self, batch: Tensor) -> Tensor:
        self._network.eval()
        batch = batch.to(self._device).contiguous(memory_format=torch.channels_last)
        reduced = self._dtype is not torch.float32
        with torch.inference_mode(), torch.autocast(self._device.type, dtype=self._dtype, enabled=reduced):
            scores: Tensor = self._network(batch)
        return scores


def _spans(length: int, tile_px: int, margin_px: int) -> Iterator[tuple[slice, slice]]:
    if length <= tile_px:
        yield slice(0, length), slice(0, length)
        return
    step = tile_px - 2 * margin_px
    for start in range(0, length, step):
        stop = min(start + step, length)
        yield slice(max(start - margin_px, 0), min(stop + margin_px, length)), slice(start, stop)


def _paste(whole: NDArray[Any], target: tuple[slice, slice], part: NDArray[Any]) -> None:
    """Copies a tile's result into the whole; what lies in the padding is dropped."""
    place = whole[..., target[0], target[1]]
    place[...] = part[..., : place.shape[-2], : place.shape[-1]]


def padded(image: NDArray[np.float32], stride_px: int) -> NDArray[np.float32]:
    """An image mirrored beyond its lower and right edges, up to a multiple of the network's stride."""
    height, width = image.shape
    below, right = -height % stride_px, -width % stride_px
    return np.pad(image, ((0, below), (0, right)), mode="reflect") if below or right else image


def _most_probable(scores: Tensor) -> NDArray[np.uint8]:
    """Index of the largest score; the lowest index where scores are equal."""
    if len(scores) == 2:
        return (scores[1] > scores[0]).to(torch.uint8).cpu().numpy()
    best, found = scores[0], torch.zeros(scores.shape[1:], dtype=torch.uint8, device=scores.device)
    for index in range(1, len(scores)):
        larger = scores[index] > best
        found.masked_fill_(larger, index)
        best = torch.maximum(best, scores[index])
    return found.cpu().numpy()
