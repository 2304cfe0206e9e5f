"""Masks keep their numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from autoscope.core import ImageError
from autoscope.images import read_mask, read_micrograph, write_index_png, write_png

LABELS = np.array([[0, 1, 2], [2, 255, 0]], np.uint8)


@settings(max_examples=25, deadline=None)
@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_written_labels_are_read_back(tmp_path_factory: pytest.TempPathFactory, labels: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("mask") / "a.png"
    write_index_png(path, labels)
    np.testing.assert_array_equal(read_mask(path), labels)
    assert [file.name for file in path.parent.iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif"])
def test_grey_masks_are_not_scaled(tmp_path: Path, name: str) -> None:
    if name == "a.tif":
        tifffile.imwrite(tmp_path / name, LABELS)
    else:
        Image.fromarray(LABELS).save(tmp_path / name)
    np.testing.assert_array_equal(read_mask(tmp_path / name), LABELS)


def test_palette_gives_indices_not_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], np.uint8))
    image.putpalette([9, 9, 9, 200, 0, 0, 0, 200, 0])
    image.save(tmp_path / "a.png")
    assert read_mask(tmp_path / "a.png").tolist() == [[0, 1, 2]]


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bit_palettes_and_grey_keep_their_numbers(tmp_path: Path, bits: int) -> None:
    labels = np.arange(2**bits, dtype=np.uint8)[None]
    image = Image.fromarray(labels)
    image.putpalette(list(range(0, 3 * 2**bits)))
    image.save(tmp_path / "palette.png", bits=bits)
    np.testing.assert_array_equal(read_mask(tmp_path / "palette.png"), labels)
    (tmp_path / "grey.png").write_bytes(grey_png(labels, bits))
    np.testing.assert_array_equal(read_mask(tmp_path / "grey.png"), labels)


def grey_png(labels: np.ndarray, bits: int) -> bytes:
    """A grey PNG of one row with few bits, put together by hand (ISO/IEC 15948)."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    text = "".join(f"{int(value):0{bits}b}" for value in labels[0])
    row = bytes(int(text[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(text), 8))
    header = struct.pack(">IIBBBBB", labels.shape[1], 1, bits, 0, 0, 0, 0)
    body = zlib.compress(b"\x00" + row)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_inverted_tiff_masks_keep_their_numbers(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", LABELS, photometric="miniswhite")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), LABELS)


def test_equal_channels_are_a_mask_and_colours_are_not(tmp_path: Path) -> None:
    Image.fromarray(np.dstack([LABELS] * 3)).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "a.png"), LABELS)
    Image.fromarray(np.dstack([LABELS, LABELS, LABELS[::-1]])).save(tmp_path / "b.png")
    with pytest.raises(ImageError, match=r"b\.png: the mask is coloured"):
        read_mask(tmp_path / "b.png")


def test_lossy_wide_and_fractional_masks_are_refused(tmp_path: Path) -> None:
    Image.fromarray(LABELS).save(tmp_path / "a.jpg")
    tifffile.imwrite(tmp_path / "wide.tif", np.array([[0, 256]], np.uint16))
    tifffile.imwrite(tmp_path / "fraction.tif", np.array([[0.0, 0.5]], np.float32))
    for name, words in {"a.jpg": "JPEG", "wide.tif": "256", "fraction.tif": "float32"}.items():
        with pytest.raises(ImageError, match=words):
            read_mask(tmp_path / name)


def test_sixteen_bit_masks_with_small_numbers_are_read(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", LABELS.astype(np.uint16))
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), LABELS)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pictures_are_read_back(tmp_path: Path, dtype: type[np.generic]) -> None:
    pixels = np.arange(12).reshape(3, 4).astype(dtype)
    write_png(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(read_micrograph(tmp_path / "a.png").pixels, pixels)


def test_what_cannot_be_written_says_why(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="uint8"):
        write_index_png(tmp_path / "a.png", LABELS.astype(np.int64))  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="float64"):
        write_png(tmp_path / "a.png", LABELS / 2)  # type: ignore[arg-type]
    with pytest.raises(ImageError, match=r"absent.*cannot be written"):
        write_png(tmp_path / "absent" / "a.png", LABELS)
