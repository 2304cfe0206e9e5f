"""Sizes of single features: Feret diameter, aspect, and the place that is deepest inside.

Source: ISO 9276-6:2008 (Feret diameter; aspect from the rectangle of smallest width).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def feret_px(mask: NDArray[np.bool_]) -> tuple[float, float]:
    """Largest Feret diameter in pixels, and the aspect of the rectangle of smallest width.

    Pixels are squares, not points: one pixel has a diameter of the root of two, and an aspect of one.

    Args:
        mask: ``height x width``, at least one pixel set.
    """
    from scipy.spatial import ConvexHull

    rows, columns = np.nonzero(mask)
    corners = np.concatenate([np.stack([rows + dy, columns + dx], axis=1) for dy in (0, 1) for dx in (0, 1)])
    points = corners.astype(float)
    hull = points[ConvexHull(points).vertices]
    longest = float(np.sqrt(((hull[:, None] - hull[None]) ** 2).sum(axis=2)).max())
    edges = np.roll(hull, -1, axis=0) - hull
    along = edges / np.hypot(edges[:, 0], edges[:, 1])[:, None]
    across = np.stack([-along[:, 1], along[:, 0]], axis=1)
    widths, lengths = (np.ptp(hull @ way.T, axis=0) for way in (across, along))
    narrowest = int(np.argmin(widths))
    sides = sorted((float(widths[narrowest]), float(lengths[narrowest])))
    return longest, sides[1] / sides[0]


def deepest_px(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Row and column of the pixel that lies deepest inside; of several the one nearest to the centroid.

    Args:
        mask: ``height x width``, at least one pixel set.
    """
    from scipy.ndimage import distance_transform_edt

    depth = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    rows, columns = np.nonzero(depth >= depth.max() - 1e-9)
    all_rows, all_columns = np.nonzero(mask)
    away = (rows - all_rows.mean()) ** 2 + (columns - all_columns.mean()) ** 2
    best = int(np.argmin(away))
    return int(rows[best]), int(columns[best])
