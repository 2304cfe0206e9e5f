"""Ferrite-pearlite: hypo-eutectoid steel, rolled along x and banded; etched, backscattered electrons."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from autoscope.core import component_rng
from autoscope_simulators.specimen_data import SpecimenData
from autoscope_simulators.synthetic.canvas import Block, Canvas, FloatImage, Progress, Window, cut, part_of
from autoscope_simulators.synthetic.lamellae import CEMENTITE_SHARE, Lamellae
from autoscope_simulators.synthetic.marks import Pits, Scratches, to_grey
from autoscope_simulators.synthetic.noise import SmoothField, Texture
from autoscope_simulators.synthetic.tessellation import Tessellation, packed_discs

PIXEL_NM = 250.0
SIZE_UM = (1024.0, 1024.0)
CLASS_NAMES = ("ferrite", "pearlite")


@dataclass(frozen=True, slots=True)
class PearliteStyle:
    """What differs from one steel to the next. Grey levels are of 255.

    Attributes:
        pearlite_share: area fraction of pearlite on the whole specimen.
        grain_um: mean grain diameter.
        grain_sigma: of the logarithm of the diameter.
        band_um: period of the banding, across the rolling direction.
        banding: weight of the bands against clusters and chance, 0 to 1.
        spacing_um: true interlamellar spacing.
        colony_um: mean colony diameter.
        ferrite_grey: mean level of ferrite.
        channelling: standard deviation of the level between ferrite grains.
        cementite_grey: how much darker cementite is.
        groove_grey: how much darker a high-angle grain boundary is.
        unevenness: relative standard deviation of the etch over the specimen.
    """

    pearlite_share: float
    grain_um: float
    grain_sigma: float
    band_um: float
    banding: float
    spacing_um: float
    colony_um: float
    ferrite_grey: float
    channelling: float
    cementite_grey: float
    groove_grey: float
    unevenness: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> PearliteStyle:
        """A steel with 0.17 to 0.24 % carbon and its preparation."""
        return cls(
            pearlite_share=rng.uniform(0.18, 0.25),
            grain_um=rng.uniform(9, 15),
            grain_sigma=rng.uniform(0.24, 0.36),
            band_um=rng.uniform(35, 70),
            banding=rng.uniform(0.45, 0.75),
            spacing_um=rng.uniform(0.45, 0.8),
            colony_um=rng.uniform(5, 8),
            ferrite_grey=rng.uniform(140, 180),
            channelling=rng.uniform(5, 10),
            cementite_grey=rng.uniform(65, 95),
            groove_grey=rng.uniform(35, 60),
            unevenness=rng.uniform(0.015, 0.035),
        )


class Pearlite:
    """One ferrite-pearlite specimen; draw it block by block."""

    def __init__(self, seed: int, canvas: Canvas) -> None:
        """Draws everything that is not a pixel: grains, bands, colonies, pits."""
        self._seed, self.canvas = seed, canvas
        self.style = PearliteStyle.draw(self._rng("style"))
        style, px = self.style, canvas.px
        self._grains = Tessellation(
            packed_discs(self._rng("grains"), canvas, px(style.grain_um), style.grain_sigma)
        )
        bend = self._rng("bend")
        length_px = px(0.35 * style.grain_um)
        self._bend = (SmoothField(bend, canvas, length_px), SmoothField(bend, canvas, length_px))
        self._lamellae = Lamellae(
            self._rng("lamellae"),
            canvas,
            colony_um=style.colony_um,
            spacing_um=style.spacing_um,
            grains=len(self._grains),
        )
        self._draw_surface()

    def _rng(self, part: str) -> np.random.Generator:
        return component_rng(self._seed, f"synthetic.pearlite.{part}")

    def _draw_surface(self) -> None:
        rng, canvas, style, px = self._rng("surface"), self.canvas, self.style, self.canvas.px
        count = len(self._grains)
        self._orientation = rng.random(count).astype(np.float32)
        self._grain_grey = (
            style.ferrite_grey + style.channelling * np.clip(rng.standard_normal(count), -2.2, 2.2)
        ).astype(np.float32)
        self._uneven = SmoothField(rng, canvas, px(130))
        self._mottle = SmoothField(rng, canvas, px(2.2))
        self._rough, self._fine = Texture(rng, 1.6), Texture(rng, 0.7)
        self._pits = Pits.draw(rng, canvas, per_mm2=2500, radius_um=0.35, depth=80)
        self._scratches = Scratches.draw(rng, canvas, per_mm2=120, length_um=80, depth=7, width_um=0.4)

    def make(self, progress: Progress) -> SpecimenData:
        """Draws the whole specimen."""
        grains = np.empty(self.canvas.shape, dtype=np.uint32)
        area_px = np.zeros(len(self._grains), dtype=np.intp)
        for block in self.canvas.blocks(part_of(progress, 0.0, 0.3)):
            bend = self._bend_px(block.window)
            labels = self._grains.labels(block.window, bend)[block.window_part]
            grains[block.canvas_part] = labels
            area_px += np.bincount(labels.ravel(), minlength=len(area_px))
        is_pearlite = self._transform(area_px)
        bse = np.empty(self.canvas.shape, dtype=np.uint8)
        classes = np.empty(self.canvas.shape, dtype=np.uint8)
        for block in self.canvas.blocks(part_of(progress, 0.3, 1.0)):
            classes[block.canvas_part] = is_pearlite[grains[block.canvas_part]]
            bse[block.canvas_part] = self._shade(block, grains, is_pearlite)
        grains += 1
        return SpecimenData(
            name=f"synthetic pearlite, seed {self._seed}",
            pixel_nm=self.canvas.pixel_nm,
            synthetic=True,
            source=f"autoscope synthetic specimen 'pearlite', seed {self._seed}",
            licence="CC0-1.0",
            detectors={"bse": bse},
            classes=classes,
            class_names=CLASS_NAMES,
            grains=grains,
        )

    def _bend_px(self, window: Window) -> tuple[FloatImage, FloatImage]:
        amplitude = np.float32(0.045 * self.canvas.px(self.style.grain_um))
        return amplitude * self._bend[0].window(window), amplitude * self._bend[1].window(window)

    def _transform(self, area_px: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which grains are pearlite: those of highest carbon until the area fraction is reached.

        Carbon follows manganese, which solidification leaves in bands that rolling draws out (Krauss,
        Metall. Mater. Trans. B 34, 2003): quasi-periodic across, long along the rolling direction.
        """
        rng, canvas, style = self._rng("carbon"), self.canvas, self.style
        x, y, px = self._grains.discs.x_px, self._grains.discs.y_px, canvas.px
        shift = SmoothField(rng, canvas, px(2.5 * style.band_um), px(7 * style.band_um)).at(x, y)
        strength = 1 + 0.4 * SmoothField(rng, canvas, px(1.5 * style.band_um), px(250)).at(x, y)
        bands = strength * np.cos(2 * math.pi * (y / px(style.band_um) + 0.7 * shift + rng.random()))
        streaks = SmoothField(rng, canvas, px(14), px(110)).at(x, y)
        clusters = SmoothField(rng, canvas, px(80)).at(x, y)
        chance = rng.standard_normal(len(x))
        carbon = style.banding * (1.2 * bands + 0.8 * streaks) + 0.5 * clusters
        carbon = carbon + (1.1 - style.banding) * chance
        order = np.argsort(-carbon, kind="stable")
        cumulative = np.cumsum(area_px[order])
        chosen = cumulative <= style.pearlite_share * cumulative[-1]
        is_pearlite = np.zeros(len(x), dtype=np.bool_)
        is_pearlite[order[chosen]] = True
        return is_pearlite

    def _shade(
        self, block: Block, grains: NDArray[np.uint32], is_pearlite: NDArray[np.bool_]
    ) -> NDArray[np.uint8]:
        window = block.window
        labels = np.asarray(cut(grains, window), dtype=np.uint32)
        image = self._grain_grey[labels]
        image += 1.5 * self._mottle.window(window)
        image -= self.style.groove_grey * self._grooves(labels, is_pearlite)
        rough = self._rough.window(window)
        where = np.flatnonzero(is_pearlite[labels])
        image.ravel()[where] = self._pearlite_grey(window, where, labels, rough)
        image += 1.8 * rough + 2.0 * self._fine.window(window)
        image *= 1 + self.style.unevenness * self._uneven.window(window)
        self._pits.add_to(image, window)
        self._scratches.add_to(image, window)
        return to_grey(image, 0.6)[block.window_part]

    def _grooves(self, labels: NDArray[np.uint32], is_pearlite: NDArray[np.bool_]) -> FloatImage:
        """Depth of the etched grain boundaries, 0 to about 1, deeper the more two grains differ."""
        orientation = np.where(is_pearlite, np.float32(0.5), self._orientation)[labels]
        lines = np.zeros(labels.shape, dtype=np.float32)
        for first, second in (
            ((slice(None), slice(None, -1)), (slice(None), slice(1, None))),
            ((slice(None, -1), slice(None)), (slice(1, None), slice(None))),
        ):
            step = np.abs(orientation[first] - orientation[second])
            step = np.where(step > 0, 0.3 + 0.7 * np.sqrt(step), step)
            np.maximum(lines[first], step, out=lines[first])
            np.maximum(lines[second], step, out=lines[second])
        return np.asarray(1.5 * ndimage.gaussian_filter(lines, 0.9, truncate=3), dtype=np.float32)

    def _pearlite_grey(
        self, window: Window, where: NDArray[np.intp], labels: NDArray[np.uint32], rough: FloatImage
    ) -> FloatImage:
        style = self.style
        cementite, fineness, tone = self._lamellae.draw(window, where, labels.ravel()[where])
        # plates below the pixel average out, but for what etching and the probe make of them
        cementite += 0.1 * fineness * rough.ravel()[where]
        grey = style.ferrite_grey - 8 - style.cementite_grey * cementite
        grey += 5 * tone - 0.35 * style.cementite_grey * fineness * CEMENTITE_SHARE
        return np.asarray(grey, dtype=np.float32)


def generate(seed: int, size_um: tuple[float, float] | None, progress: Progress) -> SpecimenData:
    """Banded ferrite-pearlite with its phases and grains; see `PearliteStyle` for what the seed draws."""
    return Pearlite(seed, Canvas.of_size(size_um or SIZE_UM, PIXEL_NM)).make(progress)
