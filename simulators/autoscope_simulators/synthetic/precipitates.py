"""Shapes and places of gamma-prime precipitates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autoscope_simulators.synthetic.canvas import Canvas, FloatImage, Window
from autoscope_simulators.synthetic.noise import SmoothField
from autoscope_simulators.synthetic.tessellation import Tessellation, packed_discs

_ANGLES = 512
_FAR = np.float32(-1e6)
_ROUNDING_PX = 4.5


class Blocks:
    """Secondary precipitates: lobed blocks that grew until channels of even width were left between them.

    A pixel lies in a precipitate where the precipitate's level function ``radius(angle) - distance`` is
    positive and exceeds that of every other precipitate by the width of a channel.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        canvas: Canvas,
        *,
        block_um: float,
        sigma: float,
        swelling: float,
        channel_um: float,
        lobes: float,
        crystal_um: float,
    ) -> None:
        """Draws places and outlines; lengths in um, the rest as in ``SuperalloyStyle``."""
        discs = packed_discs(rng, canvas, canvas.px(block_um), sigma, fill=0.85)
        crystals = Tessellation(packed_discs(rng, canvas, canvas.px(crystal_um), 0.3))
        axis = rng.uniform(0, math.pi / 2, len(crystals))[crystals.owner(discs.x_px, discs.y_px)]
        depleted = SmoothField(rng, canvas, canvas.px(2.8)).at(discs.x_px, discs.y_px)
        keep = rng.random(len(discs)) > 0.4 / (1 + np.exp(-3 * (depleted - 1.3)))
        self._x_px, self._y_px = discs.x_px[keep], discs.y_px[keep]
        self._radius_px = discs.radius_px[keep] * swelling
        # small precipitates are compact, large ones have split and grown arms (Ricks et al., Acta Metall. 31)
        size = self._radius_px / self._radius_px.mean()
        split = lobes * np.clip(1.3 * (size - 0.5), 0, 1)
        self._outline = _outlines(rng, axis[keep] + rng.normal(0, 0.12, int(keep.sum())), split)
        self._reach_px = self._radius_px * self._outline.max(axis=1) + 2
        self._channel_px = canvas.px(channel_um)

    def draw(self, window: Window) -> NDArray[np.bool_]:
        """Where there is secondary gamma-prime: ``height x width``."""
        best = np.full((window.height, window.width), _FAR, dtype=np.float32)
        second = best.copy()
        for i in window.reached_by(self._x_px, self._y_px, self._reach_px):
            part = window.clip(self._x_px[i], self._y_px[i], self._reach_px[i])
            level = self._level(int(i), window, part)
            top = best[part]
            np.maximum(second[part], np.minimum(level, top), out=second[part])
            np.maximum(top, level, out=top)
        inside = (best > 0) & (best - second > self._channel_px)
        rounded = ndimage.gaussian_filter(inside.astype(np.float32), _ROUNDING_PX, truncate=3)
        return np.asarray(rounded > 0.5, dtype=np.bool_)

    def _level(self, i: int, window: Window, part: tuple[slice, slice]) -> FloatImage:
        dy = (window.rows[part[0], None] - self._y_px[i]).astype(np.float32)
        dx = (window.columns[None, part[1]] - self._x_px[i]).astype(np.float32)
        turn = np.arctan2(dy, dx) * np.float32(_ANGLES / (2 * math.pi))
        radius = self._outline[i].take(turn.astype(np.int32), mode="wrap")
        result: FloatImage = radius * np.float32(self._radius_px[i]) - np.sqrt(dx * dx + dy * dy)
        return result


def _outlines(rng: np.random.Generator, axis: NDArray[np.float64], split: NDArray[np.float64]) -> FloatImage:
    """Outlines in units of the disc radius: ``n x _ANGLES``.

    A rounded square with the crystal's axes, stretched at random; ``split`` deepens the bays between its
    arms and adds narrow clefts.
    """
    count = len(axis)
    turn = np.arange(_ANGLES) * (2 * math.pi / _ANGLES)
    angle = turn[None, :] - axis[:, None]
    outline = 1 + 0.05 * np.cos(4 * (angle - math.pi / 4))
    outline += rng.normal(0, 0.2, (count, 1)) * np.cos(2 * angle)
    outline += rng.normal(0, 0.12, (count, 1)) * np.cos(3 * angle + rng.uniform(0, 6.3, (count, 1)))
    arms = rng.integers(3, 8, (count, 1))
    bays = np.abs(np.sin(arms / 2 * (angle + rng.uniform(0, 6.3, (count, 1)))))
    outline += 0.7 * split[:, None] * rng.uniform(0.3, 1, (count, 1)) * (np.sqrt(bays) - 0.75)
    outline += rng.normal(0, 0.06, (count, 1)) * np.cos(5 * angle + rng.uniform(0, 6.3, (count, 1)))
    for _ in range(3):
        where = rng.choice([0, 0.5, 1, 1.5], (count, 1)) * math.pi + rng.normal(0, 0.25, (count, 1))
        apart = (angle - where + math.pi) % (2 * math.pi) - math.pi
        depth = 0.9 * split[:, None] * rng.uniform(0.3, 1, (count, 1)) * (rng.random((count, 1)) < 0.4)
        outline -= depth * np.exp(-np.square(apart / rng.uniform(0.08, 0.16, (count, 1))))
    return np.maximum(outline, 0.15).astype(np.float32)


@dataclass(frozen=True, slots=True)
class TertiaryStyle:
    """Sizes and places of tertiary precipitates.

    Attributes:
        diameter_um: median diameter.
        sigma: standard deviation of its logarithm.
        crowding: distance of neighbours in units of the diameter.
        clearance_um: how far from the secondary precipitates they keep: those have drained the matrix.
        presence: share of the free places that hold one.
    """

    diameter_um: float
    sigma: float
    crowding: float
    clearance_um: float
    presence: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> TertiaryStyle:
        """Tertiary precipitates of one cooling rate."""
        return cls(
            diameter_um=rng.uniform(0.08, 0.13),
            sigma=rng.uniform(0.2, 0.32),
            crowding=rng.uniform(1.4, 1.8),
            clearance_um=rng.uniform(0.045, 0.08),
            presence=rng.uniform(0.6, 0.85),
        )


def stamp_tertiary(
    rng: np.random.Generator, canvas: Canvas, style: TertiaryStyle, classes: NDArray[np.uint8]
) -> None:
    """Writes tertiary precipitates (class 2) into the free matrix (class 0) of a class map, in place.

    They lie on a strongly jittered grid, in patches, away from the secondary precipitates, and never
    touch one another.
    """
    pitch = canvas.px(style.diameter_um) * style.crowding
    rows, columns = int(canvas.height / pitch), int(canvas.width / pitch)
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    place = (grid + rng.uniform(0.1, 0.9, grid.shape)) * pitch
    patches = SmoothField(rng, canvas, canvas.px(1.5)).at(place[:, 0], place[:, 1])
    radius = canvas.px(style.diameter_um) / 2 * np.exp(style.sigma * rng.standard_normal(len(place)))
    keep = (rng.random(len(place)) < style.presence) & (patches > -1.1)
    clearance = canvas.px(style.clearance_um)
    for (x, y), r in zip(place[keep], radius[keep], strict=True):
        _stamp_disc(classes, float(x), float(y), float(r), clearance)


def _stamp_disc(classes: NDArray[np.uint8], x: float, y: float, radius: float, clearance: float) -> None:
    """One round precipitate, unless something lies within the clearance or another one within a pixel."""
    reach = math.ceil(radius + max(clearance, 2))
    row, column = round(y), round(x)
    if row < reach or column < reach:
        return
    target = classes[row - reach : row + reach + 1, column - reach : column + reach + 1]
    if target.shape != (2 * reach + 1, 2 * reach + 1) or (target == 1).any():
        return
    offset = np.arange(-reach, reach + 1, dtype=np.float64)
    square = np.square(offset + row - y)[:, None] + np.square(offset + column - x)[None, :]
    if target[square <= (radius + 1.5) ** 2].any():
        return
    target[square <= radius**2] = 2
