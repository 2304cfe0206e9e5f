"""Everything that a specimen file holds, in memory: what importers and generators hand to the writer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from autoscope.core import SpecimenError
from autoscope_simulators.spectra import ClassSpectrum, SpectrumImage, class_spectrum_problems

DETECTORS = ("bse", "se")
"""Names that a detector of a specimen may have."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """One inclusion of the truth.

    Attributes:
        x_um: centre, specimen coordinates.
        y_um: centre, likewise.
        equivalent_diameter_um: diameter of the circle of the same area.
        class_name: what it is made of, such as ``"oxide"``.
    """

    x_um: float
    y_um: float
    equivalent_diameter_um: float
    class_name: str


@dataclass(frozen=True, slots=True)
class SpecimenData:
    """A whole specimen in memory. Every raster has the shape ``height x width`` of the detectors.

    Attributes:
        name: what reports call it.
        pixel_nm: edge of a pixel, nm.
        synthetic: whether it was generated rather than imaged.
        source: where it comes from; reports cite it.
        licence: under which terms.
        detectors: ``"bse"`` and/or ``"se"`` to ``height x width`` grey values.
        valid: where there is specimen; None: everywhere.
        tiles: unconnected pieces ``(x0, y0, width, height)`` in pixels; none: the raster is one piece.
        classes: true class of every pixel, or None.
        class_names: names of the classes in the order of their values.
        inclusions: true inclusions.
        grains: true grain labels, 0 on boundaries and where there is none, or None.
        spectra: class name to its X-ray spectrum; none: no spectra can be taken.
        cube: a stored spectrum image, which goes before ``spectra``, or None.

    Raises:
        SpecimenError: naming every part that does not fit the others.
    """

    name: str
    pixel_nm: float
    synthetic: bool
    source: str
    licence: str
    detectors: Mapping[str, NDArray[np.uint8] | NDArray[np.uint16]]
    valid: NDArray[np.bool_] | None = None
    tiles: tuple[tuple[int, int, int, int], ...] = ()
    classes: NDArray[np.uint8] | None = None
    class_names: tuple[str, ...] = ()
    inclusions: tuple[Inclusion, ...] = field(default=())
    grains: NDArray[np.uint32] | None = None
    spectra: Mapping[str, ClassSpectrum] = field(default_factory=dict)
    cube: SpectrumImage | None = None

    def __post_init__(self) -> None:
        problems = [*self._detector_problems(), *self._raster_problems(), *self._tile_problems()]
        problems += self._spectrum_problems()
        if not (math.isfinite(self.pixel_nm) and self.pixel_nm > 0):
            problems.append(f"pixel_nm = {self.pixel_nm:g} nm must be positive")
        if problems:
            raise SpecimenError(f"specimen {self.name!r}: " + "; ".join(problems))

    @property
    def shape(self) -> tuple[int, int]:
        """``(height, width)`` in pixels."""
        height, width = next(iter(self.detectors.values())).shape
        return height, width

    def _detector_problems(self) -> list[str]:
        if not self.detectors:
            return ["it has no detector image: at least one of bse, se is needed"]
        problems = [
            f"detector {name!r} is not one of bse, se" for name in self.detectors if name not in DETECTORS
        ]
        for name, pixels in self.detectors.items():
            if pixels.ndim != 2 or 0 in pixels.shape:
                problems.append(f"detector {name!r} has the shape {pixels.shape}, not height x width")
            if pixels.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
                problems.append(f"detector {name!r} has {pixels.dtype} pixels, not uint8 or uint16")
        return problems

    def _raster_problems(self) -> list[str]:
        rasters = {**self.detectors, "valid": self.valid, "classes": self.classes, "grains": self.grains}
        shapes = {name: raster.shape for name, raster in rasters.items() if raster is not None}
        problems = []
        if len(set(shapes.values())) > 1:
            problems.append(
                "its rasters differ in shape: " + ", ".join(f"{k} {v}" for k, v in shapes.items())
            )
        if self.classes is not None:
            largest = int(self.classes.max(initial=0))
            if largest >= len(self.class_names):
                problems.append(
                    f"classes go up to {largest}, but there are {len(self.class_names)} class names"
                )
        return problems

    def _spectrum_problems(self) -> list[str]:
        problems = [] if self.cube is None else self.cube.problems()
        for name, spectrum in self.spectra.items():
            problems += class_spectrum_problems(name, spectrum, self.class_names)
        return problems

    def _tile_problems(self) -> list[str]:
        if not self.detectors:
            return []
        shape = next(iter(self.detectors.values())).shape
        if len(shape) != 2:
            return []
        return [
            f"tile {(x0, y0, width, height)} px reaches outside the {shape[1]} x {shape[0]} px raster"
            for x0, y0, width, height in self.tiles
            if x0 < 0 or y0 < 0 or width < 1 or height < 1 or x0 + width > shape[1] or y0 + height > shape[0]
        ]
