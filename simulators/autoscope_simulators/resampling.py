"""Images a window of a raster at any scale, offset and blur: two small banded matrix products.

A pixel of a frame is the mean of the blurred specimen over the pixel's square. With the specimen constant
over each of its own pixels and a Gaussian blur, the weight of specimen pixel j in frame pixel i separates
into rows and columns, and each factor has a closed form: with G the second antiderivative of the normal
density, ``w_ij = [G(b_i - a_j) - G(a_i - a_j) - G(b_i - b_j) + G(a_i - b_j)] / (b_i - a_i)``, where
``[a, b]`` are the pixels' edges. Without blur ``G(u) = max(u, 0)``: exact area averaging.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope_simulators.raster import Pixels, Raster

BLOCK = 16
"""Frame pixels that share one dense block of weights."""

REACH = 4.5
"""Standard deviations after which the blur is cut off: 7e-6 of the signal lies beyond."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One direction of a scan, in pixels of the raster that it reads.

    Attributes:
        start: edge of the first frame pixel.
        step: raster pixels per frame pixel.
        count: frame pixels.
        sigma: standard deviation of the blur.
    """

    start: float
    step: float
    count: int
    sigma: float

    def is_copy(self) -> bool:
        """Whether every frame pixel is one raster pixel."""
        whole = abs(self.start - round(self.start)) < 1e-6
        return whole and self.sigma == 0 and abs(self.step - 1) * self.count < 1e-6


@dataclass(frozen=True, slots=True)
class Band:
    """Frame pixels ``out`` as ``weights`` (frame pixels x raster pixels) times raster pixels ``source``."""

    out: slice
    source: slice
    weights: NDArray[np.float32]


def bands(axis: Axis, length: int) -> Iterator[Band]:
    """The weights of one direction in blocks; raster pixels outside ``0:length`` are black.

    Args:
        axis: the direction.
        length: raster pixels in this direction.
    """
    n_blocks = -(-axis.count // BLOCK)
    pixels = np.arange(n_blocks)[:, None] * BLOCK + np.arange(BLOCK + 1)
    edges = axis.start + axis.step * pixels
    reach = REACH * axis.sigma
    seen = (edges[:, -1] + reach > 0) & (edges[:, 0] - reach < length)
    taps = min(math.ceil(BLOCK * axis.step + 2 * reach) + 1, length)
    first = np.clip(np.floor(edges[:, 0] - reach), 0, length - taps).astype(np.intp)
    u = edges[seen, :, None] - (first[seen, None, None] + np.arange(taps + 1))
    g = _second_antiderivative(u, axis.sigma)
    below = g[:, :, :-1] - g[:, :, 1:]
    weights = ((below[:, 1:] - below[:, :-1]) / axis.step).astype(np.float32)
    np.maximum(weights, 0, out=weights)  # far out in the blur's tail nothing but rounding is left of them
    for block, block_weights in zip(np.flatnonzero(seen).tolist(), weights, strict=True):
        begin, low = block * BLOCK, int(first[block])
        size = min(BLOCK, axis.count - begin)
        yield Band(slice(begin, begin + size), slice(low, low + taps), block_weights[:size])


def image(raster: Raster, rows: Axis, columns: Axis) -> NDArray[np.float32]:
    """The blurred area average of a raster over every pixel of a frame, black outside the raster.

    Args:
        raster: what is imaged.
        rows: the scan's direction down the raster.
        columns: the scan's direction across the raster.

    Returns:
        ``rows.count x columns.count``.
    """
    height, width = raster.shape
    out = np.zeros((rows.count, columns.count), np.float32)
    across = list(bands(columns, width))
    if not across:
        return out
    left, right = across[0].source.start, max(band.source.stop for band in across)
    half = np.zeros((rows.count, right - left), np.float32)
    for band in bands(rows, height):
        strip = raster.read(band.source.start, band.source.stop, left, right)
        np.matmul(band.weights, strip.astype(np.float32), out=half[band.out])
    for band in across:
        source = slice(band.source.start - left, band.source.stop - left)
        out[:, band.out] = half[:, source] @ band.weights.T
    return out


def copy(raster: Raster, rows: Axis, columns: Axis) -> Pixels | None:
    """The frame where it is a plain copy of raster pixels, None where it is not."""
    if not (rows.is_copy() and columns.is_copy()):
        return None
    y0, x0 = round(rows.start), round(columns.start)
    y1, x1 = y0 + rows.count, x0 + columns.count
    inside = y0 >= 0 and x0 >= 0 and y1 <= raster.shape[0] and x1 <= raster.shape[1]
    return raster.read(y0, y1, x0, x1) if inside else None


def _second_antiderivative(u: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """``integral of Phi(t / sigma)`` up to u: ``sigma [z Phi(z) + phi(z)]``, z = u / sigma."""
    from scipy.special import ndtr

    g = np.maximum(u, 0.0)
    if sigma > 0:
        near = np.abs(u) < REACH * sigma
        z = u[near] / sigma
        g[near] = sigma * (z * ndtr(z) + np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi))
    return g
