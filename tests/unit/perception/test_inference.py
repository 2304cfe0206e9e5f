from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from autoscope.core import ConfigurationError, ImageError
from autoscope.images import read_mask, write_png
from autoscope.perception import Preprocessing, load_segmenter
from autoscope.perception.devices import choose_device, choose_precision
from autoscope.perception.inference import NetworkRunner, plan_tiles
from autoscope.perception.prediction import predict
from autoscope.perception.preprocessing import check_pixels, grey_levels

CPU = torch.device("cpu")


class Blur(nn.Module):
    """Two classes whose scores depend on a neighbourhood of 9 x 9 px and on nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.AvgPool2d(9, stride=1, padding=4, count_include_pad=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        mean = self.mean(image)
        return torch.cat([-mean, mean, mean * 0.5 - 0.2], dim=1)


def runner(**sizes: int) -> NetworkRunner:
    return NetworkRunner(Blur(), 8, 3, CPU, torch.float32, **sizes)


@given(
    height=st.integers(1, 40).map(lambda n: n * 8),
    width=st.integers(1, 40).map(lambda n: n * 8),
    margin=st.sampled_from([8, 16]),
)
def test_tiles_cover_every_pixel_once_and_stay_small(height: int, width: int, margin: int) -> None:
    seen = np.zeros((height, width), int)
    for tile in plan_tiles(height, width, tile_px=64, margin_px=margin):
        seen[tile.kept_rows, tile.kept_columns] += 1
        assert tile.rows.stop - tile.rows.start <= 64
        assert tile.rows.start <= tile.kept_rows.start
        assert tile.kept_rows.stop <= tile.rows.stop
        assert tile.rows.start % 8 == tile.columns.start % 8 == 0
        if tile.kept_rows.start:
            assert tile.kept_rows.start - tile.rows.start == margin
    assert (seen == 1).all()


@pytest.mark.parametrize("shape", [(200, 173), (64, 64), (65, 300), (1, 7), (90, 1)])
def test_tiling_changes_nothing_where_the_margin_holds_the_neighbourhood(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(0).normal(0, 1, shape).astype(np.float32)
    tiled, whole = runner(tile_px=64, margin_px=16), runner(tile_px=4096)
    assert np.array_equal(tiled.labels(image), whole.labels(image))
    labels, probability = tiled.labels_and_probability(image)
    assert np.array_equal(labels, whole.labels(image))
    np.testing.assert_allclose(probability, whole.labels_and_probability(image)[1], atol=1e-3)


def test_labels_are_the_most_probable_classes() -> None:
    image = np.random.default_rng(1).normal(0, 1, (50, 70)).astype(np.float32)
    labels, probability = runner().labels_and_probability(image)
    assert probability.shape == (3, 50, 70)
    np.testing.assert_allclose(probability.astype(float).sum(axis=0), 1.0, atol=2e-3)
    assert np.array_equal(labels, runner().labels(image))
    highest = probability.max(axis=0)
    assert (np.take_along_axis(probability, labels[None], axis=0)[0] == highest).all()


def test_equal_scores_give_the_first_class() -> None:
    class Flat(nn.Module):
        def forward(self, image: torch.Tensor) -> torch.Tensor:
            return torch.zeros(1, 4, *image.shape[-2:])

    flat = NetworkRunner(Flat(), 8, 4, CPU, torch.float32)
    assert not flat.labels(np.zeros((9, 9), np.float32)).any()


def test_a_segmenter_takes_frames_of_any_size_and_depth(trained: Path) -> None:
    segmenter = load_segmenter(trained, device="cpu")
    pixels = np.full((37, 61), 80, np.uint8)
    pixels[10:30, 20:45] = 170
    found = segmenter.segment(pixels, 10.0)
    assert found.labels.shape == (37, 61)
    assert found.labels[20, 30] == 1
    assert found.labels[2, 5] == 0
    assert found.probability is None
    wide = segmenter.segment(pixels.astype(np.uint16) * 257, 10.0, probability=True)
    assert (wide.labels == found.labels).mean() > 0.99
    assert wide.probability is not None
    assert wide.probability.dtype == np.float16
    assert segmenter.segment(np.full((1, 1), 7, np.uint8), 10.0).labels.shape == (1, 1)
    assert segmenter.kind == "segmentation"


@pytest.mark.parametrize(
    "pixels",
    [np.zeros((4, 4)), np.zeros((0, 4), np.uint8), np.zeros((4, 4, 3), np.uint8), np.zeros(4, np.uint8)],
)
def test_what_is_no_grey_frame_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(ImageError, match="frame: pixels"):
        check_pixels(pixels)


def test_full_range_keeps_grey_levels() -> None:
    how = Preprocessing(kind="full_range")
    assert grey_levels(np.array([[0, 51, 255]], np.uint8), how)[0].tolist() == pytest.approx([0, 0.2, 1])
    assert grey_levels(np.array([[0, 13107, 65535]], np.uint16), how)[0].tolist() == pytest.approx(
        [0, 0.2, 1]
    )


def test_percentiles_stretch() -> None:
    pixels = np.repeat(np.arange(100, 201, dtype=np.uint8), 10).reshape(1, -1)
    stretched = grey_levels(pixels, Preprocessing(low_percent=0.0, high_percent=100.0))
    assert stretched.min() == 0
    assert stretched.max() == 1
    assert stretched[0, 505] == pytest.approx(0.5)
    clipped = grey_levels(pixels, Preprocessing(low_percent=10.0, high_percent=90.0))
    assert (clipped == 0).mean() == pytest.approx(0.1, abs=0.02)
    assert (clipped == 1).mean() == pytest.approx(0.1, abs=0.02)


def test_an_image_of_one_value_is_no_trouble() -> None:
    for kind in ("percentile", "clahe", "full_range"):
        levels = grey_levels(np.full((16, 16), 200, np.uint8), Preprocessing(kind=kind))
        assert np.isfinite(levels).all()
        assert levels.dtype == np.float32


def test_clahe_brings_out_local_contrast() -> None:
    x = np.linspace(0, 200, 128)
    pixels = (x + 6 * (np.arange(128) % 2))[None, :].repeat(128, axis=0).astype(np.uint8)
    plain = grey_levels(pixels, Preprocessing())
    equalised = grey_levels(pixels, Preprocessing(kind="clahe", clip_limit=0.05))
    assert np.abs(np.diff(equalised, axis=1)).mean() > 1.2 * np.abs(np.diff(plain, axis=1)).mean()


def test_device_and_precision() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_precision(CPU, "bfloat16") is torch.bfloat16
    assert choose_precision(torch.device("cuda")) is torch.bfloat16
    if not torch.cuda.is_available():
        with pytest.raises(ConfigurationError, match="no GPU here"):
            choose_device("cuda")


def test_prediction_of_files(trained: Path, disk_folders, tmp_path: Path) -> None:
    images = sorted(disk_folders[0].glob("*.png"))
    done: list[int] = []
    results = predict(
        trained,
        images,
        tmp_path / "out",
        probabilities=True,
        device="cpu",
        progress=lambda n, _: done.append(n),
    )
    assert done == [1, 2, 3, 4, 5]
    assert [result.image for result in results] == images
    for result in results:
        labels = read_mask(result.labels)
        truth = read_mask(disk_folders[1] / result.image.name)
        assert (labels == truth).mean() > 0.9
        assert result.area_fractions["disk"] == pytest.approx((labels == 1).mean())
        assert result.probabilities is not None
        with np.load(result.probabilities) as stored:
            assert stored["probability"].shape == (2, 96, 96)
            assert stored["class_names"].tolist() == ["ground", "disk"]


def test_prediction_never_overwrites(trained: Path, disk_folders, tmp_path: Path) -> None:
    image = sorted(disk_folders[0].glob("*.png"))[0]
    with pytest.raises(ConfigurationError, match="would overwrite it"):
        predict(trained, [image], disk_folders[0])
    twin = tmp_path / image.name
    write_png(twin, np.zeros((40, 40), np.uint8))
    with pytest.raises(ConfigurationError, match="would both be written"):
        predict(trained, [image, twin], tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be made"):
        predict(trained, [image], tmp_path / "file" / "out")
    with pytest.raises(ImageError, match=r"none\.png"):
        predict(trained, [image, tmp_path / "none.png"], tmp_path / "out")
    assert (tmp_path / "out" / image.name).exists()
