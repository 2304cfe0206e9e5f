"""Where the overview's frames lie."""

from __future__ import annotations

import math

import numpy as np

from autoscope.core import ConfigurationError, ImagingSettings, Rectangle, StagePosition
from autoscope.microscope import Envelope
from autoscope.survey import FieldGrid


def overview_tiles(
    grid: FieldGrid, overview: ImagingSettings, envelope: Envelope
) -> tuple[StagePosition, ...]:
    """Centres of the overview frames that cover the grid, in serpentine order.

    The frames are spread evenly over the rectangle around all fields. A frame is left out when it shows
    no field, or when the stage may not stand at its centre.

    Raises:
        ConfigurationError: the overview's frame is smaller than a reference field.
    """
    if overview.hfw_um < grid.hfw_um or overview.vfw_um < grid.vfw_um:
        raise ConfigurationError(
            f"imaging.overview of {overview.hfw_um:g} x {overview.vfw_um:g} um is smaller than a reference"
            f" field of {grid.hfw_um:g} x {grid.vfw_um:g} um"
        )
    box = _box(grid)
    tiles = []
    for number, y in enumerate(_centres(box.y0_um, box.y1_um, overview.vfw_um)):
        row = list(_centres(box.x0_um, box.x1_um, overview.hfw_um))
        tiles += [(x, y) for x in (row if number % 2 == 0 else reversed(row))]
    return tuple(
        StagePosition(x, y)
        for x, y in tiles
        if envelope.allows(x, y) and _shows_a_field(grid, overview, x, y)
    )


def _box(grid: FieldGrid) -> Rectangle:
    half_x, half_y = grid.hfw_um / 2, grid.vfw_um / 2
    return Rectangle(
        float(grid.x_um.min() - half_x), float(grid.y_um.min() - half_y),
        float(grid.x_um.max() + half_x), float(grid.y_um.max() + half_y),
    )  # fmt: skip


def _centres(low: float, high: float, extent: float) -> tuple[float, ...]:
    count = max(1, math.ceil((high - low) / extent - 1e-9))
    if count == 1:
        return ((low + high) / 2,)
    first, last = low + extent / 2, high - extent / 2
    return tuple(float(value) for value in np.linspace(first, last, count))


def _shows_a_field(grid: FieldGrid, overview: ImagingSettings, x_um: float, y_um: float) -> bool:
    near_x = np.abs(grid.x_um - x_um) <= overview.hfw_um / 2
    near_y = np.abs(grid.y_um - y_um) <= overview.vfw_um / 2
    return bool((near_x & near_y).any())
