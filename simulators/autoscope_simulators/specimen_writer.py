"""Writing specimen files: streamed band by band, and whole or not at all."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import DTypeLike, NDArray

from autoscope.core import SpecimenError
from autoscope_simulators.raster import BAND_BYTES, StoredRaster, halve, halved_shape
from autoscope_simulators.specimen_data import Inclusion, SpecimenData
from autoscope_simulators.specimen_layout import (
    BLOCK_PX,
    CHUNK_PX,
    SCHEMA,
    SMALLEST_LEVEL_PX,
    TILE_DTYPE,
    block_counts,
    chunk_of,
    level_path,
)
from autoscope_simulators.spectra import ClassSpectrum, SpectrumImage, write_cube, write_spectrum


class SpecimenWriter:
    """Writes a specimen file that may be larger than the memory.

    The file grows beside its target and takes its name only when it is whole: leaving the ``with`` block
    without an exception builds the pyramids and renames it; leaving it with one removes it.

    Args:
        path: the file to be; an existing one is replaced.
        shape: ``(height, width)`` in pixels.
        pixel_nm: edge of a pixel, nm.
        name: what reports call the specimen.
        synthetic: whether it was generated.
        source: where it comes from.
        licence: under which terms.
        detectors: name to ``uint8`` or ``uint16``.
        class_names: names of the true classes; none: no truth.
        with_valid: whether a valid mask will be written; without it everything is specimen.
        tiles: unconnected pieces ``(x0, y0, width, height)`` in pixels.

    Raises:
        SpecimenError: the file cannot be written.
    """

    def __init__(
        self,
        path: Path,
        *,
        shape: tuple[int, int],
        pixel_nm: float,
        name: str,
        synthetic: bool,
        source: str,
        licence: str,
        detectors: Mapping[str, DTypeLike],
        class_names: Sequence[str] = (),
        with_valid: bool = False,
        tiles: Sequence[tuple[int, int, int, int]] = (),
    ) -> None:
        self._path = path
        self._partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
        self._shape, self._detectors, self._with_valid = shape, tuple(detectors), with_valid
        try:
            self._file = h5py.File(self._partial, "x", libver="v110")
        except OSError as error:
            raise _cannot_write(path, error) from error
        self._file.attrs.update(
            schema=SCHEMA, name=name, pixel_nm=float(pixel_nm), synthetic=bool(synthetic), source=source,
            licence=licence,
        )  # fmt: skip
        for detector, dtype in detectors.items():
            self._create(f"/detectors/{detector}", shape, dtype)
        self._create("/valid", shape, np.bool_, fillvalue=True)
        if class_names:
            self._create("/truth/classes", shape, np.uint8).attrs["class_names"] = list(class_names)
        if tiles:
            self._file["/tiles"] = np.array([tuple(tile) for tile in tiles], TILE_DTYPE)

    def write_rows(
        self,
        y0: int,
        detectors: Mapping[str, NDArray[np.uint8] | NDArray[np.uint16]],
        *,
        valid: NDArray[np.bool_] | None = None,
        classes: NDArray[np.uint8] | None = None,
    ) -> None:
        """Writes full rows from ``y0`` on; every array is ``rows x width``. Multiples of 1024 are fastest.

        Raises:
            SpecimenError: the disk is full or fails.
        """
        parts: dict[str, NDArray[Any]] = {f"/detectors/{name}": rows for name, rows in detectors.items()}
        if valid is not None:
            parts["/valid"] = valid
        if classes is not None:
            parts["/truth/classes"] = classes
        try:
            for key, rows in parts.items():
                self._file[key][y0 : y0 + len(rows)] = rows
        except OSError as error:
            raise _cannot_write(self._path, error) from error

    def write_inclusions(self, inclusions: Sequence[Inclusion]) -> None:
        """Writes the table of true inclusions."""
        text = h5py.string_dtype()
        dtype = np.dtype(
            [("x_um", float), ("y_um", float), ("equivalent_diameter_um", float), ("class", text)]
        )
        rows = [(i.x_um, i.y_um, i.equivalent_diameter_um, i.class_name) for i in inclusions]
        self._file.create_dataset("/truth/inclusions", data=np.array(rows, dtype))

    def write_grains(self, grains: NDArray[np.uint32]) -> None:
        """Writes the true grain labels, ``height x width``."""
        options = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        self._file.create_dataset("/truth/grains", data=grains, chunks=chunk_of(self._shape), **options)

    def write_spectra(self, spectra: Mapping[str, ClassSpectrum], cube: SpectrumImage | None) -> None:
        """Writes what spectra are made from."""
        for name, spectrum in spectra.items():
            write_spectrum(self._file, name, spectrum)
        if cube is not None:
            write_cube(self._file, cube)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self._finish()
        except OSError as failure:
            raise _cannot_write(self._path, failure) from failure
        finally:
            self._file.close()
            self._partial.unlink(missing_ok=True)

    def _finish(self) -> None:
        for detector in self._detectors:
            self._build_pyramid(detector)
        if self._with_valid:
            self._count_valid()
        self._file.close()
        self._partial.replace(self._path)

    def _create(
        self, key: str, shape: tuple[int, int], dtype: DTypeLike, *, fillvalue: bool | None = None
    ) -> h5py.Dataset:
        return self._file.create_dataset(key, shape, dtype, chunks=chunk_of(shape), fillvalue=fillvalue)

    def _build_pyramid(self, detector: str) -> None:
        finer, level = self._file[f"/detectors/{detector}"], 1
        while max(finer.shape) > SMALLEST_LEVEL_PX:
            coarser = self._create(level_path(detector, level), halved_shape(finer.shape), finer.dtype)
            for y0, rows in StoredRaster(finer).bands(2 * CHUNK_PX):
                half = halve(rows)
                coarser[y0 // 2 : y0 // 2 + len(half)] = half
            finer, level = coarser, level + 1

    def _count_valid(self) -> None:
        valid = StoredRaster(self._file["/valid"])
        counts = [block_counts(rows) for _, rows in valid.bands(BLOCK_PX)]
        self._file.create_dataset("/index/valid_counts", data=np.concatenate(counts))


def write_specimen(data: SpecimenData, path: Path) -> None:
    """Writes a specimen file; an existing file is replaced only when the new one is whole.

    Raises:
        SpecimenError: the file cannot be written.
    """
    detectors = {name: pixels.dtype for name, pixels in data.detectors.items()}
    with SpecimenWriter(
        Path(path),
        shape=data.shape,
        pixel_nm=data.pixel_nm,
        name=data.name,
        synthetic=data.synthetic,
        source=data.source,
        licence=data.licence,
        detectors=detectors,
        class_names=data.class_names if data.classes is not None else (),
        with_valid=data.valid is not None,
        tiles=data.tiles,
    ) as writer:
        rows = max(1, BAND_BYTES // (CHUNK_PX * data.shape[1])) * CHUNK_PX
        for y0 in range(0, data.shape[0], rows):
            band = slice(y0, y0 + rows)
            writer.write_rows(
                y0,
                {name: pixels[band] for name, pixels in data.detectors.items()},
                valid=None if data.valid is None else data.valid[band],
                classes=None if data.classes is None else data.classes[band],
            )
        if data.inclusions:
            writer.write_inclusions(data.inclusions)
        if data.grains is not None:
            writer.write_grains(data.grains)
        writer.write_spectra(data.spectra, data.cube)


def _cannot_write(path: Path, error: OSError) -> SpecimenError:
    return SpecimenError(f"the specimen file {path} cannot be written: {error}")
