from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscope_simulators.raster import FileMap, HalvedRaster, MappedRaster, halve, open_raster


@given(
    st.integers(0, 2**32 - 1), st.integers(1, 7), st.integers(1, 7), st.sampled_from([np.uint8, np.uint16])
)
def test_halving_averages_and_rounds_halves_to_even(
    seed: int, height: int, width: int, dtype: type[np.unsignedinteger]
) -> None:
    pixels = np.random.default_rng(seed).integers(0, np.iinfo(dtype).max + 1, (height, width), dtype)
    padded = np.pad(pixels, ((0, height % 2), (0, width % 2)), mode="edge").astype(float)
    means = (padded[0::2, 0::2] + padded[1::2, 0::2] + padded[0::2, 1::2] + padded[1::2, 1::2]) / 4
    got = halve(pixels)
    assert got.dtype == dtype
    np.testing.assert_array_equal(got, np.rint(means))


def test_a_map_is_made_anew_before_too_much_of_it_is_resident(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (512, 512), np.uint8)
    with h5py.File(tmp_path / "f.h5", "w", libver="v110") as file:
        file.create_dataset("d", data=pixels, chunks=(64, 64))
    with h5py.File(tmp_path / "f.h5") as file:
        small = FileMap(tmp_path / "f.h5", limit_bytes=3 * 64 * 64)
        raster = open_raster(file["d"], small)
        assert isinstance(raster, MappedRaster)
        maps = []
        for y in range(0, 512, 64):
            np.testing.assert_array_equal(raster.read(y, y + 64, 3, 500), pixels[y : y + 64, 3:500])
            maps.append(small._map)
            assert small._touched_bytes <= 4 * 64 * 64
        assert maps[0] is not maps[-1]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 511), min_size=0, max_size=20), st.lists(st.integers(0, 299), max_size=20))
def test_sampling_is_fancy_indexing(rows: list[int], columns: list[int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (512, 300), np.uint8)
    y, x = np.array(sorted(rows), np.intp), np.array(sorted(columns), np.intp)
    with h5py.File.in_memory() as file:
        stored = open_raster(file.create_dataset("d", data=pixels), None)  # type: ignore[arg-type]
        np.testing.assert_array_equal(stored.sample(y, x), pixels[np.ix_(y, x)])


def test_mapped_sampling_is_fancy_indexing(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (500, 300), np.uint8)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_dataset("d", data=pixels, chunks=(64, 128))
    y, x = np.array([0, 0, 63, 64, 65, 499]), np.arange(1, 300, 7)
    with h5py.File(tmp_path / "f.h5") as file:
        raster = open_raster(file["d"], FileMap(tmp_path / "f.h5"))
        np.testing.assert_array_equal(raster.sample(y, x), pixels[np.ix_(y, x)])
        np.testing.assert_array_equal(raster.sample(y[:0], x), pixels[:0, x])


def test_a_halved_raster_reads_in_bands_what_it_would_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (301, 213), np.uint8)
    monkeypatch.setattr("autoscope_simulators.raster.BAND_BYTES", 2000)
    with h5py.File.in_memory() as file:
        half = HalvedRaster(open_raster(file.create_dataset("d", data=pixels), None))  # type: ignore[arg-type]
        assert half.shape == (151, 107)
        np.testing.assert_array_equal(half.read(0, 151, 0, 107), halve(pixels))
        np.testing.assert_array_equal(half.read(7, 140, 3, 99), halve(pixels)[7:140, 3:99])
