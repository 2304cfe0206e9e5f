"""The raster that a synthetic specimen is drawn on, and the blocks in which it is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError

CELL_PX = 16
"""Blocks and windows start and end on multiples of this."""
HALO_PX = 2 * CELL_PX
"""Margin around a block, so that no filter narrower than this leaves a seam."""
BLOCK_PX = 1024
"""Side of a block without its halo."""
SMALLEST_PX = 64
LARGEST_PX = 65536

FloatImage = NDArray[np.float32]
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of pixels; it may reach beyond the canvas.

    Attributes:
        row: first row, may be negative.
        column: first column, may be negative.
        height: px.
        width: px.
    """

    row: int
    column: int
    height: int
    width: int

    @property
    def rows(self) -> NDArray[np.intp]:
        """``height``, row numbers."""
        return np.arange(self.row, self.row + self.height)

    @property
    def columns(self) -> NDArray[np.intp]:
        """``width``, column numbers."""
        return np.arange(self.column, self.column + self.width)

    def reached_by(
        self, x_px: NDArray[np.float64], y_px: NDArray[np.float64], reach_px: NDArray[np.float64]
    ) -> NDArray[np.intp]:
        """Which of the objects at ``(x, y)`` with the given reach touch the window: their indices."""
        near_x = (x_px + reach_px >= self.column) & (x_px - reach_px < self.column + self.width)
        near_y = (y_px + reach_px >= self.row) & (y_px - reach_px < self.row + self.height)
        return np.flatnonzero(near_x & near_y)

    def clip(
        self, x_px: float, y_px: float, reach_x_px: float, reach_y_px: float | None = None
    ) -> tuple[slice, slice]:
        """The part of the window around a point, as slices into an array of the window's shape."""
        reach_y_px = reach_x_px if reach_y_px is None else reach_y_px
        top = max(0, math.floor(y_px - reach_y_px) - self.row)
        left = max(0, math.floor(x_px - reach_x_px) - self.column)
        bottom = max(0, min(self.height, math.ceil(y_px + reach_y_px) + 1 - self.row))
        right = max(0, min(self.width, math.ceil(x_px + reach_x_px) + 1 - self.column))
        return slice(top, bottom), slice(left, right)


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a canvas.

    Attributes:
        window: the block with its halo, aligned to `CELL_PX`.
        canvas_part: where the block lies on the canvas, without its halo.
        window_part: the same pixels in an array of the window's shape.
    """

    window: Window
    canvas_part: tuple[slice, slice]
    window_part: tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Canvas:
    """A raster of ``height x width`` pixels.

    Attributes:
        height: px.
        width: px.
        pixel_nm: side of a pixel, nm.
    """

    height: int
    width: int
    pixel_nm: float

    @classmethod
    def of_size(cls, size_um: tuple[float, float], pixel_nm: float) -> Canvas:
        """The canvas of ``(width, height)`` um, rounded to whole pixels.

        Raises:
            ConfigurationError: if a side is not positive and finite, or too small or too large to draw.
        """
        problems = []
        sides_px = []
        for name, side_um in zip(("width", "height"), size_um, strict=True):
            low_um, high_um = SMALLEST_PX * pixel_nm / 1000, LARGEST_PX * pixel_nm / 1000
            if not (math.isfinite(side_um) and low_um <= side_um <= high_um):
                problems.append(
                    f"size_um: the {name} of the synthetic specimen is {side_um:g} um and must lie in"
                    f" [{low_um:g}, {high_um:g}] um (pixels of {pixel_nm:g} nm); choose another size"
                )
            else:
                sides_px.append(round(side_um * 1000 / pixel_nm))
        if problems:
            raise ConfigurationError(*problems)
        width, height = sides_px
        return cls(height, width, pixel_nm)

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` px."""
        return self.height, self.width

    @property
    def area_um2(self) -> float:
        """Area, um²."""
        return self.height * self.width * (self.pixel_nm / 1000) ** 2

    def px(self, length_um: float) -> float:
        """A length in pixels."""
        return length_um * 1000 / self.pixel_nm

    def blocks(self, progress: Progress) -> Iterator[Block]:
        """All blocks in raster order; ``progress`` hears the share that is done after each."""
        starts = [(r, c) for r in range(0, self.height, BLOCK_PX) for c in range(0, self.width, BLOCK_PX)]
        for done, (row, column) in enumerate(starts, start=1):
            yield self._block(row, column)
            progress(done / len(starts))

    def _block(self, row: int, column: int) -> Block:
        height, width = min(BLOCK_PX, self.height - row), min(BLOCK_PX, self.width - column)
        padded_height = -(-height // CELL_PX) * CELL_PX + 2 * HALO_PX
        padded_width = -(-width // CELL_PX) * CELL_PX + 2 * HALO_PX
        return Block(
            window=Window(row - HALO_PX, column - HALO_PX, padded_height, padded_width),
            canvas_part=(slice(row, row + height), slice(column, column + width)),
            window_part=(slice(HALO_PX, HALO_PX + height), slice(HALO_PX, HALO_PX + width)),
        )


def cut(image: NDArray[np.generic], window: Window) -> NDArray[np.generic]:
    """The window of a canvas-sized array; beyond the canvas the nearest pixel is repeated."""
    rows = np.clip(window.rows, 0, image.shape[0] - 1)
    columns = np.clip(window.columns, 0, image.shape[1] - 1)
    return image[np.ix_(rows, columns)]


def part_of(progress: Progress, start: float, end: float) -> Progress:
    """A progress that runs from 0 to 1 while ``progress`` runs from ``start`` to ``end``."""
    return lambda share: progress(start + (end - start) * share)
