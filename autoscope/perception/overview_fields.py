"""Where the fields lie in the overview's frames. numpy only."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame


def field_owners(
    frames: Sequence[Frame], x_um: NDArray[np.float64], y_um: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Which frame describes each field: the nearest that holds its centre.

    Args:
        frames: overview frames, stage positions in um.
        x_um: ``n``, centres of the fields.
        y_um: ``n``, likewise.

    Returns:
        ``n`` indices of frames, -1 where there is none.
    """
    owner = np.full(len(x_um), -1, np.intp)
    nearest = np.full(len(x_um), np.inf)
    for index, frame in enumerate(frames):
        dx, dy = x_um - frame.position.x_um, y_um - frame.position.y_um
        inside = (np.abs(dx) <= frame.imaging.hfw_um / 2) & (np.abs(dy) <= frame.imaging.vfw_um / 2)
        distance = np.where(inside, np.hypot(dx, dy), np.inf)
        better = distance < nearest
        owner[better], nearest[better] = index, distance[better]
    return owner


def field_windows(
    frame: Frame,
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    hfw_um: float,
    vfw_um: float,
) -> NDArray[np.float64]:
    """Overview pixels of fields of one size, shifted inside at the frame's edge.

    Args:
        frame: an overview frame.
        x_um: ``n``, centres of fields that the frame holds.
        y_um: ``n``, likewise.
        hfw_um: width of a field.
        vfw_um: height of a field.

    Returns:
        ``n x height x width``.
    """
    pixel_um = frame.imaging.hfw_um / frame.imaging.width_px
    n_rows, n_columns = frame.pixels.shape
    height = int(np.clip(round(vfw_um / pixel_um), 1, n_rows))
    width = int(np.clip(round(hfw_um / pixel_um), 1, n_columns))
    left_um = x_um - frame.position.x_um + (frame.imaging.hfw_um - hfw_um) / 2
    top_um = y_um - frame.position.y_um + (frame.imaging.vfw_um - vfw_um) / 2
    column = np.clip(np.round(left_um / pixel_um).astype(np.intp), 0, n_columns - width)
    row = np.clip(np.round(top_um / pixel_um).astype(np.intp), 0, n_rows - height)
    all_windows = np.lib.stride_tricks.sliding_window_view(frame.pixels, (height, width))
    return np.asarray(all_windows[row, column], np.float64)
