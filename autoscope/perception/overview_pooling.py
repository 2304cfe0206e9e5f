"""Means of maps over fields, exact to a fraction of a pixel. numpy only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame


def field_means(
    maps: NDArray[np.floating],
    frame: Frame,
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    hfw_um: float,
    vfw_um: float,
) -> NDArray[np.float64]:
    """Area means of every map over fields of one size.

    Pixels that a field covers in part count in part. A field that reaches over the frame's edge is
    shifted inside; one that is larger than the frame gets the frame's mean.

    Args:
        maps: ``m x height x width``, on the pixels of the frame.
        frame: whose pixels they are on.
        x_um: ``n``, centres of the fields.
        y_um: ``n``, likewise.
        hfw_um: width of a field.
        vfw_um: height of a field.

    Returns:
        ``n x m``.
    """
    _, n_rows, n_columns = maps.shape
    pixel_um = frame.imaging.hfw_um / frame.imaging.width_px
    width, height = min(hfw_um / pixel_um, n_columns), min(vfw_um / pixel_um, n_rows)
    left = (x_um - frame.position.x_um) / pixel_um + (n_columns - width) / 2
    top = (y_um - frame.position.y_um) / pixel_um + (n_rows - height) / 2
    left = np.minimum(np.maximum(left, 0.0), n_columns - width)
    top = np.minimum(np.maximum(top, 0.0), n_rows - height)
    sums = np.zeros((len(maps), n_rows + 1, n_columns + 1))
    np.cumsum(np.cumsum(maps, axis=1, dtype=np.float64), axis=2, out=sums[:, 1:, 1:])
    inside = (
        _at(sums, top + height, left + width) - _at(sums, top, left + width)
        - _at(sums, top + height, left) + _at(sums, top, left)
    )  # fmt: skip
    return np.asarray((inside / (width * height)).T)


def _at(
    sums: NDArray[np.float64], row: NDArray[np.float64], column: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``m x n`` running sums between pixel corners: bilinear, which is exact for constant pixels."""
    top = np.minimum(row.astype(np.intp), sums.shape[1] - 2)
    left = np.minimum(column.astype(np.intp), sums.shape[2] - 2)
    down, right = row - top, column - left
    return np.asarray(
        (1 - down) * ((1 - right) * sums[:, top, left] + right * sums[:, top, left + 1])
        + down * ((1 - right) * sums[:, top + 1, left] + right * sums[:, top + 1, left + 1])
    )
