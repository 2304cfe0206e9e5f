from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from autoscope.core import Rectangle, SpecimenError
from autoscope_simulators import Inclusion, SpecimenData, SpecimenFile, SpecimenWriter, write_specimen


def full_data(
    shape: tuple[int, int] = (300, 410), dtype: type[np.unsignedinteger] = np.uint8
) -> SpecimenData:
    rng = np.random.default_rng(3)
    return SpecimenData(
        name="small",
        pixel_nm=50.0,
        synthetic=False,
        source="a test",
        licence="MIT",
        detectors={
            "bse": rng.integers(0, np.iinfo(dtype).max, shape, dtype),
            "se": rng.integers(0, 255, shape, np.uint8),
        },
        valid=rng.random(shape) < 0.9,
        tiles=((0, 0, 200, 300), (210, 0, 200, 300)),
        classes=rng.integers(0, 2, shape, np.uint8),
        class_names=("ferrite", "pearlite"),
        inclusions=(Inclusion(1.5, 2.5, 0.7, "oxide"),),
        grains=rng.integers(0, 70000, shape, np.uint32),
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_specimen_comes_back_as_it_was_written(tmp_path: Path, dtype: type[np.unsignedinteger]) -> None:
    data = full_data(dtype=dtype)
    write_specimen(data, tmp_path / "s.h5")
    with SpecimenFile(tmp_path / "s.h5") as specimen:
        assert (specimen.name, specimen.pixel_nm, specimen.synthetic) == ("small", 50.0, False)
        assert (specimen.source, specimen.licence) == ("a test", "MIT")
        assert specimen.shape == (300, 410)
        assert specimen.extent == Rectangle(0, 0, 20.5, 15.0)
        assert specimen.tiles == (Rectangle(0, 0, 10, 15), Rectangle(10.5, 0, 20.5, 15))
        assert specimen.detectors == ("bse", "se")
        assert specimen.class_names == ("ferrite", "pearlite")
        assert specimen.has_truth
        assert not specimen.has_eds
        assert specimen.inclusions == data.inclusions
        for name in data.detectors:
            np.testing.assert_array_equal(specimen.levels(name)[0].read(0, 300, 0, 410), data.detectors[name])
        np.testing.assert_array_equal(specimen.truth_window(specimen.extent), data.classes)
        np.testing.assert_array_equal(specimen.valid_pixels(specimen.extent), data.valid)
        np.testing.assert_array_equal(specimen.grains_window(specimen.extent), data.grains)
        assert len(specimen.sha256) == 64
    assert list(tmp_path.iterdir()) == [tmp_path / "s.h5"]


def test_the_file_is_what_the_contract_says(tmp_path: Path) -> None:
    write_specimen(full_data(), tmp_path / "s.h5")
    with h5py.File(tmp_path / "s.h5") as file:
        assert file.attrs["schema"] == "autoscope.specimen/1"
        assert bool(file.attrs["synthetic"]) is False
        assert file["/detectors/bse"].shape == file["/valid"].shape == file["/truth/classes"].shape
        assert file["/pyramid/bse/1"].shape == (150, 205)
        assert list(file["/truth/classes"].attrs["class_names"]) == ["ferrite", "pearlite"]
        assert file["/truth/inclusions"].dtype.names == ("x_um", "y_um", "equivalent_diameter_um", "class")


def test_levels_are_two_by_two_averages_without_bias(
    specimen: SpecimenFile, texture: NDArray[np.uint8]
) -> None:
    expected = texture.astype(float)
    for raster in specimen.levels("bse")[1:]:
        expected = expected.reshape(len(expected) // 2, 2, -1, 2).mean(axis=(1, 3))
        got = raster.read(0, raster.shape[0], 0, raster.shape[1]).astype(float)
        assert abs(got - expected).max() <= 1.0
        assert abs((got - expected).mean()) < 0.02


def test_without_a_mask_everything_is_specimen_and_costs_no_disk(specimen_path: Path) -> None:
    with h5py.File(specimen_path) as file:
        assert file["/valid"][...].all()
        assert file["/valid"].id.get_storage_size() == 0
    with SpecimenFile(specimen_path) as specimen:
        assert specimen.valid_fraction(Rectangle(-5.0, 0, 5.0, 10)) == 0.5


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(x0=st.floats(-2, 19), y0=st.floats(-2, 14), width=st.floats(0.06, 25), height=st.floats(0.06, 20))
def test_valid_fraction_is_exact(
    masked: SpecimenFile, x0: float, y0: float, width: float, height: float
) -> None:
    valid = masked.valid_pixels(masked.extent)
    centres_x, centres_y = (np.arange(410) + 0.5) * 0.05, (np.arange(300) + 0.5) * 0.05
    rows = (centres_y >= y0 - 1e-9) & (centres_y < y0 + height - 1e-9)
    columns = (centres_x >= x0 - 1e-9) & (centres_x < x0 + width - 1e-9)
    rectangle = Rectangle(x0, y0, x0 + width, y0 + height)
    top, bottom, left, right = masked.window_px(rectangle)
    area = (bottom - top) * (right - left)
    expected = valid[np.ix_(rows, columns)].sum() / area if area else 0.0
    assert masked.valid_fraction(rectangle) == expected


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> SpecimenFile:
    """Large valid, large empty and speckled parts, so that every way of counting is taken."""
    valid = np.ones((300, 410), bool)
    valid[:130, :150] = False
    valid[200:, 100:200] = np.random.default_rng(0).random((100, 100)) < 0.5
    path = tmp_path_factory.mktemp("masked") / "s.h5"
    write_specimen(replace(full_data(), valid=valid), path)
    return SpecimenFile(path)


def test_valid_window_takes_the_nearest_pixel(masked: SpecimenFile) -> None:
    native = masked.valid_pixels(masked.extent)
    np.testing.assert_array_equal(masked.valid_window(masked.extent, (300, 410)), native)
    np.testing.assert_array_equal(masked.valid_window(masked.extent, (100, 205)), native[1::3, 1::2])
    outside = masked.valid_window(Rectangle(-10.0, -10.0, 10.0, 10.0), (4, 4))
    assert not outside[:2].any()
    assert not outside[:, :2].any()


def test_neighbouring_rectangles_share_no_pixel(specimen: SpecimenFile) -> None:
    edges = np.linspace(0, 102.4, 8)
    spans = [
        specimen.window_px(Rectangle(float(a), 0, float(b), 1))[2:] for a, b in itertools.pairwise(edges)
    ]
    assert spans[0][0] == 0
    assert spans[-1][1] == 1024
    assert all(left[1] == right[0] for left, right in itertools.pairwise(spans))


def test_files_that_others_wrote_are_read_too(tmp_path: Path, texture: NDArray[np.uint8]) -> None:
    """Contiguous, compressed or big-endian datasets, no pyramid, no valid mask, bytes for texts."""
    expected = None
    for storage in ({}, {"compression": "gzip", "chunks": (100, 300)}, {"dtype": ">u2", "chunks": (64, 64)}):
        path = tmp_path / f"{len(storage)}{storage.get('dtype', '')[1:]}.h5"
        with h5py.File(path, "w") as file:
            file.attrs.update(
                schema=b"autoscope.specimen/1",
                name=b"other",
                pixel_nm=100,
                synthetic=True,
                source="",
                licence="",
            )
            file.create_dataset("/detectors/se", data=texture, **storage)
        with SpecimenFile(path) as specimen:
            assert specimen.name == "other"
            native, half, *_ = specimen.levels("se")
            np.testing.assert_array_equal(native.read(3, 900, 5, 1000), texture[3:900, 5:1000])
            window = half.read(10, 500, 20, 490)
            expected = window if expected is None else expected
            np.testing.assert_array_equal(window, expected)
            assert specimen.valid_fraction(specimen.extent) == 1.0
            assert not specimen.has_truth
            with pytest.raises(SpecimenError, match="no true classes"):
                specimen.truth_window(specimen.extent)


def test_truth_outside_the_specimen_is_refused(specimen: SpecimenFile) -> None:
    with pytest.raises(SpecimenError, match=r"reaches outside specimen 'texture', which is 102.4 x 102.4 um"):
        specimen.truth_window(Rectangle(100, 0, 110, 10))


def test_a_missing_or_damaged_file_is_named(tmp_path: Path, specimen_path: Path) -> None:
    with pytest.raises(SpecimenError, match=r"there is no specimen file .*nothing\.h5"):
        SpecimenFile(tmp_path / "nothing.h5")
    (tmp_path / "text.h5").write_text("not HDF5")
    with pytest.raises(SpecimenError, match=r"text\.h5 is damaged or is not a specimen file"):
        SpecimenFile(tmp_path / "text.h5")
    whole = specimen_path.read_bytes()
    (tmp_path / "half.h5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SpecimenError, match=r"half\.h5 is damaged"):
        SpecimenFile(tmp_path / "half.h5")


def test_another_schema_and_everything_that_is_lacking_are_named(tmp_path: Path) -> None:
    path = tmp_path / "s.h5"
    with h5py.File(path, "w") as file:
        file.attrs["schema"] = "autoscope.specimen/9"
    with pytest.raises(SpecimenError, match=r"its schema is 'autoscope.specimen/9'"):
        SpecimenFile(path)
    with h5py.File(path, "w") as file:
        file.attrs.update(schema="autoscope.specimen/1", name="n", synthetic=True)
    with pytest.raises(
        SpecimenError, match="lacks attribute pixel_nm, attribute source, attribute licence, /det"
    ):
        SpecimenFile(path)


def test_rasters_of_different_shapes_are_refused(specimen_path: Path) -> None:
    with h5py.File(specimen_path, "a") as file:
        del file["/valid"]
        file["/valid"] = np.ones((10, 10), bool)
    with pytest.raises(
        SpecimenError, match=r"/valid \(10, 10\) differ in shape from /detectors/bse \(1024, 1024\)"
    ):
        SpecimenFile(specimen_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pixel_nm": 0.0}, "pixel_nm = 0 nm must be positive"),
        ({"detectors": {}}, "no detector image"),
        ({"detectors": {"eds": np.zeros((300, 410), np.uint8)}}, "'eds' is not one of bse, se"),
        ({"detectors": {"bse": np.zeros((300, 410))}}, "float64 pixels"),
        ({"valid": np.ones((3, 3), bool)}, r"differ in shape.*valid \(3, 3\)"),
        ({"class_names": ("one",)}, "classes go up to 1, but there are 1 class names"),
        ({"tiles": ((300, 0, 200, 300),)}, r"tile \(300, 0, 200, 300\) px reaches outside the 410 x 300 px"),
    ],
)
def test_data_that_do_not_fit_together_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(SpecimenError, match=message):
        replace(full_data(), **change)


def test_a_writer_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "s.h5"
    write_specimen(full_data(), path)
    before = path.read_bytes()
    with pytest.raises(ZeroDivisionError), _writer(path, (64, 64)) as writer:
        writer.write_rows(0, {"bse": np.zeros((32, 64), np.uint8)})
        _ = 1 / 0
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecimenError, match=r"nowhere.s\.h5 cannot be written"):
        write_specimen(full_data(), tmp_path / "nowhere" / "s.h5")


def test_rows_in_any_bands_make_the_same_file(tmp_path: Path, texture: NDArray[np.uint8]) -> None:
    with _writer(tmp_path / "a.h5", texture.shape) as writer:
        for y0 in range(0, 1024, 100):
            writer.write_rows(y0, {"bse": texture[y0 : y0 + 100]})
    with SpecimenFile(tmp_path / "a.h5") as specimen:
        np.testing.assert_array_equal(specimen.levels("bse")[0].read(0, 1024, 0, 1024), texture)
        assert specimen.levels("bse")[-1].shape == (256, 256)


def _writer(path: Path, shape: tuple[int, ...]) -> SpecimenWriter:
    height, width = shape
    return SpecimenWriter(
        path, shape=(height, width), pixel_nm=100.0, name="n", synthetic=True, source="", licence="",
        detectors={"bse": np.uint8},
    )  # fmt: skip
