"""A table of numbers that grows by rows in amortised constant time, and is read by columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


class GrowingTable:
    """Rows of ``columns`` floats.

    Args:
        columns: numbers in a row.
    """

    def __init__(self, columns: int) -> None:
        self._data = np.empty((columns, 64))  # each column in one piece
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def rows(self) -> NDArray[np.float64]:
        """``n x columns``, a view that the next append may invalidate."""
        return self._data[:, : self._count].T

    def append(self, *row: float) -> None:
        """Adds one row."""
        if self._count == self._data.shape[1]:
            self._data = np.concatenate([self._data, np.empty_like(self._data)], axis=1)
        self._data[:, self._count] = row
        self._count += 1
