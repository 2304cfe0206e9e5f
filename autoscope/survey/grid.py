"""The sampling grid: the fields of a region, and what each of them weighs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, Polygon, Rectangle, Region, bounds
from autoscope.survey.hilbert import hilbert_order

EDGE_TOLERANCE = 1e-9
"""Share of a field by which the last field may overrun the region before it is left out (rounding)."""

ValidFraction = Callable[[Rectangle], float]
"""Which share of a rectangle is specimen, 0 to 1."""


@dataclass(frozen=True)  # without slots, for what is worked out once
class FieldGrid:
    """The population that a survey samples: whole reference fields that tile a region.

    Arrays have one entry for each field, in raster order (tile, row, column).

    Attributes:
        x_um: ``n``, centre.
        y_um: ``n``, centre.
        row: ``n``, row in the grid, counted over all tiles.
        column: ``n``, column in the grid, counted over all tiles.
        weight: ``n``, a_i of METHODS equation (1): proportional to the valid area, sums to 1.
        valid_fraction: ``n``, share of the field that is specimen, in (0, 1].
        hfw_um: width of a field.
        vfw_um: height of a field.
        unreachable: how many fields were left out because the stage may not stand at their centre.
    """

    x_um: NDArray[np.float64]
    y_um: NDArray[np.float64]
    row: NDArray[np.intp]
    column: NDArray[np.intp]
    weight: NDArray[np.float64]
    valid_fraction: NDArray[np.float64]
    hfw_um: float
    vfw_um: float
    unreachable: int = 0

    def __len__(self) -> int:
        return len(self.x_um)

    @cached_property
    def path(self) -> NDArray[np.intp]:
        """``n``, all fields along a Hilbert curve: neighbours on it are neighbours on the specimen."""
        return hilbert_order(self.column, self.row)

    def path_through(self, fields: NDArray[np.intp]) -> NDArray[np.intp]:
        """``k`` positions in ``fields`` (``k``, all different) in the order of the path."""
        position = np.full(len(self), -1)
        position[fields] = np.arange(len(fields))
        along = position[self.path]
        return along[along >= 0]

    @cached_property
    def diagonal_um(self) -> float:
        """From the first to the last centre in x and in y."""
        return float(np.hypot(np.ptp(self.x_um), np.ptp(self.y_um)))

    @property
    def valid_area_um2(self) -> float:
        """Specimen area in all fields, um²."""
        return float(self.valid_fraction.sum() * self.hfw_um * self.vfw_um)

    def area_um2(self, field: int) -> float:
        """Specimen area of a field, um²."""
        return float(self.valid_fraction[field]) * self.hfw_um * self.vfw_um

    def rectangle(self, field: int) -> Rectangle:
        """The rectangle of a field."""
        x, y, dx, dy = self.x_um[field], self.y_um[field], self.hfw_um / 2, self.vfw_um / 2
        return Rectangle(float(x - dx), float(y - dy), float(x + dx), float(y + dy))


def lay_grid(
    region: Region,
    tiles: Sequence[Rectangle],
    hfw_um: float,
    vfw_um: float,
    *,
    valid_fraction: ValidFraction | None = None,
    reachable: Callable[[float, float], bool] | None = None,
) -> FieldGrid:
    """Tiles a region with whole fields from its corner of lowest x and y, on each tile by itself.

    Fields that do not lie wholly in the region, or that hold no specimen, do not belong to the
    population. With a polygon, a field belongs when its four corners and its centre lie inside.

    Args:
        region: what the survey reports on.
        tiles: connected pieces of specimen; no field straddles two of them.
        hfw_um: field width.
        vfw_um: field height.
        valid_fraction: which share of a rectangle is specimen; all of it by default.
        reachable: whether the stage may stand at a point; fields elsewhere are left out and counted.

    Raises:
        ConfigurationError: not one whole field fits.
    """
    columns = []
    unreachable = row_offset = column_offset = 0
    for tile in tiles:
        part = bounds(region).intersection(tile)
        if part is None:
            continue
        n_columns = int(np.floor(part.width_um / hfw_um + EDGE_TOLERANCE))
        n_rows = int(np.floor(part.height_um / vfw_um + EDGE_TOLERANCE))
        for row in range(n_rows):
            for column in range(n_columns):
                x = part.x0_um + (column + 0.5) * hfw_um
                y = part.y0_um + (row + 0.5) * vfw_um
                field = Rectangle(x - hfw_um / 2, y - vfw_um / 2, x + hfw_um / 2, y + vfw_um / 2)
                if isinstance(region, Polygon) and not _inside(region, field):
                    continue
                share = 1.0 if valid_fraction is None else valid_fraction(field)
                if share <= 0:
                    continue
                if reachable is not None and not reachable(x, y):
                    unreachable += 1
                    continue
                columns.append((x, y, row + row_offset, column + column_offset, share))
        row_offset, column_offset = row_offset + n_rows, column_offset + n_columns
    if not columns:
        raise ConfigurationError(
            f"not one whole reference field of {hfw_um:g} x {vfw_um:g} um with specimen in it fits the region"
            f" {_name(region)}: choose a smaller imaging.reference.hfw_um or a larger region"
        )
    x_um, y_um, rows, cols, shares = (np.array(values) for values in zip(*columns, strict=True))
    return FieldGrid(
        x_um, y_um, rows.astype(np.intp), cols.astype(np.intp), shares / shares.sum(), shares,
        hfw_um, vfw_um, unreachable,
    )  # fmt: skip


def _inside(region: Polygon, field: Rectangle) -> bool:
    inner = 1 - 1e-9
    (x, y), dx, dy = field.centre, field.width_um / 2 * inner, field.height_um / 2 * inner
    xs = np.array([x - dx, x + dx, x - dx, x + dx, x])
    ys = np.array([y - dy, y - dy, y + dy, y + dy, y])
    return bool(region.contains(xs, ys).all())


def _name(region: Region) -> str:
    box = bounds(region)
    kind = "polygon within " if isinstance(region, Polygon) else ""
    return f"{kind}[{box.x0_um:g}, {box.y0_um:g}, {box.x1_um:g}, {box.y1_um:g}] um"
