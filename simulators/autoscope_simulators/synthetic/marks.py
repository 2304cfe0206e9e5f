"""Marks of preparation: polishing scratches and small round pits; and the last step to grey levels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autoscope_simulators.synthetic.canvas import Canvas, FloatImage, Window

DARKEST = 20.0
BRIGHTEST = 235.0
"""Grey levels of a noise-free micrograph stay between these, so that the detector does not saturate."""


@dataclass(frozen=True, slots=True)
class Scratches:
    """Straight fine scratches of Gaussian profile.

    Attributes:
        x_px: ``n``, middle.
        y_px: ``n``, middle.
        angle: ``n``, radians from x.
        half_length_px: ``n``.
        depth: ``n``, grey levels that are added (negative: darker).
        sigma_px: ``n``, half-width.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    angle: NDArray[np.float64]
    half_length_px: NDArray[np.float64]
    depth: NDArray[np.float64]
    sigma_px: NDArray[np.float64]

    @classmethod
    def draw(
        cls,
        rng: np.random.Generator,
        canvas: Canvas,
        *,
        per_mm2: float,
        length_um: float,
        depth: float,
        width_um: float,
    ) -> Scratches:
        """Scratches of the last polishing step: most of them along one direction, with a few strays.

        Args:
            rng: source of randomness.
            canvas: what to cover.
            per_mm2: mean number for each square millimetre.
            length_um: median length.
            depth: standard deviation of their grey level against the surface.
            width_um: full width.
        """
        count = int(rng.poisson(per_mm2 * canvas.area_um2 * 1e-6))
        stray = rng.random(count) < 0.3
        angle = np.where(
            stray, rng.uniform(0, math.pi, count), rng.normal(rng.uniform(0, math.pi), 0.05, count)
        )
        return cls(
            x_px=rng.uniform(0, canvas.width, count),
            y_px=rng.uniform(0, canvas.height, count),
            angle=angle,
            half_length_px=canvas.px(length_um) / 2 * rng.lognormal(0, 0.6, count),
            depth=rng.normal(-0.3 * depth, depth, count),
            sigma_px=np.maximum(canvas.px(width_um) / 2.35 * rng.lognormal(0, 0.3, count), 0.4),
        )

    def add_to(self, image: FloatImage, window: Window) -> None:
        """Draws them into the image of a window."""
        for i in window.reached_by(self.x_px, self.y_px, self.half_length_px):
            cosine, sine = math.cos(self.angle[i]), math.sin(self.angle[i])
            if abs(cosine) >= abs(sine):
                self._draw_along(image, int(i), window, sine / cosine, abs(cosine))
            else:
                turned = Window(window.column, window.row, window.width, window.height)
                self._draw_along(image.T, int(i), turned, cosine / sine, abs(sine), turned=True)

    def _draw_along(
        self, image: FloatImage, i: int, window: Window, slope: float, along: float, *, turned: bool = False
    ) -> None:
        """Draws scratch i column by column; ``turned``: x and y have changed places."""
        x0, y0 = (self.y_px[i], self.x_px[i]) if turned else (self.x_px[i], self.y_px[i])
        reach = self.half_length_px[i] * along
        first, last = (
            max(math.ceil(x0 - reach), window.column),
            min(int(x0 + reach) + 1, window.column + window.width),
        )
        columns = np.arange(first, last)
        centre = y0 + slope * (columns - x0)
        fade = 1 - np.square((columns - x0) / reach)
        nearest = np.rint(centre).astype(np.intp)
        half = math.ceil(2.5 * self.sigma_px[i])
        for offset in range(-half, half + 1):
            rows = nearest + offset - window.row
            inside = (rows >= 0) & (rows < window.height)
            profile = np.exp(-0.5 * np.square((nearest + offset - centre) * along / self.sigma_px[i]))
            values = (self.depth[i] * fade * profile)[inside]
            image[rows[inside], columns[inside] - window.column] += values.astype(np.float32)


@dataclass(frozen=True, slots=True)
class Pits:
    """Small round etch pits.

    Attributes:
        x_px: ``n``, centre.
        y_px: ``n``, centre.
        radius_px: ``n``.
        depth: ``n``, grey levels by which the centre is darker.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    radius_px: NDArray[np.float64]
    depth: NDArray[np.float64]

    @classmethod
    def draw(
        cls, rng: np.random.Generator, canvas: Canvas, *, per_mm2: float, radius_um: float, depth: float
    ) -> Pits:
        """Pits at random places, of lognormal radius about the median ``radius_um``."""
        count = int(rng.poisson(per_mm2 * canvas.area_um2 * 1e-6))
        return cls(
            x_px=rng.uniform(0, canvas.width, count),
            y_px=rng.uniform(0, canvas.height, count),
            radius_px=np.maximum(canvas.px(radius_um) * rng.lognormal(0, 0.4, count), 0.5),
            depth=depth * rng.uniform(0.3, 1, count),
        )

    def add_to(self, image: FloatImage, window: Window) -> None:
        """Darkens the image of a window."""
        for i in window.reached_by(self.x_px, self.y_px, 3 * self.radius_px):
            rows, columns = window.clip(self.x_px[i], self.y_px[i], 3 * self.radius_px[i])
            dy = window.rows[rows, None] - self.y_px[i]
            dx = window.columns[None, columns] - self.x_px[i]
            square = (dx * dx + dy * dy) / self.radius_px[i] ** 2
            image[rows, columns] -= (self.depth[i] * np.exp(-(square**2))).astype(np.float32)


def to_grey(image: FloatImage, point_spread_px: float) -> NDArray[np.uint8]:
    """The image through the least point spread of a probe, as uint8 between `DARKEST` and `BRIGHTEST`."""
    seen = ndimage.gaussian_filter(image, point_spread_px, truncate=3)
    return np.asarray(np.rint(np.clip(seen, DARKEST, BRIGHTEST)), dtype=np.uint8)
