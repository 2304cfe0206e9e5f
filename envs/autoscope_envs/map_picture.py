"""The picture of an episode: every field of the region, as predicted or as measured."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoscope_envs.population import Population

CELL_PX = 6
MEASURED = np.array([0.90, 0.62, 0.0])
"""Colour of a measured field of the highest value (orange of Okabe & Ito, 2008)."""
HERE = np.array([0.0, 0.45, 0.70])
"""Frame of the field that is being visited (blue of the same palette)."""


def map_picture(population: Population, seen: Sequence[int], here: int | None) -> NDArray[np.uint8]:
    """Draws the first target: predicted values in grey, measured ones in orange, the present field framed.

    Args:
        population: the fields.
        seen: fields that were measured.
        here: field of the frame in flight; None where there is none.

    Returns:
        ``height x width x 3``, ``CELL_PX`` pixels a field.
    """
    grid = population.grid
    rows, columns = int(grid.row.max()) + 1, int(grid.column.max()) + 1
    highest = max(float(population.values[0].max()), 1e-9)
    cells = np.zeros((rows, columns, 3))
    grey = 0.15 + 0.7 * np.clip(population.prediction.value[0] / highest, 0, 1)
    cells[grid.row, grid.column] = grey[:, None]
    done = np.asarray(seen, np.intp)
    level = 0.25 + 0.75 * np.clip(population.values[0, done] / highest, 0, 1)
    cells[grid.row[done], grid.column[done]] = level[:, None] * MEASURED
    picture = np.kron(cells, np.ones((CELL_PX, CELL_PX, 1)))
    if here is not None:
        top, left = int(grid.row[here]) * CELL_PX, int(grid.column[here]) * CELL_PX
        framed = picture[top : top + CELL_PX, left : left + CELL_PX]
        framed[[0, -1], :] = HERE
        framed[:, [0, -1]] = HERE
    return np.asarray(np.rint(255 * picture), np.uint8)
