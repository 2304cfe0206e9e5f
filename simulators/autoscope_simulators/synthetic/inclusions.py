"""Non-metallic inclusions in rolled steel: oxides, sulphides, nitrides; polished, backscattered electrons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import component_rng
from autoscope_simulators.specimen_data import Inclusion, SpecimenData
from autoscope_simulators.synthetic.canvas import Block, Canvas, FloatImage, Progress, Window, cut, part_of
from autoscope_simulators.synthetic.chemistry import draw_spectra
from autoscope_simulators.synthetic.marks import Scratches, to_grey
from autoscope_simulators.synthetic.noise import SmoothField, Texture
from autoscope_simulators.synthetic.particles import Particles, ParticleStyle, scatter, stamp
from autoscope_simulators.synthetic.tessellation import Tessellation, packed_discs

PIXEL_NM = 300.0
SIZE_UM = (1536.0, 1536.0)
CLASS_NAMES = ("matrix", "oxide", "sulphide", "nitride")


@dataclass(frozen=True, slots=True)
class InclusionStyle:
    """What differs from one heat of steel to the next. Grey levels are of 255.

    Attributes:
        particles: numbers, sizes and clustering of the classes, in the order of `CLASS_NAMES`.
        matrix_grey: mean level of the steel.
        particle_grey: level of each class, likewise.
        grain_um: mean grain diameter of the steel.
        channelling: standard deviation of the level between grains.
        scratches_per_mm2: how many scratches polishing left.
        unevenness: relative standard deviation of the level over the specimen.
    """

    particles: tuple[ParticleStyle, ...]
    matrix_grey: float
    particle_grey: tuple[float, ...]
    grain_um: float
    channelling: float
    scratches_per_mm2: float
    unevenness: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> InclusionStyle:
        """A heat: 300 to 1000 inclusions in a square millimetre, a median diameter about 2 um."""
        oxides = ParticleStyle(
            per_mm2=rng.uniform(120, 350),
            diameter_um=rng.uniform(1.7, 2.4),
            diameter_sigma=rng.uniform(0.4, 0.55),
            clustered=rng.uniform(0.5, 0.8),
            cluster_size=rng.uniform(5, 12),
            spread_um=(rng.uniform(30, 60), rng.uniform(6, 14)),
        )
        sulphides = ParticleStyle(
            per_mm2=rng.uniform(120, 400),
            diameter_um=rng.uniform(1.9, 2.8),
            diameter_sigma=rng.uniform(0.35, 0.5),
            clustered=rng.uniform(0.4, 0.7),
            cluster_size=rng.uniform(6, 20),
            spread_um=(rng.uniform(60, 120), rng.uniform(25, 60)),
        )
        nitrides = ParticleStyle(
            per_mm2=rng.uniform(60, 250),
            diameter_um=rng.uniform(1.6, 2.4),
            diameter_sigma=rng.uniform(0.3, 0.4),
            clustered=rng.uniform(0.3, 0.6),
            cluster_size=rng.uniform(4, 10),
            spread_um=(rng.uniform(20, 50), rng.uniform(12, 30)),
        )
        return cls(
            particles=(oxides, sulphides, nitrides),
            matrix_grey=rng.uniform(160, 190),
            particle_grey=(rng.uniform(38, 52), rng.uniform(92, 112), rng.uniform(66, 82)),
            grain_um=rng.uniform(18, 35),
            channelling=rng.uniform(1.5, 4),
            scratches_per_mm2=rng.uniform(10, 50),
            unevenness=rng.uniform(0.01, 0.025),
        )


class InclusionField:
    """One steel with inclusions; draw it block by block."""

    def __init__(self, seed: int, canvas: Canvas) -> None:
        """Draws everything that is not a pixel."""
        self._seed, self.canvas = seed, canvas
        self.style = InclusionStyle.draw(self._rng("style"))
        px, style, rng = canvas.px, self.style, self._rng("surface")
        self._grains = Tessellation(packed_discs(self._rng("grains"), canvas, px(style.grain_um), 0.4))
        tones = np.clip(rng.standard_normal(len(self._grains)), -2.2, 2.2)
        self._grain_grey = (style.matrix_grey + style.channelling * tones).astype(np.float32)
        self._bend = (SmoothField(rng, canvas, px(8)), SmoothField(rng, canvas, px(8)))
        self._uneven = SmoothField(rng, canvas, px(260))
        self._mottle, self._core = SmoothField(rng, canvas, px(3)), SmoothField(rng, canvas, px(0.9))
        self._fine = Texture(rng, 0.7)
        self._scratches = Scratches.draw(
            rng, canvas, per_mm2=style.scratches_per_mm2, length_um=220, depth=5, width_um=0.6
        )

    def _rng(self, part: str) -> np.random.Generator:
        return component_rng(self._seed, f"synthetic.inclusions.{part}")

    def make(self, progress: Progress) -> SpecimenData:
        """Draws the whole specimen."""
        classes = np.zeros(self.canvas.shape, dtype=np.uint8)
        table = self._place(classes, part_of(progress, 0.0, 0.2))
        bse = np.empty(self.canvas.shape, dtype=np.uint8)
        grains = np.empty(self.canvas.shape, dtype=np.uint32)
        for block in self.canvas.blocks(part_of(progress, 0.2, 1.0)):
            labels = self._grain_labels(block)
            grains[block.canvas_part] = labels[block.window_part] + 1
            bse[block.canvas_part] = self._shade(block, classes, labels)
        return SpecimenData(
            name=f"synthetic inclusions, seed {self._seed}",
            pixel_nm=self.canvas.pixel_nm,
            synthetic=True,
            source=f"autoscope synthetic specimen 'inclusions', seed {self._seed}",
            licence="CC0-1.0",
            detectors={"bse": bse},
            classes=classes,
            class_names=CLASS_NAMES,
            inclusions=table,
            grains=grains,
            spectra=draw_spectra(self._rng("chemistry")),
        )

    def _place(self, classes: NDArray[np.uint8], progress: Progress) -> tuple[Inclusion, ...]:
        """Stamps the particles of all classes into the class map; what it stamped is the table."""
        pixel_um = self.canvas.pixel_nm / 1000
        table: list[Inclusion] = []
        for value, style in enumerate(self.style.particles, start=1):
            name = CLASS_NAMES[value]
            particles: Particles = scatter(self._rng(name), self.canvas, style, name)
            for stamped in stamp(classes, particles, value):
                diameter_um = 2 * np.sqrt(stamped.area_px / np.pi) * pixel_um
                table.append(
                    Inclusion(
                        (stamped.x_px + 0.5) * pixel_um,
                        (stamped.y_px + 0.5) * pixel_um,
                        float(diameter_um),
                        name,
                    )
                )
            progress(value / len(self.style.particles))
        return tuple(table)

    def _grain_labels(self, block: Block) -> NDArray[np.uint32]:
        """The grain of the steel at every pixel of a block's window; inclusions lie over it."""
        amplitude = np.float32(0.12 * self.canvas.px(8))
        window = block.window
        bend = (amplitude * self._bend[0].window(window), amplitude * self._bend[1].window(window))
        return self._grains.labels(window, bend)

    def _shade(
        self, block: Block, classes: NDArray[np.uint8], grains: NDArray[np.uint32]
    ) -> NDArray[np.uint8]:
        window, style = block.window, self.style
        labels = np.asarray(cut(classes, window), dtype=np.uint8)
        image: FloatImage = self._grain_grey[grains]
        image += 0.8 * self._mottle.window(window) + 1.2 * self._fine.window(window)
        self._scratches.add_to(image, window)
        image *= 1 + style.unevenness * self._uneven.window(window)
        where = np.flatnonzero(labels)
        image.ravel()[where] = self._particle_grey(window, where, labels.ravel()[where])
        return to_grey(image, 0.65)[block.window_part]

    def _particle_grey(
        self, window: Window, where: NDArray[np.intp], classes: NDArray[np.uint8]
    ) -> FloatImage:
        """Level of the inclusion pixels: by class, mottled, for few of them are of one compound alone."""
        grey = np.array([self.style.matrix_grey, *self.style.particle_grey], dtype=np.float32)[classes]
        spread = np.array([0, 6, 5, 4], dtype=np.float32)[classes]
        return np.asarray(grey + spread * self._core.window(window).ravel()[where], dtype=np.float32)


def generate(seed: int, size_um: tuple[float, float] | None, progress: Progress) -> SpecimenData:
    """Steel with clustered inclusions and the table of them; see `InclusionStyle` for what the seed draws."""
    return InclusionField(seed, Canvas.of_size(size_um or SIZE_UM, PIXEL_NM)).make(progress)
