"""Which part of a specimen's raster is specimen, counted exactly and without reading most of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoscope_simulators.raster import ConstantRaster, Raster
from autoscope_simulators.specimen_layout import BLOCK_PX, block_counts


class Validity:
    """Counts valid pixels of windows.

    A summed-area table over blocks (Crow 1984) answers where all blocks that a window touches are wholly
    specimen, or none of them holds any; only a window on an edge of the specimen is read.

    Args:
        raster: ``height x width``, nonzero where there is specimen.
        counts: valid pixels in every block, or None to count them when they are first needed.
    """

    def __init__(self, raster: Raster, counts: NDArray[np.integer] | None = None) -> None:
        self._raster = raster
        self.everywhere = isinstance(raster, ConstantRaster) and bool(raster.read(0, 1, 0, 1)[0, 0])
        self._table: NDArray[np.int64] | None = None
        expected = tuple(-(-n // BLOCK_PX) for n in raster.shape)
        if counts is not None and counts.shape == expected:
            self._table = _summed_area(counts)

    def count(self, y0: int, y1: int, x0: int, x1: int) -> int:
        """Valid pixels in rows ``y0:y1`` and columns ``x0:x1``, which may reach outside the raster."""
        height, width = self._raster.shape
        y0, y1, x0, x1 = max(y0, 0), min(y1, height), max(x0, 0), min(x1, width)
        if y0 >= y1 or x0 >= x1:
            return 0
        area = (y1 - y0) * (x1 - x0)
        if self.everywhere:
            return area
        i0, i1, j0, j1 = y0 // BLOCK_PX, -(-y1 // BLOCK_PX), x0 // BLOCK_PX, -(-x1 // BLOCK_PX)
        table = self._blocks()
        hull = int(table[i1, j1] - table[i0, j1] - table[i1, j0] + table[i0, j0])
        hull_rows = min(i1 * BLOCK_PX, height) - i0 * BLOCK_PX
        hull_columns = min(j1 * BLOCK_PX, width) - j0 * BLOCK_PX
        if hull == 0:
            return 0
        if hull == hull_rows * hull_columns:
            return area
        if (hull_rows, hull_columns) == (y1 - y0, x1 - x0):
            return hull
        return int(np.count_nonzero(self._raster.read(y0, y1, x0, x1)))

    def sample(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Validity where ascending rows and columns cross; False outside the raster."""
        height, width = self._raster.shape
        in_rows, in_columns = (rows >= 0) & (rows < height), (columns >= 0) & (columns < width)
        out = np.zeros((len(rows), len(columns)), bool)
        if self.everywhere:
            out[np.ix_(in_rows, in_columns)] = True
        else:
            out[np.ix_(in_rows, in_columns)] = self._raster.sample(rows[in_rows], columns[in_columns]) != 0
        return out

    def _blocks(self) -> NDArray[np.int64]:
        if self._table is None:
            counts = [block_counts(rows != 0) for _, rows in self._raster.bands(BLOCK_PX)]
            self._table = _summed_area(np.concatenate(counts))
        return self._table


def _summed_area(counts: NDArray[np.integer]) -> NDArray[np.int64]:
    """``(rows + 1) x (columns + 1)`` sums over everything above and left."""
    table = np.zeros((counts.shape[0] + 1, counts.shape[1] + 1), np.int64)
    table[1:, 1:] = counts.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    return table
