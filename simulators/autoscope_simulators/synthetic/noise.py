"""Smooth random fields and fine textures that can be read window by window without seams."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autoscope_simulators.synthetic.canvas import HALO_PX, Canvas, FloatImage, Window

_MARGIN_NODES = 4
_TEXTURE_SIDES = ((509, 521), (443, 487))
"""Two coprime periods: their sum repeats only after more than 200 000 px."""


def _spline_weights(position: NDArray[np.float64], first: int, nodes: int) -> FloatImage:
    """Uniform cubic B-spline basis: ``positions x nodes`` weights, nodes numbered from ``first``."""
    left = np.floor(position).astype(np.intp)
    t = position - left
    u = 1 - t
    near_left, near_right = 2 / 3 - t * t * (2 - t) / 2, 2 / 3 - u * u * (2 - u) / 2
    weights = np.zeros((len(position), nodes), dtype=np.float32)
    rows = np.arange(len(position))
    for offset, weight in ((-1, u * u * u / 6), (0, near_left), (1, near_right), (2, t * t * t / 6)):
        weights[rows, left + offset - first] = weight
    return weights


class SmoothField:
    """A Gaussian random field of mean 0 and variance near 1: white noise on a lattice, cubic B-splines.

    The same pixel has the same value in every window.
    """

    def __init__(
        self, rng: np.random.Generator, canvas: Canvas, length_px: float, length_x_px: float | None = None
    ) -> None:
        """Draws the field.

        Args:
            rng: source of the lattice values.
            canvas: where the field is needed (its halo included).
            length_px: lattice spacing along y, px; the field forgets itself over about two of them.
            length_x_px: the same along x; as along y when None.
        """
        self._spacing_y = length_px
        self._spacing_x = length_px if length_x_px is None else length_x_px
        nodes_y = math.ceil((canvas.height + 4 * HALO_PX) / self._spacing_y) + 2 * _MARGIN_NODES
        nodes_x = math.ceil((canvas.width + 4 * HALO_PX) / self._spacing_x) + 2 * _MARGIN_NODES
        # a cubic B-spline's squared weights sum to 151/315 on average over the position (per axis)
        lattice = rng.standard_normal((nodes_y, nodes_x), dtype=np.float32)
        self._lattice: FloatImage = lattice * np.float32(315 / 151)

    def _lattice_position(
        self, pixels: NDArray[np.float64] | NDArray[np.intp], spacing: float
    ) -> NDArray[np.float64]:
        return (np.asarray(pixels, dtype=np.float64) + 2 * HALO_PX) / spacing + _MARGIN_NODES

    def window(self, window: Window) -> FloatImage:
        """The field on a window: ``height x width``."""
        rows = self._lattice_position(window.rows, self._spacing_y)
        columns = self._lattice_position(window.columns, self._spacing_x)
        top, bottom = int(rows[0]) - 1, int(rows[-1]) + 3
        left, right = int(columns[0]) - 1, int(columns[-1]) + 3
        weights_y = _spline_weights(rows, top, bottom - top)
        weights_x = _spline_weights(columns, left, right - left)
        return np.asarray(weights_y @ (self._lattice[top:bottom, left:right] @ weights_x.T), dtype=np.float32)

    def at(self, x_px: NDArray[np.float64], y_px: NDArray[np.float64]) -> FloatImage:
        """The field at points: ``n`` values. Beyond the halo the border value is repeated."""
        position = np.stack(
            [self._lattice_position(y_px, self._spacing_y), self._lattice_position(x_px, self._spacing_x)]
        )
        values: FloatImage = ndimage.map_coordinates(
            self._lattice, position, order=3, mode="nearest", prefilter=False
        )
        return values


class Texture:
    """Fine-grained Gaussian texture of mean 0 and variance 1, made of two periodic tiles."""

    def __init__(self, rng: np.random.Generator, sigma_px: float, sigma_x_px: float | None = None) -> None:
        """Draws the texture.

        Args:
            rng: source of the noise.
            sigma_px: Gaussian correlation width along y, px.
            sigma_x_px: the same along x; as along y when None.
        """
        sigmas = (sigma_px, sigma_px if sigma_x_px is None else sigma_x_px)
        self._tiles: list[FloatImage] = []
        for shape in _TEXTURE_SIDES:
            tile = ndimage.gaussian_filter(
                rng.standard_normal(shape, dtype=np.float32), sigmas, mode="wrap", truncate=3
            )
            self._tiles.append((tile - tile.mean()) / (tile.std() * np.float32(math.sqrt(2))))

    def window(self, window: Window) -> FloatImage:
        """The texture on a window: ``height x width``."""
        first, second = (
            tile[np.ix_(window.rows % tile.shape[0], window.columns % tile.shape[1])] for tile in self._tiles
        )
        result: FloatImage = first + second
        return result
