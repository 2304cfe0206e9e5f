"""Pixel sizes out of the vendors' tags and text files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from autoscope.images import Micrograph, read_micrograph

PIXELS = np.zeros((96, 128), np.uint8)

ZEISS = (
    "0\r\n0\r\n0\r\n{scale}\r\nAP_IMAGE_PIXEL_SIZE\r\nImage Pixel Size = {printed}\r\n"
    "AP_WD\r\nWD = 8.5 mm\r\nAP_DATE\r\nDate :12 May 2023\r\n"
)
FEI = (
    "[User]\r\nDate=12/05/2023\r\n[Scan]\r\nPixelWidth=1.25e-008\r\nPixelHeight={height}\r\n"
    "[Image]\r\nResolutionX=128\r\nResolutionY=88\r\n[EBeam]\r\nHV=20000\r\n"
)
TESCAN = (
    b"\x01\x00\x00\x00[MAIN]\r\nMagnification=5000\r\nPixelSizeX=2.5e-8\r\nPixelSizeY=2.5e-8\r\n"
    b"ImageStripSize=16\r\n[SEM]\r\nHV=15000.0\r\nWD=0.0101\r\n"
)
JEOL = (
    "$CM_FORMAT PC-SEM\r\n$CM_ACCEL_VOLT 15.00\r\n$CM_IMAGE_SIZE 128 90\r\n"
    "$$SM_MICRON_BAR 80\r\n$$SM_MICRON_MARKER 10um\r\n"
)
HITACHI = "[SemImageFile]\r\nInstructName=SU8000\r\nPixelSize=24.80469\r\n"


def tiff(folder: Path, tag: int | None = None, text: str | bytes = b"", **options: object) -> Micrograph:
    raw = text.encode() if isinstance(text, str) else text
    extra = [] if tag is None else [(tag, 7 if tag == 50431 else 2, len(raw), raw, True)]
    tifffile.imwrite(
        folder / "a.tif", PIXELS, extratags=extra, metadata=options.pop("metadata", None), **options
    )
    return read_micrograph(folder / "a.tif")


def test_zeiss_scale_is_per_1024_columns(tmp_path: Path) -> None:
    read = tiff(tmp_path, 34118, ZEISS.format(scale="1.1165e-07", printed="893.2 nm"))
    assert (read.vendor, read.pixel_nm) == ("zeiss", pytest.approx(111.65 * 1024 / 128))
    assert read.metadata["ap_wd"] == "8.5 mm"


def test_zeiss_printed_size_decides_where_the_two_differ(tmp_path: Path) -> None:
    read = tiff(tmp_path, 34118, ZEISS.format(scale="1.1165e-07", printed="0.1 µm"))
    assert read.pixel_nm == pytest.approx(100.0)


@pytest.mark.parametrize("tag", [34680, 34682], ids=["SFEG", "HELIOS"])
def test_fei_scan_section_and_data_bar(tmp_path: Path, tag: int) -> None:
    read = tiff(tmp_path, tag, FEI.format(height="1.25e-008"))
    assert (read.vendor, read.pixel_nm) == ("fei", pytest.approx(12.5))
    assert read.metadata["EBeam.HV"] == "20000"
    assert "lowest 8 rows" in read.metadata["note.data_bar"]


def test_pixels_that_are_not_square_have_no_pixel_size(tmp_path: Path) -> None:
    read = tiff(tmp_path, 34680, FEI.format(height="1.5e-008"), resolution=(20000, 20000))
    assert read.pixel_nm is None
    assert "not square (12.5 x 15 nm" in read.metadata["note.pixel_size"]


def test_tescan_tag(tmp_path: Path) -> None:
    read = tiff(tmp_path, 50431, TESCAN)
    assert (read.vendor, read.pixel_nm) == ("tescan", pytest.approx(25.0))
    assert "lowest 16 rows" in read.metadata["note.data_bar"]


@pytest.mark.parametrize(
    ("name", "text", "vendor", "pixel_nm"),
    [
        ("a.txt", JEOL.encode("latin-1"), "jeol", 125.0),
        ("a.txt", HITACHI.encode("utf-16"), "hitachi", 24.80469),
        ("a.txt", HITACHI.encode(), "hitachi", 24.80469),
        ("a.hdr", TESCAN[4:], "tescan", 25.0),
        ("a-tif.hdr", TESCAN[4:], "tescan", 25.0),
    ],
    ids=["JEOL", "Hitachi UTF-16", "Hitachi", "TESCAN", "TESCAN long name"],
)
def test_text_beside_the_image(tmp_path: Path, name: str, text: bytes, vendor: str, pixel_nm: float) -> None:
    (tmp_path / name).write_bytes(text)
    read = tiff(tmp_path)
    assert (read.vendor, read.pixel_nm) == (vendor, pytest.approx(pixel_nm))


def test_jeol_data_bar(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(JEOL)
    assert "lowest 6 rows" in tiff(tmp_path).metadata["note.data_bar"]


def test_other_text_beside_the_image_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("notes = to myself\nPixelSize=3\n")
    read = tiff(tmp_path)
    assert (read.vendor, read.pixel_nm) == (None, None)


@pytest.mark.parametrize(("unit", "nm"), [("um", 50.0), ("nm", 0.05), ("micron", 50.0), ("\\u00B5m", 50.0)])
def test_imagej_unit(tmp_path: Path, unit: str, nm: float) -> None:
    tifffile.imwrite(tmp_path / "a.tif", PIXELS, imagej=True, resolution=(20, 20), metadata={"unit": unit})
    read = read_micrograph(tmp_path / "a.tif")
    assert read.pixel_nm == pytest.approx(nm)
    assert read.metadata["note.pixel_size"] == "ImageJ metadata"


def test_ome_physical_size(tmp_path: Path) -> None:
    metadata = {"PhysicalSizeX": 0.4, "PhysicalSizeY": 0.4, "axes": "YX"}
    tifffile.imwrite(tmp_path / "a.ome.tif", PIXELS, ome=True, metadata=metadata)
    read = read_micrograph(tmp_path / "a.ome.tif")
    assert read.pixel_nm == pytest.approx(400.0)


@pytest.mark.parametrize(
    ("resolution", "unit", "nm"),
    [((300, 300), 2, None), ((254_000, 254_000), 2, 100.0), ((1e6, 1e6), 3, 10.0), ((1e6, 1e6), 1, None)],
    ids=["a printer's dpi", "inch", "centimetre", "no unit"],
)
def test_resolution_tags(
    tmp_path: Path, resolution: tuple[float, float], unit: int, nm: float | None
) -> None:
    read = tiff(tmp_path, resolution=resolution, resolutionunit=unit)
    assert read.pixel_nm == (None if nm is None else pytest.approx(nm))


def test_a_vendor_without_a_scale_still_says_who_it_is(tmp_path: Path) -> None:
    read = tiff(tmp_path, 34118, "AP_WD\r\nWD = 8.5 mm\r\n", resolution=(1e6, 1e6), resolutionunit=3)
    assert (read.vendor, read.pixel_nm) == ("zeiss", pytest.approx(10.0))
    assert read.metadata["note.pixel_size"] == "resolution tag"
