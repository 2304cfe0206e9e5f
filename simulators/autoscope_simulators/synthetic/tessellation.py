"""Laguerre tessellations: polycrystals from packed discs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from autoscope_simulators.synthetic.canvas import CELL_PX, Canvas, FloatImage, Window

_PACKING_STEPS = 8
_FIRST_CANDIDATES = 12


@dataclass(frozen=True, slots=True)
class Discs:
    """Discs in pixel coordinates.

    Attributes:
        x_px: ``n``.
        y_px: ``n``.
        radius_px: ``n``.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    radius_px: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.x_px)


def packed_discs(
    rng: np.random.Generator, canvas: Canvas, diameter_px: float, sigma: float, *, fill: float = 0.8
) -> Discs:
    """Discs of lognormal size, pushed apart until they hardly overlap (force-biased packing).

    Their Laguerre cells have the size distribution and the compact shape of grains in a polycrystal
    (Moscinski et al., Mol. Simul. 3, 1989; Fan et al., Comput. Mater. Sci. 29, 2004).

    Args:
        rng: source of places and sizes.
        canvas: what to cover; the discs reach beyond it by three diameters.
        diameter_px: of the circle with the area of the mean cell.
        sigma: standard deviation of the logarithm of the diameter.
        fill: total disc area over covered area.
    """
    margin = 3 * diameter_px
    width, height = canvas.width + 2 * margin, canvas.height + 2 * margin
    count = max(16, round(width * height / (math.pi / 4 * diameter_px**2)))
    place = rng.random((count, 2)) * (width, height)
    radius = np.exp(np.clip(rng.standard_normal(count), -2.5, 2.5) * sigma)
    radius *= math.sqrt(fill * width * height / (math.pi * float(np.square(radius).sum())))
    for _ in range(_PACKING_STEPS):
        place += _push_apart(place, radius)
    return Discs(place[:, 0] - margin, place[:, 1] - margin, radius)


def _push_apart(place: NDArray[np.float64], radius: NDArray[np.float64]) -> NDArray[np.float64]:
    """One step of the packing: ``n x 2`` displacements, px. The smaller of two discs moves further."""
    pairs = cKDTree(place).query_pairs(2 * float(np.quantile(radius, 0.98)), output_type="ndarray")
    first, second = pairs[:, 0], pairs[:, 1]
    gap = place[first] - place[second]
    distance = np.maximum(np.hypot(gap[:, 0], gap[:, 1]), 1e-9)
    overlap = radius[first] + radius[second] - distance
    touching = overlap > 0
    first, second, gap = first[touching], second[touching], gap[touching]
    push = gap * (0.7 * overlap[touching] / distance[touching])[:, None]
    share = (radius[second] / (radius[first] + radius[second]))[:, None]
    moved = np.zeros_like(place)
    for axis in (0, 1):
        along = push[:, axis] * share[:, 0]
        against = push[:, axis] - along
        moved[:, axis] = np.bincount(first, along, len(place)) - np.bincount(second, against, len(place))
    return moved


class Tessellation:
    """The Laguerre (power) diagram of discs: a pixel belongs to the disc of smallest ``|x - c|² - r²``."""

    def __init__(self, discs: Discs) -> None:
        """Indexes the discs.

        In the lifted space ``(x, y, sqrt(max r² - r²))`` the power diagram is an ordinary nearest
        neighbour search (Aurenhammer, SIAM J. Comput. 16, 1987).
        """
        self.discs = discs
        self._largest = float(np.square(discs.radius_px).max())
        lift = np.sqrt(self._largest - np.square(discs.radius_px))
        self._tree = cKDTree(np.column_stack([discs.x_px, discs.y_px, lift]))

    def __len__(self) -> int:
        return len(self.discs)

    def owner(self, x_px: NDArray[np.float64], y_px: NDArray[np.float64]) -> NDArray[np.intp]:
        """Index of the cell that each point lies in: ``n``."""
        index = self._tree.query(np.column_stack([x_px, y_px, np.zeros_like(x_px)]))[1]
        return np.asarray(index, dtype=np.intp)

    def labels(self, window: Window, bend: tuple[FloatImage, FloatImage] | None = None) -> NDArray[np.uint32]:
        """Index of the cell of every pixel of a window whose sides are multiples of `CELL_PX`.

        Exact: small cells of pixels are compared only with the discs that can own one of their pixels.

        Args:
            window: where.
            bend: ``(x, y)`` displacements of each pixel, px; bends the straight edges of the diagram.

        Returns:
            ``height x width`` indices, counted from 0.
        """
        x = np.broadcast_to(window.columns.astype(np.float32), (window.height, window.width))
        y = np.broadcast_to(window.rows.astype(np.float32)[:, None], (window.height, window.width))
        if bend is not None:
            x, y = x + bend[0], y + bend[1]
        x, y = _to_cells(x), _to_cells(y)
        centre_x, centre_y = x.mean(axis=1, dtype=np.float64), y.mean(axis=1, dtype=np.float64)
        x = (x - centre_x[:, None]).astype(np.float32)
        y = (y - centre_y[:, None]).astype(np.float32)
        half_diagonal = np.sqrt(np.max(x * x + y * y, axis=1)).astype(np.float64)
        candidates, last = self._candidates(centre_x, centre_y, half_diagonal)
        order = np.argsort(-last, kind="stable")
        owner = self._nearest(
            x[order], y[order], centre_x[order], centre_y[order], candidates[order], last[order]
        )
        unsorted = np.empty_like(owner)
        unsorted[order] = owner
        return _from_cells(unsorted, window)

    def _candidates(
        self, x: NDArray[np.float64], y: NDArray[np.float64], half_diagonal: NDArray[np.float64]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """For each cell of pixels the discs by power at its centre, and the last one that matters."""
        lifted = np.column_stack([x, y, np.zeros_like(x)])
        count = min(_FIRST_CANDIDATES, len(self))
        while True:
            index = np.asarray(self._tree.query(lifted, k=count)[1], dtype=np.intp).reshape(len(x), count)
            distance = np.hypot(self.discs.x_px[index] - x[:, None], self.discs.y_px[index] - y[:, None])
            square = np.square(self.discs.radius_px[index])
            reach = half_diagonal[:, None]
            worst_of_best = np.min((distance + reach) ** 2 - square, axis=1, keepdims=True)
            matters = np.maximum(distance - reach, 0) ** 2 - square <= worst_of_best
            # every disc beyond the last one asked for has at least its power at the centre
            power = distance[:, -1] ** 2 - square[:, -1]
            horizon = np.maximum(np.sqrt(np.maximum(power + self._largest, 0)) - half_diagonal, 0) ** 2
            complete = horizon - self._largest > worst_of_best[:, 0]
            if count == len(self) or bool(complete.all()):
                return index, count - 1 - np.argmax(matters[:, ::-1], axis=1)
            count = min(2 * count, len(self))

    def _nearest(
        self,
        x: FloatImage,
        y: FloatImage,
        centre_x: NDArray[np.float64],
        centre_y: NDArray[np.float64],
        candidates: NDArray[np.intp],
        last: NDArray[np.intp],
    ) -> NDArray[np.uint32]:
        """Owner of each pixel: ``cells x pixels``; the cells come with their candidate counts falling."""
        best = np.full(x.shape, np.inf, dtype=np.float32)
        owner = np.zeros(x.shape, dtype=np.uint32)
        for rank in range(int(last[0]) + 1):
            cells = int(np.searchsorted(-last, -rank, side="right"))
            index = candidates[:cells, rank]
            gap_x, gap_y = (
                self.discs.x_px[index] - centre_x[:cells],
                self.discs.y_px[index] - centre_y[:cells],
            )
            power = gap_x**2 + gap_y**2 - np.square(self.discs.radius_px[index])
            value = x[:cells] * (-2 * gap_x).astype(np.float32)[:, None]
            value += y[:cells] * (-2 * gap_y).astype(np.float32)[:, None]
            value += power.astype(np.float32)[:, None]
            nearer = value < best[:cells]
            np.copyto(best[:cells], value, where=nearer)
            np.copyto(owner[:cells], index.astype(np.uint32)[:, None], where=nearer)
        return owner


def _to_cells(image: FloatImage) -> FloatImage:
    height, width = image.shape
    cells = image.reshape(height // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX).swapaxes(1, 2)
    return np.ascontiguousarray(cells).reshape(-1, CELL_PX * CELL_PX)


def _from_cells(cells: NDArray[np.uint32], window: Window) -> NDArray[np.uint32]:
    shape = (window.height // CELL_PX, window.width // CELL_PX, CELL_PX, CELL_PX)
    return cells.reshape(shape).swapaxes(1, 2).reshape(window.height, window.width)
