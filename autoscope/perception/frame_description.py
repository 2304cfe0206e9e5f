"""Numbers that describe a frame: what the encoder of a segmentation network says of it, pooled."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from autoscope.perception.inference import padded
from autoscope.perception.preprocessing import check_pixels, network_input
from autoscope.perception.segmentation import Pixels
from autoscope.perception.settings import Preprocessing

STAGES = 3
"""How many of the encoder's stages describe a frame, the deepest ones."""


class FrameDescriber:
    """Pools the features of an encoder over windows of a frame.

    Args:
        encoder: of segmentation-models-pytorch, maps ``1 x 1 x height x width`` to a list of stages.
        preprocessing: of the grey levels.
        stride_px: what the windows' edges must be multiples of.
        window_px: edge of the windows.
        most_windows: of one frame.
    """

    def __init__(
        self,
        encoder: nn.Module,
        preprocessing: Preprocessing,
        *,
        stride_px: int,
        window_px: int,
        most_windows: int,
    ) -> None:
        self._encoder = encoder.float().eval()
        self._preprocessing, self._stride_px = preprocessing, stride_px
        self._window_px, self._most = window_px, most_windows

    def describe(self, pixels: Pixels) -> NDArray[np.float64]:
        """``windows x features``: mean and standard deviation of every channel of the deepest stages.

        Raises:
            ImageError: the pixels are no grey image.
        """
        check_pixels(pixels)
        grey = network_input(pixels, self._preprocessing)
        return np.stack([self._pooled(grey[window]) for window in self._windows(grey.shape)])

    def _pooled(self, grey: NDArray[np.float32]) -> NDArray[np.float64]:
        whole = np.ascontiguousarray(padded(grey, self._stride_px))
        with torch.inference_mode():
            stages = self._encoder(torch.from_numpy(whole)[None, None])[-STAGES:]
            pooled = [part for s in stages for part in (s.mean((0, 2, 3)), s.std((0, 2, 3), correction=0))]
            return torch.cat(pooled).double().numpy()

    def _windows(self, shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
        """Windows that cover the frame; an even choice of them where there are too many."""
        rows, columns = (_starts(length, self._window_px) for length in shape)
        corners = [(row, column) for row in rows for column in columns]
        if len(corners) > self._most:
            picked = np.linspace(0, len(corners) - 1, self._most).round().astype(int)
            corners = [corners[index] for index in picked]
        for row, column in corners:
            yield slice(row, row + self._window_px), slice(column, column + self._window_px)


def _starts(length: int, window_px: int) -> list[int]:
    """Where windows begin that cover a length evenly, without overlap where that is possible."""
    if length <= window_px:
        return [0]
    count = length // window_px
    return [int(start) for start in np.linspace(0, length - window_px, count).round()]
