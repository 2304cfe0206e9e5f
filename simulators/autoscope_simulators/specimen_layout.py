"""Names and numbers of the specimen file, shared by its writer and its reader (CONTRACT section 4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SCHEMA = "autoscope.specimen/1"
"""Value of the root attribute ``schema``."""

ROOT_ATTRIBUTES = ("name", "pixel_nm", "synthetic", "source", "licence")
"""Root attributes beside ``schema``."""

CHUNK_PX = 1024
"""Edge of a chunk of a raster."""

SMALLEST_LEVEL_PX = 256
"""A pyramid ends with the first level whose longer edge is not longer than this."""

BLOCK_PX = 64
"""Edge of the blocks whose valid pixels are counted in ``/index/valid_counts``."""

TILE_COLUMNS = ("x0", "y0", "width", "height")
TILE_DTYPE = np.dtype([(name, np.int64) for name in TILE_COLUMNS])
"""A row of ``/tiles``, in pixels."""


def level_path(detector: str, level: int) -> str:
    """Where a level of a detector's pyramid lies; a pixel of level n covers 2^n x 2^n native pixels."""
    return f"/pyramid/{detector}/{level}"


def chunk_of(shape: tuple[int, int]) -> tuple[int, int]:
    """The chunk of a raster of this shape."""
    return min(CHUNK_PX, shape[0]), min(CHUNK_PX, shape[1])


def block_counts(valid: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Valid pixels in every block of ``BLOCK_PX`` x ``BLOCK_PX`` pixels; blocks at the edge are smaller.

    Args:
        valid: ``height x width``.
    """
    rows = np.arange(0, valid.shape[0], BLOCK_PX)
    columns = np.arange(0, valid.shape[1], BLOCK_PX)
    by_rows = np.add.reduceat(valid, rows, axis=0, dtype=np.int32)
    return np.add.reduceat(by_rows, columns, axis=1, dtype=np.int32)
