"""Nickel superalloy: secondary gamma-prime in lobed blocks, tertiary gamma-prime in the channels, etched."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autoscope.core import component_rng
from autoscope_simulators.specimen_data import SpecimenData
from autoscope_simulators.synthetic.canvas import Block, Canvas, FloatImage, Progress, cut, part_of
from autoscope_simulators.synthetic.marks import Scratches, to_grey
from autoscope_simulators.synthetic.noise import SmoothField, Texture
from autoscope_simulators.synthetic.precipitates import Blocks, TertiaryStyle, stamp_tertiary

PIXEL_NM = 15.0
SIZE_UM = (60.0, 60.0)
CLASS_NAMES = ("matrix", "secondary", "tertiary")


@dataclass(frozen=True, slots=True)
class SuperalloyStyle:
    """What differs from one alloy, heat treatment and preparation to the next. Grey levels are of 255.

    Attributes:
        block_um: mean diameter of the cells that the secondary precipitates grow in.
        block_sigma: of its logarithm.
        swelling: how far the precipitates outgrow their cell's disc: sets the area fraction.
        channel_um: narrowest channel between two precipitates.
        lobes: how deep the outline is lobed, 0 to 1.
        crystal_um: mean grain diameter; the blocks of a grain are aligned with its axes.
        tertiary: sizes and places of the tertiary precipitates.
        matrix_grey: level of the matrix.
        secondary_grey: how much darker the inside of a secondary precipitate is.
        tertiary_grey: how much darker a tertiary precipitate is.
        rim_grey: how much brighter the matrix is along a precipitate's edge.
        rim_um: how far that reaches.
        relief_grey: shading of the relief, as if lit from the side.
        light: direction it is lit from, radians.
        unevenness: relative standard deviation of the level over the specimen.
    """

    block_um: float
    block_sigma: float
    swelling: float
    channel_um: float
    lobes: float
    crystal_um: float
    tertiary: TertiaryStyle
    matrix_grey: float
    secondary_grey: float
    tertiary_grey: float
    rim_grey: float
    rim_um: float
    relief_grey: float
    light: float
    unevenness: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> SuperalloyStyle:
        """An alloy; a quarter of them are deeply etched, of high contrast."""
        deep = rng.random() < 0.25
        block_um = rng.uniform(1.0, 1.6)
        return cls(
            block_um=block_um,
            block_sigma=rng.uniform(0.24, 0.36),
            swelling=rng.uniform(0.9, 1.0),
            channel_um=0.06 + rng.uniform(0.1, 0.15) * block_um,
            lobes=rng.uniform(0.5, 1.0),
            crystal_um=rng.uniform(15, 40),
            tertiary=TertiaryStyle.draw(rng),
            matrix_grey=rng.uniform(145, 170) if deep else rng.uniform(120, 170),
            secondary_grey=rng.uniform(70, 95) if deep else rng.uniform(14, 32),
            tertiary_grey=rng.uniform(45, 70) if deep else rng.uniform(24, 40),
            rim_grey=rng.uniform(35, 55) if deep else rng.uniform(10, 22),
            rim_um=rng.uniform(0.055, 0.095),
            relief_grey=rng.uniform(0, 10) if rng.random() < 0.5 else rng.uniform(10, 30),
            light=rng.uniform(0, 2 * math.pi),
            unevenness=rng.uniform(0.01, 0.03),
        )


class Superalloy:
    """One superalloy specimen; draw it block by block."""

    def __init__(self, seed: int, canvas: Canvas) -> None:
        """Draws everything that is not a pixel."""
        self._seed, self.canvas = seed, canvas
        self.style = SuperalloyStyle.draw(self._rng("style"))
        style, rng, px = self.style, self._rng("surface"), canvas.px
        self._blocks = Blocks(
            self._rng("secondary"),
            canvas,
            block_um=style.block_um,
            sigma=style.block_sigma,
            swelling=style.swelling,
            channel_um=style.channel_um,
            lobes=style.lobes,
            crystal_um=style.crystal_um,
        )
        self._uneven = SmoothField(rng, canvas, px(6))
        self._inside, self._mottle = SmoothField(rng, canvas, px(0.14)), SmoothField(rng, canvas, px(0.5))
        self._fine = Texture(rng, 0.8)
        self._scratches = Scratches.draw(
            rng, canvas, per_mm2=rng.uniform(0.02, 0.08) * 1e6, length_um=4, depth=6, width_um=0.03
        )

    def _rng(self, part: str) -> np.random.Generator:
        return component_rng(self._seed, f"synthetic.superalloy.{part}")

    def make(self, progress: Progress) -> SpecimenData:
        """Draws the whole specimen."""
        classes = np.empty(self.canvas.shape, dtype=np.uint8)
        for block in self.canvas.blocks(part_of(progress, 0.0, 0.6)):
            classes[block.canvas_part] = self._blocks.draw(block.window)[block.window_part]
        stamp_tertiary(self._rng("tertiary"), self.canvas, self.style.tertiary, classes)
        progress(0.7)
        bse = np.empty(self.canvas.shape, dtype=np.uint8)
        for block in self.canvas.blocks(part_of(progress, 0.7, 1.0)):
            bse[block.canvas_part] = self._shade(block, classes)
        return SpecimenData(
            name=f"synthetic superalloy, seed {self._seed}",
            pixel_nm=self.canvas.pixel_nm,
            synthetic=True,
            source=f"autoscope synthetic specimen 'superalloy', seed {self._seed}",
            licence="CC0-1.0",
            detectors={"bse": bse},
            classes=classes,
            class_names=CLASS_NAMES,
        )

    def _shade(self, block: Block, classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        window, style = block.window, self.style
        labels = np.asarray(cut(classes, window), dtype=np.uint8)
        secondary = _blur((labels == 1).astype(np.float32), 1.2)
        tertiary = _blur((labels == 2).astype(np.float32), 0.8)
        image = np.full(labels.shape, style.matrix_grey, dtype=np.float32)
        image += 1.3 * self._mottle.window(window) + 1.5 * self._fine.window(window)
        image += self._rims(secondary, tertiary)
        inside = style.secondary_grey * (1 + 0.06 * self._inside.window(window))
        image -= inside * secondary + style.tertiary_grey * tertiary
        self._scratches.add_to(image, window)
        image *= 1 + style.unevenness * self._uneven.window(window)
        return to_grey(image, 0.7)[block.window_part]

    def _rims(self, secondary: FloatImage, tertiary: FloatImage) -> FloatImage:
        """Edge brightening of the etched relief: bright outside, a dark line inside, and shading."""
        style = self.style
        near = _blur(secondary, self.canvas.px(style.rim_um))
        rim = 2 * near * (1 - secondary) - 0.5 * (1 - near) * secondary
        rim += 0.25 * _blur(tertiary, 2.0) * (1 - tertiary)
        slope_y, slope_x = np.gradient(_blur(secondary, 2.0))
        shading = math.cos(style.light) * slope_x + math.sin(style.light) * slope_y
        return np.asarray(style.rim_grey * rim + 5 * style.relief_grey * shading, dtype=np.float32)


def _blur(image: FloatImage, sigma_px: float) -> FloatImage:
    return np.asarray(ndimage.gaussian_filter(image, sigma_px, truncate=3), dtype=np.float32)


def generate(seed: int, size_um: tuple[float, float] | None, progress: Progress) -> SpecimenData:
    """Gamma-prime of two sizes in gamma; see `SuperalloyStyle` for what the seed draws."""
    return Superalloy(seed, Canvas.of_size(size_um or SIZE_UM, PIXEL_NM)).make(progress)
