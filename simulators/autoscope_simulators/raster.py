"""Rasters read window by window, however large they are: what lies behind a specimen's images.

Files that autoscope writes hold uncompressed square chunks, so a window is a handful of block copies out
of a memory map. Every other storage (compressed, contiguous, big-endian) is read through HDF5.
"""

from __future__ import annotations

import mmap
from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

MAPPED_LIMIT_BYTES = 256 * 2**20
"""Bytes of a file that may be resident through its map before the map is dropped and made anew."""

BAND_BYTES = 8 * 2**20
"""Bytes of a band when a raster is worked through from top to bottom."""

Pixels = NDArray[Any]


class Raster(ABC):
    """A read-only raster.

    Attributes:
        shape: ``(height, width)`` in pixels.
        dtype: type of a pixel, in the machine's byte order.
    """

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any]) -> None:
        self.shape = shape
        self.dtype = dtype

    @abstractmethod
    def read(self, y0: int, y1: int, x0: int, x1: int) -> Pixels:
        """Rows ``y0:y1`` and columns ``x0:x1``, which lie in the raster, as an array of their own."""

    def sample(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Pixels:
        """The pixels where ascending ``rows`` and ``columns`` cross, as ``len(rows) x len(columns)``."""
        out = np.empty((len(rows), len(columns)), self.dtype)
        if not out.size:
            return out
        x0, x1 = int(columns[0]), int(columns[-1]) + 1
        per_band = max(1, BAND_BYTES // ((x1 - x0) * self.dtype.itemsize))
        start = 0
        while start < len(rows):
            stop = int(np.searchsorted(rows, rows[start] + per_band))
            y0 = int(rows[start])
            band = self.read(y0, int(rows[stop - 1]) + 1, x0, x1)
            out[start:stop] = band[np.ix_(rows[start:stop] - y0, columns - x0)]
            start = stop
        return out

    def bands(self, multiple: int = 1) -> Iterator[tuple[int, Pixels]]:
        """The whole raster as ``(first row, rows x width)``, a multiple of ``multiple`` rows at a time."""
        height, width = self.shape
        rows = max(1, BAND_BYTES // (width * self.dtype.itemsize * multiple)) * multiple
        for y0 in range(0, height, rows):
            yield y0, self.read(y0, min(y0 + rows, height), 0, width)


class FileMap:
    """A read-only map of a file whose resident share stays bounded.

    Pages that were touched count as resident until the map is dropped. So the blocks that were handed out
    are counted, and past the limit a new map takes the place of the old one; the pages stay in the
    operating system's cache.
    """

    def __init__(self, path: Path, limit_bytes: int = MAPPED_LIMIT_BYTES) -> None:
        self._path, self._limit_bytes = path, limit_bytes
        self._touched: set[int] = set()
        self._touched_bytes = 0
        self._map = self._open()

    def block(self, offset: int, shape: tuple[int, int], dtype: np.dtype[Any]) -> Pixels:
        """A view of a block of the file; to be copied out of at once, and not to be kept."""
        if offset not in self._touched:
            if self._touched_bytes > self._limit_bytes:
                self._map, self._touched, self._touched_bytes = self._open(), set(), 0
            self._touched.add(offset)
            self._touched_bytes += shape[0] * shape[1] * dtype.itemsize
        return np.ndarray(shape, dtype, self._map, offset)

    def _open(self) -> mmap.mmap:
        with self._path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


class MappedRaster(Raster):
    """A raster of uncompressed chunks, read from a memory map.

    Args:
        shape: ``(height, width)``.
        dtype: type of a pixel.
        file: the map of the file.
        chunk: ``(height, width)`` of a chunk.
        offsets: ``chunk rows x chunk columns``, where in the file every chunk begins.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        dtype: np.dtype[Any],
        file: FileMap,
        chunk: tuple[int, int],
        offsets: NDArray[np.int64],
    ) -> None:
        super().__init__(shape, dtype)
        self._file, self._chunk, self._offsets = file, chunk, offsets

    def read(self, y0: int, y1: int, x0: int, x1: int) -> Pixels:
        """See :meth:`Raster.read`."""
        out = np.empty((y1 - y0, x1 - x0), self.dtype)
        rows, columns = self._chunk
        for i in range(y0 // rows, -(-y1 // rows)):
            top, bottom = max(y0, i * rows), min(y1, (i + 1) * rows)
            for j in range(x0 // columns, -(-x1 // columns)):
                left, right = max(x0, j * columns), min(x1, (j + 1) * columns)
                block = self._file.block(int(self._offsets[i, j]), self._chunk, self.dtype)
                out[top - y0 : bottom - y0, left - x0 : right - x0] = block[
                    top - i * rows : bottom - i * rows, left - j * columns : right - j * columns
                ]
        return out

    def sample(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Pixels:
        """See :meth:`Raster.sample`; touches only the pages that hold a sample."""
        out = np.empty((len(rows), len(columns)), self.dtype)
        row_runs, column_runs = _runs(rows, self._chunk[0]), _runs(columns, self._chunk[1])
        for i, top, bottom in row_runs:
            for j, left, right in column_runs:
                block = self._file.block(int(self._offsets[i, j]), self._chunk, self.dtype)
                picked = np.ix_(rows[top:bottom] % self._chunk[0], columns[left:right] % self._chunk[1])
                out[top:bottom, left:right] = block[picked]
        return out


def _runs(indices: NDArray[np.intp], chunk: int) -> list[tuple[int, int, int]]:
    """``(chunk, start, stop)`` for every run of ascending indices that lie in the same chunk."""
    chunks = indices // chunk
    starts = np.flatnonzero(np.diff(chunks, prepend=-1))
    return [(int(chunks[start]), int(start), int(stop)) for start, stop in pairwise([*starts, len(indices)])]


class StoredRaster(Raster):
    """A raster that HDF5 reads: compressed, contiguous, or in another byte order."""

    def __init__(self, dataset: h5py.Dataset) -> None:
        height, width = dataset.shape
        super().__init__((int(height), int(width)), dataset.dtype.newbyteorder("="))
        self._dataset = dataset

    def read(self, y0: int, y1: int, x0: int, x1: int) -> Pixels:
        """See :meth:`Raster.read`."""
        return np.asarray(self._dataset[y0:y1, x0:x1]).astype(self.dtype, copy=False)


class ConstantRaster(Raster):
    """A raster with one value everywhere."""

    def __init__(self, shape: tuple[int, int], dtype: np.dtype[Any], value: int) -> None:
        super().__init__(shape, dtype)
        self._value = value

    def read(self, y0: int, y1: int, x0: int, x1: int) -> Pixels:
        """See :meth:`Raster.read`."""
        return np.full((y1 - y0, x1 - x0), self._value, self.dtype)

    def sample(self, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Pixels:
        """See :meth:`Raster.sample`."""
        return np.full((len(rows), len(columns)), self._value, self.dtype)


class HalvedRaster(Raster):
    """A raster at half the resolution of another: the pyramid level of a file that stores none."""

    def __init__(self, finer: Raster) -> None:
        super().__init__(halved_shape(finer.shape), finer.dtype)
        self._finer = finer

    def read(self, y0: int, y1: int, x0: int, x1: int) -> Pixels:
        """See :meth:`Raster.read`."""
        out = np.empty((y1 - y0, x1 - x0), self.dtype)
        height, width = self._finer.shape
        per_band = max(1, BAND_BYTES // (4 * (x1 - x0) * self.dtype.itemsize))
        for top in range(y0, y1, per_band):
            bottom = min(y1, top + per_band)
            window = self._finer.read(2 * top, min(2 * bottom, height), 2 * x0, min(2 * x1, width))
            out[top - y0 : bottom - y0] = halve(window)
        return out


def halved_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """``(height, width)`` of the next coarser level; an odd last row or column keeps a pixel."""
    return -(-shape[0] // 2), -(-shape[1] // 2)


def halve(pixels: Pixels) -> Pixels:
    """Averages unsigned integers over 2 x 2 pixels, halves to even, so that levels have no bias.

    An odd last row or column is averaged with itself.

    Args:
        pixels: ``height x width`` uint8 or uint16.
    """
    height, width = pixels.shape
    if height % 2 or width % 2:
        pixels = np.pad(pixels, ((0, height % 2), (0, width % 2)), mode="edge")
    wide = np.uint16 if pixels.dtype == np.uint8 else np.uint32
    rows = np.add(pixels[0::2], pixels[1::2], dtype=wide)
    total = rows[:, 0::2] + rows[:, 1::2]
    means: Pixels = (total + 1 + ((total >> 2) & 1)) >> 2
    return means.astype(pixels.dtype)


def open_raster(dataset: h5py.Dataset, file: FileMap) -> Raster:
    """The fastest reader that a two-dimensional dataset allows.

    Args:
        dataset: in an open file.
        file: the map of the same file.
    """
    height, width = (int(n) for n in dataset.shape)
    if dataset.chunks is not None and dataset.id.get_num_chunks() == 0:
        return ConstantRaster((height, width), dataset.dtype.newbyteorder("="), int(dataset.fillvalue))
    offsets = _chunk_offsets(dataset)
    if offsets is None:
        return StoredRaster(dataset)
    return MappedRaster((height, width), dataset.dtype, file, dataset.chunks, offsets)


def _chunk_offsets(dataset: h5py.Dataset) -> NDArray[np.int64] | None:
    """Where every chunk begins, or None where the dataset cannot be mapped."""
    filtered = dataset.chunks is None or dataset.id.get_create_plist().get_nfilters() > 0
    if filtered or not dataset.dtype.isnative or dataset.file.userblock_size:
        return None
    rows, columns = dataset.chunks
    offsets = np.full((-(-dataset.shape[0] // rows), -(-dataset.shape[1] // columns)), -1, np.int64)

    def note(chunk: h5py.h5d.StoreInfo) -> None:
        row, column = chunk.chunk_offset
        offsets[row // rows, column // columns] = chunk.byte_offset

    dataset.id.chunk_iter(note)
    end = offsets.max() + rows * columns * dataset.dtype.itemsize
    whole = offsets.min() >= 0 and end <= Path(dataset.file.filename).stat().st_size
    return offsets if whole else None
