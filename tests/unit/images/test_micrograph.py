"""Reading micrographs: what is stored is what is read, and what cannot be read says why."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from autoscope.core import ImageError
from autoscope.images import grey as grey_module
from autoscope.images import read_mask, read_micrograph


def noise(*shape: int, dtype: type[np.unsignedinteger] = np.uint8) -> np.ndarray:
    """The same noise in every process and in any order of tests."""
    return np.random.default_rng(3).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


GREY8 = noise(24, 31)
GREY16 = noise(24, 31, dtype=np.uint16)


def data(relative: str) -> Path:
    path = Path(os.environ.get("AUTOSCOPE_DATA", "../shared/data")) / relative
    if not path.exists():
        pytest.skip(f"{relative} is not there: set AUTOSCOPE_DATA to the folder of real micrographs")
    return path


def save(path: Path, pixels: np.ndarray, **options: object) -> Path:
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels, **options)
    else:
        Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("pixels", [GREY8, GREY16], ids=["8 bit", "16 bit"])
@pytest.mark.parametrize("name", ["a.png", "a.tif", "no_suffix_needed.dat"])
def test_grey_is_read_as_stored(tmp_path: Path, name: str, pixels: np.ndarray) -> None:
    path = save(tmp_path / (name if name.endswith(("png", "tif")) else "x.png"), pixels)
    path = path.rename(tmp_path / name)
    read = read_micrograph(path)
    np.testing.assert_array_equal(read.pixels, pixels)
    assert read.pixels.dtype == pixels.dtype
    assert (read.pixel_nm, read.vendor, dict(read.metadata)) == (None, None, {})


@settings(max_examples=25, deadline=None)
@given(arrays(np.uint16, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_sixteen_bit_png_survives(tmp_path_factory: pytest.TempPathFactory, pixels: np.ndarray) -> None:
    path = save(tmp_path_factory.mktemp("png") / "a.png", pixels)
    np.testing.assert_array_equal(read_micrograph(path).pixels, pixels)


@pytest.mark.parametrize("compression", ["zlib", "lzw", "packbits"])
def test_compressed_tiff(tmp_path: Path, compression: str) -> None:
    path = save(tmp_path / "a.tif", GREY16, compression=compression)
    np.testing.assert_array_equal(read_micrograph(path).pixels, GREY16)


def test_bmp_and_jpeg(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_micrograph(save(tmp_path / "a.bmp", GREY8)).pixels, GREY8)
    smooth = np.tile(np.arange(64, dtype=np.uint8), (16, 1))
    jpeg = read_micrograph(save(tmp_path / "a.jpg", smooth, quality=95)).pixels
    assert np.abs(jpeg.astype(int) - smooth).max() <= 4


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colour_turns_to_grey_by_bt601(tmp_path: Path, suffix: str) -> None:
    colour = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]]], np.uint8)
    read = read_micrograph(save(tmp_path / f"a{suffix}", colour))
    assert read.pixels.tolist() == [[76, 150, 29, 18]]  # 76.245, 149.685, 29.07, 18.15
    assert "BT.601" in read.metadata["note.colour"]


def test_large_colour_is_weighed_in_parts_that_join(tmp_path: Path) -> None:
    tall = noise(2 * grey_module._ROWS_AT_ONCE + 7, 3, 3)
    read = read_micrograph(save(tmp_path / "a.png", tall)).pixels
    assert np.abs(read - tall @ [0.299, 0.587, 0.114]).max() <= 0.5 + 1e-9


def test_equal_channels_are_taken_exactly(tmp_path: Path) -> None:
    read = read_micrograph(save(tmp_path / "a.png", np.dstack([GREY8] * 3)))
    np.testing.assert_array_equal(read.pixels, GREY8)
    assert "equal" in read.metadata["note.colour"]


def test_opaque_alpha_is_dropped_and_transparency_refused(tmp_path: Path) -> None:
    opaque = np.dstack([GREY8, GREY8, GREY8, np.full_like(GREY8, 255)])
    np.testing.assert_array_equal(read_micrograph(save(tmp_path / "a.png", opaque)).pixels, GREY8)
    opaque[3, 4, 3] = 0
    with pytest.raises(ImageError, match="transparent"):
        read_micrograph(save(tmp_path / "b.png", opaque))


def test_palette_shows_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1]], np.uint8))
    image.putpalette([7, 7, 7, 200, 200, 200])
    image.save(tmp_path / "a.png")
    assert read_micrograph(tmp_path / "a.png").pixels.tolist() == [[7, 200]]


def test_palette_tiff_shows_its_colours(tmp_path: Path) -> None:
    colours = np.repeat(np.arange(255, -1, -1, dtype=np.uint16)[None] * 257, 3, axis=0)
    path = save(tmp_path / "a.tif", GREY8, photometric="palette", colormap=colours)
    np.testing.assert_array_equal(read_micrograph(path).pixels, 255 - GREY8)


def test_white_is_zero_is_inverted(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tif", GREY16, photometric="miniswhite")
    read = read_micrograph(path)
    np.testing.assert_array_equal(read.pixels, 65535 - GREY16)
    assert "inverted" in read.metadata["note.colour"]


def test_one_bit_is_black_and_white(tmp_path: Path) -> None:
    Image.fromarray(GREY8 > 100).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_micrograph(tmp_path / "a.png").pixels, np.where(GREY8 > 100, 255, 0))


def test_planar_colour_tiff(tmp_path: Path) -> None:
    planar = np.ascontiguousarray(np.moveaxis(np.dstack([GREY8] * 3), -1, 0))
    path = save(tmp_path / "a.tif", planar, photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_micrograph(path).pixels, GREY8)


def test_a_thumbnail_beside_the_image_is_passed_over(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        writer.write(GREY8, metadata=None)
        writer.write(GREY8[::4, ::4].copy(), subfiletype=1, metadata=None)
    np.testing.assert_array_equal(read_micrograph(tmp_path / "a.tif").pixels, GREY8)


# -- what is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pixels", "options", "words"),
    [
        (GREY8.astype(np.float32), {}, "float32"),
        (GREY8.astype(np.int32), {}, "int32"),
        (np.stack([GREY8] * 5), {"metadata": None}, "5 pages"),
        (np.stack([GREY8] * 4), {"imagej": True}, "4 pages"),
        (np.stack([GREY8] * 16), {"volumetric": True, "metadata": None, "tile": (16, 16, 16)}, "volume"),
    ],
    ids=["float", "signed", "pages", "ImageJ stack", "volume"],
)
def test_tiffs_that_need_a_choice_are_refused(
    tmp_path: Path, pixels: np.ndarray, options: dict[str, object], words: str
) -> None:
    path = save(tmp_path / "a.tif", pixels, **options)
    with pytest.raises(ImageError, match=words) as caught:
        read_micrograph(path)
    assert str(path) in str(caught.value)


def test_missing_empty_folder_and_other_formats(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    (tmp_path / "words.png").write_text("this is not an image, it is a sentence about one")
    Image.fromarray(GREY8).save(tmp_path / "a.gif")
    for name, words in {
        "absent.png": "no such image",
        "empty.png": "empty",
        "words.png": "not a TIFF, PNG, JPEG or BMP",
        "a.gif": "not a TIFF, PNG, JPEG or BMP",
        ".": "folder",
    }.items():
        with pytest.raises(ImageError, match=words) as caught:
            read_micrograph(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.bmp", "a.tif", "lzw.tif", "zlib.tif"])
@pytest.mark.parametrize("share", [0.03, 0.3, 0.6, 0.9])
def test_a_file_cut_short_is_an_error_and_never_black_pixels(tmp_path: Path, name: str, share: float) -> None:
    stem = Path(name).stem
    path = save(
        tmp_path / name, noise(200, 300), **({} if stem == "a" else {"compression": stem, "rowsperstrip": 20})
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(ImageError, match=name):
        read_micrograph(path)


def test_damage_inside_a_png_is_found(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", noise(200, 300))
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(bytes(raw))
    with pytest.raises(ImageError, match="damaged"):
        read_micrograph(path)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_raise_nothing_but_image_errors(
    tmp_path_factory: pytest.TempPathFactory, draw: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    name = draw.draw(st.sampled_from(["a.png", "a.jpg", "a.bmp", "a.tif"]))
    path = save(folder / name, GREY8)
    raw = bytearray(path.read_bytes())
    for _ in range(draw.draw(st.integers(1, 4))):
        raw[draw.draw(st.integers(0, min(len(raw), 700) - 1))] = draw.draw(st.integers(0, 255))
    path.write_bytes(bytes(raw[: draw.draw(st.integers(1, len(raw)))]))
    try:
        assert read_micrograph(path).pixels.ndim == 2
        assert read_mask(path).size > 0
    except ImageError as error:
        assert name in str(error)


def test_the_limit_on_size_is_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grey_module, "MAX_PIXELS", 700)
    for name in ("a.png", "a.tif"):
        with pytest.raises(ImageError, match=r"744 px, the limit is 700 px"):
            read_micrograph(save(tmp_path / name, GREY8))


def test_pillows_own_limit_comes_back(tmp_path: Path) -> None:
    before = Image.MAX_IMAGE_PIXELS
    read_micrograph(save(tmp_path / "a.png", GREY8))
    assert before == Image.MAX_IMAGE_PIXELS


# -- real files ---------------------------------------------------------------------------------------


@pytest.mark.data
def test_a_real_zeiss_image() -> None:
    read = read_micrograph(data("grains/sem_alpha_beta_ti_6al_4v.tif"))
    assert (read.pixels.shape, read.vendor) == ((768, 1024), "zeiss")
    assert read.pixel_nm == pytest.approx(111.65, rel=1e-3)  # printed in the file as 111.6 nm
    assert read.metadata["ap_actualkv"] == "25.0 kV"


@pytest.mark.data
def test_a_mosaic_of_98_megapixels() -> None:
    read = read_micrograph(data("dendritic/mosaic_half.jpg"))
    assert (read.pixels.shape, read.pixels.dtype) == ((13251, 7386), np.uint8)
