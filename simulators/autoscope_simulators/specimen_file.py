"""Reading specimen files: one file, open for reading, of which only windows are ever in memory."""

from __future__ import annotations

import hashlib
import math
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from autoscope.core import Rectangle, SpecimenError
from autoscope_simulators.raster import ConstantRaster, FileMap, HalvedRaster, Raster, open_raster
from autoscope_simulators.specimen_data import DETECTORS, Inclusion
from autoscope_simulators.specimen_layout import (
    ROOT_ATTRIBUTES,
    SCHEMA,
    SMALLEST_LEVEL_PX,
    TILE_COLUMNS,
    level_path,
)
from autoscope_simulators.spectra import CUBE, SPECTRA, ClassSpectrum, StoredCube, open_cube, read_spectra
from autoscope_simulators.validity import Validity

ROUNDING_PX = 1e-6
"""Share of a pixel by which an edge may miss a pixel's centre through rounding alone."""

CACHE_BYTES = 32 * 2**20
"""HDF5's chunk cache for what is stored compressed."""


class SpecimenFile:
    """A specimen file, opened for reading (CONTRACT section 4).

    Attributes:
        path: the file.
        name: what reports call the specimen.
        pixel_nm: edge of a native pixel, nm.
        synthetic: whether it was generated.
        source: where it comes from.
        licence: under which terms.
        detectors: names of its detectors.
        shape: ``(height, width)`` in native pixels.
        extent: all of it, in specimen coordinates.
        tiles: its unconnected pieces.
        class_names: names of the true classes, or None without truth.

    Raises:
        SpecimenError: the file is missing, damaged or of another schema, with everything that it lacks.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._file = _open(self.path)
        try:
            self._read_header()
        except SpecimenError:
            self._file.close()
            raise
        except (OSError, KeyError, ValueError, TypeError, RuntimeError) as error:
            self._file.close()
            raise SpecimenError(f"the specimen file {self.path} is damaged: {error}") from error

    # -- what it is ------------------------------------------------------------------------------

    @property
    def has_truth(self) -> bool:
        """Whether the true class of every pixel is known."""
        return self.class_names is not None

    @property
    def has_grains(self) -> bool:
        """Whether the true grain of every pixel is known."""
        return self._grains is not None

    @property
    def has_eds(self) -> bool:
        """Whether there is anything to make spectra from."""
        return SPECTRA in self._file or CUBE in self._file

    @cached_property
    def class_spectra(self) -> dict[str, ClassSpectrum]:
        """The X-ray spectra of the true classes, none where they are not known."""
        return read_spectra(self._file)

    @cached_property
    def eds_cube(self) -> StoredCube | None:
        """The stored spectrum image, or None."""
        return open_cube(self._file)

    @cached_property
    def sha256(self) -> str:
        """Hash of the file, computed when it is first asked for."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    @cached_property
    def inclusions(self) -> tuple[Inclusion, ...]:
        """The true inclusions, none where they are not known."""
        if "/truth/inclusions" not in self._file:
            return ()
        table = self._file["/truth/inclusions"][...]
        return tuple(
            Inclusion(
                float(row["x_um"]),
                float(row["y_um"]),
                float(row["equivalent_diameter_um"]),
                _text(row["class"]),
            )
            for row in table
        )

    # -- windows in specimen coordinates -----------------------------------------------------------

    def window_px(self, rectangle: Rectangle) -> tuple[int, int, int, int]:
        """``(y0, y1, x0, x1)`` of the pixels whose centres lie in a rectangle; may reach outside.

        Rectangles that share an edge share no pixel.
        """
        return (
            *self._span(rectangle.y0_um, rectangle.y1_um),
            *self._span(rectangle.x0_um, rectangle.x1_um),
        )

    def valid_fraction(self, rectangle: Rectangle) -> float:
        """Share of a rectangle's pixels that are specimen; outside the raster there is none."""
        y0, y1, x0, x1 = self.window_px(rectangle)
        pixels = (y1 - y0) * (x1 - x0)
        return self._validity.count(y0, y1, x0, x1) / pixels if pixels > 0 else 0.0

    def valid_window(self, rectangle: Rectangle, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Where a frame of ``shape`` over a rectangle shows specimen (nearest native pixel)."""
        rows = self._nearest(rectangle.y0_um, rectangle.y1_um, shape[0])
        columns = self._nearest(rectangle.x0_um, rectangle.x1_um, shape[1])
        return self._validity.sample(rows, columns)

    def valid_pixels(self, rectangle: Rectangle) -> NDArray[np.bool_]:
        """Where a rectangle is specimen, in the same native pixels as :meth:`truth_window`."""
        y0, y1, x0, x1 = self._inner_window(rectangle)
        return self._validity.sample(np.arange(y0, y1), np.arange(x0, x1))

    def truth_window(self, rectangle: Rectangle) -> NDArray[np.uint8]:
        """True classes of a rectangle's native pixels.

        Raises:
            SpecimenError: there is no truth, or the rectangle reaches outside the specimen's raster.
        """
        if self._classes is None:
            raise SpecimenError(f"specimen {self.name!r} holds no true classes (/truth/classes)")
        return self._classes.read(*self._inner_window(rectangle))

    def grains_window(self, rectangle: Rectangle) -> NDArray[np.uint32]:
        """True grain labels of a rectangle's native pixels; 0 is boundary or nothing.

        Raises:
            SpecimenError: there are none, or the rectangle reaches outside the specimen's raster.
        """
        if self._grains is None:
            raise SpecimenError(f"specimen {self.name!r} holds no true grains (/truth/grains)")
        return self._grains.read(*self._inner_window(rectangle)).astype(np.uint32, copy=False)

    def shows_only_specimen(self, y0: int, y1: int, x0: int, x1: int) -> bool:
        """Whether every pixel of a window lies in the raster and is specimen."""
        return self._validity.count(y0, y1, x0, x1) == (y1 - y0) * (x1 - x0)

    def levels(self, detector: str) -> tuple[Raster, ...]:
        """The resolution pyramid of a detector; a pixel of level n covers 2^n x 2^n native pixels."""
        return self._levels[detector]

    # -- endings ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Lets the file go; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # -- private ---------------------------------------------------------------------------------

    def _read_header(self) -> None:
        attributes = self._file.attrs
        schema = _text(attributes.get("schema", ""))
        if schema != SCHEMA:
            raise SpecimenError(
                f"{self.path} is not a specimen file that this version reads: its schema is {schema!r},"
                f" not {SCHEMA!r}"
            )
        lacking = [f"attribute {key}" for key in ROOT_ATTRIBUTES if key not in attributes]
        self.detectors = tuple(d for d in DETECTORS if f"/detectors/{d}" in self._file)
        if not self.detectors:
            lacking.append("/detectors/bse or /detectors/se")
        if lacking:
            raise SpecimenError(f"the specimen file {self.path} lacks {', '.join(lacking)}")
        self.name, self.source, self.licence = (_text(attributes[k]) for k in ("name", "source", "licence"))
        self.pixel_nm, self.synthetic = float(attributes["pixel_nm"]), bool(attributes["synthetic"])
        if not (math.isfinite(self.pixel_nm) and self.pixel_nm > 0):
            raise SpecimenError(
                f"the specimen file {self.path}: pixel_nm = {self.pixel_nm:g} nm must be positive"
            )
        self._open_rasters()
        self._read_tiles()

    def _open_rasters(self) -> None:
        file_map = FileMap(self.path)
        native = {name: open_raster(self._file[f"/detectors/{name}"], file_map) for name in self.detectors}
        self.shape = native[self.detectors[0]].shape
        self._levels = {name: self._pyramid(name, raster, file_map) for name, raster in native.items()}
        self._classes = self._optional("/truth/classes", file_map)
        self._grains = self._optional("/truth/grains", file_map)
        valid = self._optional("/valid", file_map) or ConstantRaster(self.shape, np.dtype(bool), 1)
        counts = self._file["/index/valid_counts"][...] if "/index/valid_counts" in self._file else None
        self._validity = Validity(valid, counts)
        rasters = {**native, "/valid": valid, "/truth/classes": self._classes, "/truth/grains": self._grains}
        wrong = [f"{k} {r.shape}" for k, r in rasters.items() if r is not None and r.shape != self.shape]
        if wrong:
            raise SpecimenError(
                f"the specimen file {self.path}: {', '.join(wrong)} differ in shape from"
                f" /detectors/{self.detectors[0]} {self.shape}"
            )
        self.class_names: tuple[str, ...] | None = None
        if self._classes is not None:
            names = self._file["/truth/classes"].attrs["class_names"]
            self.class_names = tuple(_text(name) for name in names)

    def _optional(self, key: str, file_map: FileMap) -> Raster | None:
        return open_raster(self._file[key], file_map) if key in self._file else None

    def _pyramid(self, detector: str, native: Raster, file_map: FileMap) -> tuple[Raster, ...]:
        levels = [native]
        while max(levels[-1].shape) > SMALLEST_LEVEL_PX:
            halved = HalvedRaster(levels[-1])
            stored = self._optional(level_path(detector, len(levels)), file_map)
            levels.append(stored if stored is not None and stored.shape == halved.shape else halved)
        return tuple(levels)

    def _read_tiles(self) -> None:
        height, width = self.shape
        tiles = [(0, 0, width, height)]
        if "/tiles" in self._file:
            table = self._file["/tiles"][...]
            columns = [table[key].tolist() for key in TILE_COLUMNS]
            tiles = list(zip(*columns, strict=True))
        um = self.pixel_nm / 1000
        self.extent = Rectangle(0.0, 0.0, width * um, height * um)
        self.tiles = tuple(Rectangle(x * um, y * um, (x + w) * um, (y + h) * um) for x, y, w, h in tiles)

    def _span(self, low_um: float, high_um: float) -> tuple[int, int]:
        per_um = 1000 / self.pixel_nm
        low, high = (math.ceil(edge * per_um - 0.5 - ROUNDING_PX) for edge in (low_um, high_um))
        return low, high

    def _inner_window(self, rectangle: Rectangle) -> tuple[int, int, int, int]:
        y0, y1, x0, x1 = self.window_px(rectangle)
        height, width = self.shape
        if y0 < 0 or x0 < 0 or y1 > height or x1 > width:
            box = ", ".join(
                f"{v:g}" for v in (rectangle.x0_um, rectangle.y0_um, rectangle.x1_um, rectangle.y1_um)
            )
            raise SpecimenError(
                f"[{box}] um reaches outside specimen {self.name!r}, which is"
                f" {self.extent.width_um:g} x {self.extent.height_um:g} um"
            )
        return y0, y1, x0, x1

    def _nearest(self, low_um: float, high_um: float, n: int) -> NDArray[np.intp]:
        centres_um = low_um + (np.arange(n) + 0.5) * ((high_um - low_um) / n)
        nearest: NDArray[np.intp] = np.floor(centres_um * (1000 / self.pixel_nm) + ROUNDING_PX).astype(
            np.intp
        )
        return nearest


def _open(path: Path) -> h5py.File:
    if not path.is_file():
        raise SpecimenError(f"there is no specimen file {path}")
    try:
        return h5py.File(path, "r", rdcc_nbytes=CACHE_BYTES)
    except OSError as error:
        raise SpecimenError(f"{path} is damaged or is not a specimen file (HDF5): {error}") from error


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
