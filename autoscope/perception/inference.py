"""Running a network over a frame of any size in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from autoscope.perception.uncertainty import CalibratedHead

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


@dataclass(frozen=True, slots=True)
class HeadTile:
    """What the network says of one tile.

    Attributes:
        target: where the kept part belongs in the frame.
        inside: where the kept part lies in the tile.
        scores: ``classes x height x width`` of the whole tile.
        features: ``channels x ...`` of the whole tile, what the last layers make scores from; None unless
            asked for.
    """

    target: tuple[slice, slice]
    inside: tuple[slice, slice]
    scores: Tensor
    features: Tensor | None

    @property
    def origin(self) -> tuple[int, int]:
        """Row and column of the tile's first pixel in the frame."""
        rows, columns = (t.start - i.start for t, i in zip(self.target, self.inside, strict=True))
        return rows, columns

    @property
    def kept_scores(self) -> Tensor:
        """``classes x height x width`` of the kept part."""
        return self.scores[:, self.inside[0], self.inside[1]]


@dataclass(frozen=True, slots=True)
class UncertainPixels:
    """Of a frame.

    Attributes:
        labels: ``height x width``.
        probability: ``classes x height x width``; None unless asked for.
        total: ``height x width`` entropy, nats.
        aleatoric: the part of it that is not from the weights.
        error: probability that the label is wrong; None where nothing was fitted that tells.
        mean_nats: mean of the total entropy.
    """

    labels: NDArray[np.uint8]
    probability: NDArray[np.float16] | None
    total: NDArray[np.float16]
    aleatoric: NDArray[np.float16]
    error: NDArray[np.float16] | None
    mean_nats: float


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
        head: what is done to scores; None leaves them as they are.
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
        head: CalibratedHead | None = None,
    ) -> None:
        self._head = head or CalibratedHead(None, None, None)
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._stride_px, self._n_classes = stride_px, n_classes
        self._device, self._dtype = device, dtype
        self._tile_px, self._margin_px = tile_px, margin_px

    def labels(self, image: NDArray[np.float32]) -> NDArray[np.uint8]:
        """Most probable class of every pixel of a normalised ``height x width`` image."""
        found = np.empty(image.shape, dtype=np.uint8)
        for tile in self.tiles(image):
            _paste(found, tile.target, _most_probable(self._head.shifted(tile.kept_scores)))
        return found

    def labels_and_probability(
        self, image: NDArray[np.float32]
    ) -> tuple[NDArray[np.uint8], NDArray[np.float16]]:
        """The same labels, and the ``classes x height x width`` probability rounded to half precision."""
        labels = np.empty(image.shape, dtype=np.uint8)
        probability = np.empty((self._n_classes, *image.shape), dtype=np.float16)
        for tile in self.tiles(image):
            _paste(labels, tile.target, _most_probable(self._head.shifted(tile.kept_scores)))
            _paste(probability, tile.target, _half(self._head.probability(tile.kept_scores)))
        return labels, probability

    def uncertain(self, image: NDArray[np.float32], *, probability: bool = False) -> UncertainPixels:
        """The same labels, with entropies rounded to half precision, and the predictive probability."""
        labels = np.empty(image.shape, dtype=np.uint8)
        total, aleatoric = (np.empty(image.shape, dtype=np.float16) for _ in range(2))
        wanted = np.empty((self._n_classes, *image.shape), dtype=np.float16) if probability else None
        error = np.empty(image.shape, dtype=np.float16) if self._head.tells_errors else None
        for tile in self.tiles(image, features=self._head.needs_features):
            with torch.inference_mode():
                found = self._head.uncertainty(tile.scores, tile.features)
                if error is not None:
                    wrong = self._head.error(tile.scores, tile.origin, image.shape)
                    _paste(error, tile.target, _half(wrong[tile.inside]))
            rows, columns = tile.inside
            _paste(labels, tile.target, _most_probable(self._head.shifted(tile.kept_scores)))
            _paste(total, tile.target, _half(found.total[rows, columns]))
            _paste(aleatoric, tile.target, _half(found.aleatoric[rows, columns]))
            if wanted is not None:
                _paste(wanted, tile.target, _half(found.probability[:, rows, columns]))
        return UncertainPixels(labels, wanted, total, aleatoric, error, float(total.mean(dtype=np.float64)))

    def tiles(self, image: NDArray[np.float32], *, features: bool = False) -> Iterator[HeadTile]:
        """What the network says of each piece of a frame; padding is among it where sizes do not fit."""
        whole = padded(image, self._stride_px)
        height, width = whole.shape
        for tile in plan_tiles(height, width, tile_px=self._tile_px, margin_px=self._margin_px):
            window = torch.from_numpy(np.ascontiguousarray(whole[tile.rows, tile.columns]))
            scores, inputs = self._forward(window[None, None], features=features)
            yield HeadTile(
                (tile.kept_rows, tile.kept_columns),
                (_within(tile.kept_rows, tile.rows), _within(tile.kept_columns, tile.columns)),
                scores[0],
                None if inputs is None else inputs[0],
            )

    def _forward(self, batch: Tensor, *, features: bool) -> tuple[Tensor, Tensor | None]:
        seen: list[Tensor] = []
        watched = self._network.get_submodule("segmentation_head") if features else None
        hook = watched.register_forward_pre_hook(lambda _, given: seen.append(given[0])) if watched else None
        self._network.eval()
        batch = batch.to(self._device).contiguous(memory_format=torch.channels_last)
        reduced = self._dtype is not torch.float32
        with torch.inference_mode(), torch.autocast(self._device.type, dtype=self._dtype, enabled=reduced):
            scores: Tensor = self._network(batch)
        if hook is not None:
            hook.remove()
        return scores, seen[0] if seen else None


def _spans(length: int, tile_px: int, margin_px: int) -> Iterator[tuple[slice, slice]]:
    if length <= tile_px:
        yield slice(0, length), slice(0, length)
        return
    step = tile_px - 2 * margin_px
    for start in range(0, length, step):
        stop = min(start + step, length)
        yield slice(max(start - margin_px, 0), min(stop + margin_px, length)), slice(start, stop)


def _within(kept: slice, whole: slice) -> slice:
    return slice(kept.start - whole.start, kept.stop - whole.start)


def _half(values: Tensor) -> NDArray[np.float16]:
    return values.half().cpu().numpy()


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
