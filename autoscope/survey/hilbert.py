"""The Hilbert curve: a path through a grid on which neighbours on the path are neighbours in the plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def hilbert_index(column: NDArray[np.intp], row: NDArray[np.intp], bits: int) -> NDArray[np.int64]:
    """Place of each cell along the Hilbert curve through a square of ``2**bits`` cells an edge.

    Source: Skilling, AIP Conf. Proc. 707 (2004) 381, in the two-dimensional form of Warren, Hacker's
    Delight (2013), section 16-1.

    Args:
        column: ``n``, 0 to ``2**bits - 1``.
        row: ``n``, likewise.
        bits: doublings of the curve.
    """
    x, y = column.astype(np.int64), row.astype(np.int64)
    place = np.zeros(len(x), np.int64)
    for bit in reversed(range(bits)):
        side = np.int64(1) << bit
        right, low = (x & side) > 0, (y & side) > 0
        place += side * side * ((3 * right) ^ low)
        turned = ~low
        mirrored = turned & right
        x, y = (
            np.where(mirrored, side - 1 - (x & (side - 1)), x & (side - 1)),
            np.where(mirrored, side - 1 - (y & (side - 1)), y & (side - 1)),
        )
        x, y = np.where(turned, y, x), np.where(turned, x, y)
    return place


def hilbert_order(column: NDArray[np.intp], row: NDArray[np.intp]) -> NDArray[np.intp]:
    """Positions of ``n`` cells in the order of the Hilbert curve through their bounding square."""
    across, down = column - column.min(), row - row.min()
    bits = max(1, int(max(across.max(), down.max())).bit_length())
    return np.argsort(hilbert_index(across, down, bits), kind="stable")
