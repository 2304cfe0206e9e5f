"""Where the stage stands, and what it takes to go on from there."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autoscope.survey.grid import FieldGrid


class Way:
    """The stage's way over the fields of a grid.

    Args:
        grid: the fields.
        travel_s: seconds for stage moves of these lengths (um, array in and out).
        visit_s: seconds of a visit apart from travel.
        start_xy_um: where the stage stands at first.
    """

    def __init__(
        self,
        grid: FieldGrid,
        travel_s: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        visit_s: float,
        start_xy_um: tuple[float, float],
    ) -> None:
        self._grid, self._travel_s, self._visit_s = grid, travel_s, visit_s
        self.xy_um = start_xy_um

    def seconds(self, fields: NDArray[np.intp]) -> NDArray[np.float64]:
        """Of a visit to each of the fields from here, travel included."""
        dx, dy = self._grid.x_um.take(fields), self._grid.y_um.take(fields)
        dx -= self.xy_um[0]
        dy -= self.xy_um[1]
        dx *= dx
        dy *= dy
        dx += dy
        return self._travel_s(np.sqrt(dx, out=dx)) + self._visit_s

    def visit(self, field: int) -> float:
        """Goes to a field; returns what :meth:`seconds` says of it."""
        x_um, y_um = float(self._grid.x_um[field]), float(self._grid.y_um[field])
        dx, dy = x_um - self.xy_um[0], y_um - self.xy_um[1]
        self.xy_um = x_um, y_um
        return float(self._travel_s(np.array([math.sqrt(dx * dx + dy * dy)]))[0]) + self._visit_s
