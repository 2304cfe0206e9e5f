"""Windows of a frame described from the features that an encoder computes while it segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from autoscope.perception.familiarity import Windows
from autoscope.perception.frame_spectrum import row_jumps, spectrum_slopes
from autoscope.perception.frame_statistics import frame_statistics
from autoscope.perception.segmentation import Pixels

STAGES = (2, 3, 4)
"""Which of the encoder's stages are read: those of stride 4, 8 and 16, or the deepest one instead."""

LARGEST_GRID = 4
"""A frame that does not go through the network in one piece is judged by so many windows along each edge."""

_SPREAD_FLOOR = 1e-4


class EncoderWatch:
    """Listens to what an encoder of segmentation-models-pytorch gives, while the network is used.

    Args:
        network: has an ``encoder`` that returns a list of stages, the input first.
        window_px: edge of a window; a frame is cut into the nearest whole number of them.
        run: puts grey levels in [0, 1] through the network.
        tile_px: frames with a longer edge go through the network in pieces.
    """

    def __init__(
        self,
        network: nn.Module,
        window_px: int,
        run: Callable[[NDArray[np.float32]], object],
        tile_px: int,
    ) -> None:
        encoder = network.encoder
        if not isinstance(encoder, nn.Module):
            raise TypeError("the network has no encoder to watch")
        self._window_px, self._run, self._tile_px = window_px, run, tile_px
        self._heard: tuple[Tensor, ...] | None = None
        self._hook = encoder.register_forward_hook(self._hear)

    def close(self) -> None:
        """Stops listening."""
        self._hook.remove()

    def forget(self) -> None:
        """Drops what was heard."""
        self._heard = None

    def windows(self, pixels: Pixels, grey: NDArray[np.float32]) -> Windows:
        """The windows of a frame, which the network has just seen; put through it here where it has not.

        A frame that went through in pieces is judged by windows spread over it, each in a pass of its own.
        Where several views of a frame were looked at, the plain one counts, which comes first.

        Args:
            pixels: ``height x width`` as acquired.
            grey: the same in [0, 1].
        """
        if max(grey.shape) > self._tile_px:
            return Windows.joined(list(self._spread_out(pixels, grey)))
        if self._heard is None:
            self._run(grey)
        if self._heard is None:
            raise RuntimeError("the network did not use its encoder")
        grid = self._grid(pixels.shape[0]), self._grid(pixels.shape[1])
        fine, middle, coarse = (_pooled(stage, grid) for stage in self._heard)
        cuts = list(self._cut(pixels))
        return Windows(
            fine,
            middle,
            coarse,
            statistics=np.stack([frame_statistics(p, g) for p, g in zip(cuts, self._cut(grey), strict=True)]),
            spectrum=np.stack([spectrum_slopes(p) for p in cuts]),
            streaks=np.array([[row_jumps(p)] for p in cuts]),
        )

    def _spread_out(self, pixels: Pixels, grey: NDArray[np.float32]) -> Iterator[Windows]:
        edge = self._window_px
        for row, column in window_corners(grey.shape[0], grey.shape[1], edge):
            window = (slice(row, row + edge), slice(column, column + edge))
            self.forget()
            yield self.windows(pixels[window], grey[window])

    def _hear(self, _: nn.Module, __: object, stages: list[Tensor]) -> None:
        if self._heard is None:
            self._heard = tuple(stages[min(stage, len(stages) - 1)].detach() for stage in STAGES)

    def _grid(self, length_px: int) -> int:
        return max(1, round(length_px / self._window_px))

    def _cut(self, image: NDArray[Any]) -> Iterator[NDArray[Any]]:
        for rows in np.array_split(image, self._grid(image.shape[0]), axis=0):
            yield from np.array_split(rows, self._grid(image.shape[1]), axis=1)


def window_corners(height: int, width: int, window_px: int) -> Iterator[tuple[int, int]]:
    """Corners of windows spread over a frame: at most :data:`LARGEST_GRID` along each edge."""
    spans = []
    for length in (height, width):
        count = min(LARGEST_GRID, max(1, length // window_px))
        spans.append(np.linspace(0, max(length - window_px, 0), count).astype(int).tolist())
    for row in spans[0]:
        for column in spans[1]:
            yield row, column


def _pooled(stage: Tensor, grid: tuple[int, int]) -> NDArray[np.float64]:
    """``windows x (2 channels)``: means, and logs of the spreads, of a stage's channels in each window."""
    values = stage.detach().float()
    mean = adaptive_avg_pool2d(values, grid)
    spread = (adaptive_avg_pool2d(values.square(), grid) - mean.square()).clamp_min(0).sqrt()
    both = torch.cat([mean, (spread + _SPREAD_FLOOR).log()], dim=1)[0]
    return np.asarray(both.flatten(1).T.cpu().numpy(), np.float64)
