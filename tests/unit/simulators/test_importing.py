from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from autoscope.core import ConfigurationError, ImageError
from autoscope_simulators import SpecimenFile, excluded_fraction, import_specimen, write_specimen
from autoscope_simulators.gaps import find_gaps

DATA = Path(os.environ.get("AUTOSCOPE_DATA", Path(__file__).parents[3] / "../shared/data"))


def save(path: Path, pixels: NDArray[np.generic]) -> Path:
    Image.fromarray(pixels).save(path)
    return path


def noise(shape: tuple[int, int], seed: int = 0, low: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(low, 255, shape, np.uint8)


def tiff(path: Path, pixels: NDArray[np.generic], pixel_nm: float) -> Path:
    per_cm = 1e7 / pixel_nm
    tifffile.imwrite(path, pixels, resolution=(per_cm, per_cm), resolutionunit="CENTIMETER")
    return path


def test_several_images_become_tiles_with_black_between_them(tmp_path: Path) -> None:
    shapes = [(40, 100), (60, 80), (30, 120)]
    pixels = [noise(shape, seed) for seed, shape in enumerate(shapes)]
    images = [save(tmp_path / f"{i}.png", p) for i, p in enumerate(pixels)]
    data = import_specimen(images, pixel_nm=20.0)
    assert data.valid is not None
    assert len(data.tiles) == 3
    assert data.valid.sum() == sum(p.size for p in pixels)
    for (x, y, width, height), expected in zip(data.tiles, pixels, strict=True):
        np.testing.assert_array_equal(data.detectors["bse"][y : y + height, x : x + width], expected)
        assert data.valid[y : y + height, x : x + width].all()
    boxes = [(x - 16, y - 16, x + w + 16, y + h + 16) for x, y, w, h in data.tiles]
    for i, a in enumerate(boxes):
        for b in boxes[i + 1 :]:
            assert a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3], "tiles closer than the gap"
    assert excluded_fraction(data) == 0.0
    write_specimen(data, tmp_path / "s.h5")
    with SpecimenFile(tmp_path / "s.h5") as specimen:
        assert len(specimen.tiles) == 3
        assert all(specimen.valid_fraction(tile) == 1.0 for tile in specimen.tiles)
        assert specimen.valid_fraction(specimen.extent) < 1.0


def test_masks_go_with_their_images(tmp_path: Path) -> None:
    images = [save(tmp_path / f"{i}.png", noise((20, 30), i)) for i in range(2)]
    masks = [save(tmp_path / f"m{i}.png", np.full((20, 30), i + 1, np.uint8)) for i in range(2)]
    data = import_specimen(images, masks, pixel_nm=20.0, class_names=("a", "b", "c"))
    assert data.classes is not None
    for i, (x, y, width, height) in enumerate(data.tiles):
        assert (data.classes[y : y + height, x : x + width] == i + 1).all()


def test_a_mask_of_0_and_255_is_two_classes(tmp_path: Path) -> None:
    images = [save(tmp_path / f"{i}.png", noise((20, 30), i)) for i in range(2)]
    first = np.zeros((20, 30), np.uint8)
    first[5:9] = 255
    masks = [save(tmp_path / "m0.png", first), save(tmp_path / "m1.png", np.zeros((20, 30), np.uint8))]
    data = import_specimen(images, masks, pixel_nm=20.0, class_names=("base", "melt_pool"))
    assert data.classes is not None
    x, y, width, height = data.tiles[0]
    np.testing.assert_array_equal(data.classes[y : y + height, x : x + width], first // 255)
    assert data.classes.sum() == 4 * 30


def test_the_pixel_size_comes_from_the_metadata_unless_it_is_given(tmp_path: Path) -> None:
    images = [tiff(tmp_path / f"{i}.tif", noise((20, 30), i), 25.0) for i in range(2)]
    assert import_specimen(images).pixel_nm == pytest.approx(25.0, rel=1e-6)
    assert import_specimen(images, pixel_nm=31.0).pixel_nm == 31.0


def test_large_black_patches_are_no_specimen(tmp_path: Path) -> None:
    pixels = noise((600, 600))
    pixels[100:200, 300:450] = 0  # 15 000 px: missing
    pixels[400:430, 100:130] = 0  # 900 px: a pore
    pixels[500:, 500:] = 1  # as large as the first, but not black
    path = save(tmp_path / "a.png", pixels)
    data = import_specimen([path], pixel_nm=10.0)
    assert data.valid is not None
    expected = np.ones((600, 600), bool)
    expected[100:200, 300:450] = False
    np.testing.assert_array_equal(data.valid, expected)
    assert excluded_fraction(data) == pytest.approx(15000 / 360000)
    assert import_specimen([path], pixel_nm=10.0, detect_gaps=False).valid is None


def test_the_rim_that_jpeg_makes_around_a_gap_goes_with_it() -> None:
    pixels = noise((600, 600), low=40)
    pixels[100:200, 100:200] = 0
    pixels[98:202, 200:202] = 3
    pixels[300:310] = 3  # nearly black, but nowhere near a gap
    assert find_gaps(pixels).sum() == 100 * 100
    gaps = find_gaps(pixels, jpeg=True)
    assert gaps.sum() == 100 * 100 + 104 * 2
    assert not gaps[300:310].any()


def test_an_explicit_mask_says_what_is_specimen(tmp_path: Path) -> None:
    image, valid = save(tmp_path / "a.png", noise((50, 50))), np.ones((50, 50), np.uint8)
    valid[:10] = 0
    data = import_specimen([image], valid_masks=[save(tmp_path / "v.png", valid)], pixel_nm=10.0)
    assert excluded_fraction(data) == pytest.approx(0.2)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    labels = (np.arange(600).reshape(20, 30) % 4).astype(np.uint8)
    return save(tmp_path / "image.png", noise((20, 30))), save(tmp_path / "mask.png", labels)


def test_bad_input_is_one_line_that_names_the_thing(tmp_path: Path, pair: tuple[Path, Path]) -> None:
    image, mask = pair
    small = save(tmp_path / "small.png", np.zeros((10, 30), np.uint8))
    deep = tmp_path / "deep.png"
    Image.fromarray(np.ones((20, 30), np.uint16)).save(deep)
    (tmp_path / "torn.png").write_bytes(image.read_bytes()[:60])
    four = ("a", "b", "c", "d")
    cases = [
        (([],), {}, ConfigurationError, "no image"),
        (([image],), {}, ConfigurationError, r"not in the metadata of .*image\.png: give it with --pixel-nm"),
        (([image],), {"pixel_nm": 0.0}, ConfigurationError, "pixel size is 0 nm: it must be positive"),
        (([image], [mask]), {"pixel_nm": 1.0}, ConfigurationError, "masks need the names of their classes"),
        (([image],), {"pixel_nm": 1.0, "class_names": four}, ConfigurationError, "without masks"),
        (([image], [mask] * 2), {"pixel_nm": 1.0, "class_names": four}, ConfigurationError, "1 images but 2"),
        (([image], [mask]), {"pixel_nm": 1.0, "class_names": ("a", "a")}, ConfigurationError, "different"),
        (
            ([image], [small]), {"pixel_nm": 1.0, "class_names": four}, ImageError,
            r"mask .*small\.png is 30 x 10 px, its image .*image\.png is 30 x 20 px",
        ),
        (
            ([image], [mask]), {"pixel_nm": 1.0, "class_names": ("a", "b")}, ImageError,
            r"mask\.png holds values without a class name: 2, 3; the 2 names \(a, b\)",
        ),
        (([image, deep],), {"pixel_nm": 1.0}, ConfigurationError, r"one depth.*image\.png: uint8.*: uint16"),
        (([tmp_path / "none.png"],), {"pixel_nm": 1.0}, ImageError, r"none\.png"),
        (([tmp_path / "torn.png"],), {"pixel_nm": 1.0}, ImageError, r"torn\.png"),
    ]  # fmt: skip
    for arguments, options, error, message in cases:
        with pytest.raises(error, match=message) as caught:
            import_specimen(*arguments, **options)
        assert "\n" not in str(caught.value)


def test_different_pixel_sizes_are_refused_with_all_numbers(tmp_path: Path) -> None:
    images = [tiff(tmp_path / f"{nm:g}.tif", noise((20, 30)), nm) for nm in (25.0, 30.0)]
    with pytest.raises(ConfigurationError, match=r"25\.tif: 25 nm, .*30\.tif: 30 nm"):
        import_specimen(images)


@pytest.mark.data
def test_the_melt_pool_strips(tmp_path: Path) -> None:
    folder = DATA / "meltpool"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here (AUTOSCOPE_DATA)")
    images, masks = (sorted((folder / name).iterdir()) for name in ("strips", "strip_masks"))
    data = import_specimen(images, masks, pixel_nm=500.0, class_names=("base", "melt_pool"))
    assert len(data.tiles) == 5
    # every gap is a whole number of missing 256 x 512 tiles, and black to the last bit
    assert excluded_fraction(data) == pytest.approx(0.22453, abs=1e-5)
    assert data.classes is not None
    assert data.valid is not None
    assert data.classes[data.valid].mean() == pytest.approx(0.0662, abs=5e-4)


@pytest.mark.data
@pytest.mark.slow
def test_the_dendritic_mosaic() -> None:
    path = DATA / "dendritic" / "mosaic_half.jpg"
    if not path.is_file():
        pytest.skip(f"{path} is not here (AUTOSCOPE_DATA)")
    data = import_specimen([path], pixel_nm=500.0)
    assert data.shape == (13251, 7386)
    assert excluded_fraction(data) == pytest.approx(0.01754, abs=1e-4)
    assert data.valid is not None
    assert not data.valid[1000:1790, 10:1190].any(), "the missing tile is a gap"
    assert data.valid[2000:13000, 200:7300].all(), "pores and indents are specimen"
