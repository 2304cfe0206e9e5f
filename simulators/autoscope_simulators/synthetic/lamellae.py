"""The lamellar inside of pearlite: colonies of parallel cementite plates."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from autoscope_simulators.synthetic.canvas import Canvas, FloatImage, Window
from autoscope_simulators.synthetic.noise import SmoothField
from autoscope_simulators.synthetic.tessellation import Tessellation, packed_discs

CEMENTITE_SHARE = 0.26
"""Apparent share of a period that etches as cementite (its volume share is 0.12; etching widens it)."""
_HARMONICS = 3
_PIXEL_BLUR_PX = 0.55
_MOST_OBLIQUE = 0.3
"""Sine of the flattest angle drawn: flatter plates break up into short pieces and are not seen as plates."""
_PERSISTENT = 2.2
"""Height of the constant against the random part of the complex order parameter: the higher, the fewer
lamellae end inside a colony."""


class Lamellae:
    """Plates of cementite in colonies; each colony has its own direction, spacing and grey level."""

    def __init__(
        self, rng: np.random.Generator, canvas: Canvas, *, colony_um: float, spacing_um: float, grains: int
    ) -> None:
        """Draws the colonies.

        Args:
            rng: source of randomness.
            canvas: what to cover.
            colony_um: mean colony diameter, um.
            spacing_um: true interlamellar spacing, um; the apparent one is larger by one over the sine of
                the angle between plates and surface, which is isotropic (Vander Voort, Metallography).
            grains: how many grains there are; a grain boundary also ends a colony.
        """
        self._colonies = Tessellation(packed_discs(rng, canvas, canvas.px(colony_um), 0.35))
        count = len(self._colonies)
        self._direction = rng.uniform(0, math.pi, count).astype(np.float32)
        self._turn = rng.uniform(0, math.pi, grains).astype(np.float32)
        oblique = np.sqrt(1 - np.square(rng.uniform(0, 1, count)))
        true_px = canvas.px(spacing_um) * rng.lognormal(0, 0.12, count)
        self._spacing_px = (true_px / (_MOST_OBLIQUE + (1 - _MOST_OBLIQUE) * oblique)).astype(np.float32)
        self._tone = rng.standard_normal(count).astype(np.float32)
        self._bend = SmoothField(rng, canvas, canvas.px(2.5))
        self._waves = SmoothField(rng, canvas, canvas.px(0.9))
        self._order = (SmoothField(rng, canvas, canvas.px(1.3)), SmoothField(rng, canvas, canvas.px(1.3)))

    def draw(
        self, window: Window, where: NDArray[np.intp], grain: NDArray[np.uint32]
    ) -> tuple[FloatImage, FloatImage, FloatImage]:
        """The lamellae at some pixels of a window.

        Args:
            window: where.
            where: ``n``, flat indices of the pearlite pixels in the window.
            grain: ``n``, the grain of each, counted from 0.

        Returns:
            cementite: ``n``, how much cementite the probe sees, about 0 to 1, mean `CEMENTITE_SHARE`.
            fineness: ``n``, 0 where the plates are resolved, 1 where they are far below a pixel.
            tone: ``n``, the colony's grey level, standard normal.
        """
        colony = self._colonies.labels(window).ravel()[where]
        spacing = self._spacing_px[colony]
        angle = self._direction[colony] + self._turn[grain]
        row, column = np.divmod(where, window.width)
        along = (column + window.column) * np.cos(angle) + (row + window.row) * np.sin(angle)
        phase = (2 * math.pi / spacing * along).astype(np.float32)
        phase += 1.8 * self._bend.window(window).ravel()[where]
        phase += 0.3 * self._waves.window(window).ravel()[where]
        real, imaginary = (field.window(window).ravel()[where] for field in self._order)
        # zeros of the order parameter are edge dislocations of the plates: one lamella more on one side
        phase += np.arctan2(imaginary, real + np.float32(_PERSISTENT))
        visible = np.exp(-2 * np.square(math.pi * _PIXEL_BLUR_PX / spacing))
        return _profile(phase, visible), 1 - visible, self._tone[colony]


def _profile(phase: FloatImage, visible: FloatImage) -> FloatImage:
    """A pulse train of duty `CEMENTITE_SHARE` by its first harmonics, each damped by the pixel's blur."""
    cosine = np.cos(phase)
    previous, current = np.ones_like(cosine), cosine
    value = np.full_like(cosine, CEMENTITE_SHARE)
    for order in range(1, _HARMONICS + 1):
        weight = 2 * math.sin(math.pi * order * CEMENTITE_SHARE) / (math.pi * order)
        value += np.float32(weight) * current * visible ** np.float32(order * order)
        previous, current = current, 2 * cosine * current - previous
    return value
