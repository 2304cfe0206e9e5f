from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from autoscope.core import ConfigurationError, ImageError
from autoscope.perception import ThresholdSegmenter, fit_thresholds


def test_classes_by_hand() -> None:
    segmenter = ThresholdSegmenter(("pore", "matrix", "carbide"), (0.2, 0.6))
    pixels = np.array([[0, 50, 51, 152, 153, 255]], np.uint8)  # 51/255 = 0.2, 153/255 = 0.6
    found = segmenter.segment(pixels, 20.0)
    assert found.labels.tolist() == [[0, 0, 1, 1, 2, 2]]
    assert found.labels.dtype == np.uint8
    assert found.class_names == ("pore", "matrix", "carbide")
    assert found.pixel_nm == 20.0
    assert segmenter.kind == "threshold"


@given(arrays(np.uint8, (5, 9)))
def test_sixteen_bits_give_the_classes_of_eight(pixels: np.ndarray) -> None:
    segmenter = ThresholdSegmenter(("a", "b", "c"), (0.25, 0.75))
    wide = pixels.astype(np.uint16) * 257
    assert np.array_equal(segmenter.segment(pixels, 1.0).labels, segmenter.segment(wide, 1.0).labels)


def test_probability_is_certain() -> None:
    segmenter = ThresholdSegmenter(("a", "b"), (0.5,))
    found = segmenter.segment(np.array([[0, 255]], np.uint8), 1.0, probability=True)
    assert found.probability is not None
    assert found.probability.tolist() == [[[1, 0]], [[0, 1]]]


def test_the_hash_names_what_decides() -> None:
    one = ThresholdSegmenter(("a", "b"), (0.5,))
    assert one.sha256 == ThresholdSegmenter(["a", "b"], [0.5]).sha256
    assert one.sha256 != ThresholdSegmenter(("a", "b"), (0.51,)).sha256
    assert one.sha256 != ThresholdSegmenter(("a", "c"), (0.5,)).sha256


@pytest.mark.parametrize(
    ("classes", "thresholds", "message"),
    [
        (("a",), (), "at least 2 classes"),
        (("a", "a"), (0.5,), "must differ"),
        (("a", "b"), (0.2, 0.5), "2 thresholds for 2 classes"),
        (("a", "b", "c"), (0.6, 0.5), "must ascend"),
        (("a", "b", "c"), (0.5, 0.5), "must ascend"),
        (("a", "b"), (1.5,), "within"),
        (("a", "b"), (float("nan"),), "within"),
    ],
)
def test_bad_thresholds(classes, thresholds, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        ThresholdSegmenter(classes, thresholds)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        ThresholdSegmenter(("a", "a"), (0.7, 0.2))
    assert len(caught.value.problems) == 3


def test_two_grey_levels_are_parted_exactly() -> None:
    frame = np.array([[40] * 30, [200] * 30], np.uint8)
    (threshold,) = fit_thresholds([frame], 2)
    assert 40 / 255 < threshold < 200 / 255
    labels = ThresholdSegmenter(("a", "b"), (threshold,)).segment(frame, 1.0).labels
    assert labels.tolist() == [[0] * 30, [1] * 30]


def test_three_modes_over_frames_of_both_depths() -> None:
    rng = np.random.default_rng(0)
    levels = [(30, 4000), (120, 8000), (210, 2000)]
    modes = [np.clip(rng.normal(m, 8, n), 0, 255).astype(np.uint8) for m, n in levels]
    frames = [modes[0][None], modes[1][:, None], modes[2].astype(np.uint16) * 257]
    low, high = fit_thresholds(frames, 3)
    assert 55 / 255 < low < 95 / 255
    assert 145 / 255 < high < 185 / 255


def test_thresholds_part_dark_from_bright_at_the_level_that_otsu_names() -> None:
    """The level itself belongs to the darker class, as in scikit-image's own convention."""
    from skimage.filters import threshold_otsu

    rng = np.random.default_rng(3)
    parts = [np.clip(rng.normal(mean, 20, 3000), 0, 255).astype(np.uint8) for mean in (80, 160)]
    frame = np.concatenate(parts)[None]
    (threshold,) = fit_thresholds([frame], 2)
    expected = (frame > threshold_otsu(frame)).astype(np.uint8)
    found = ThresholdSegmenter(("a", "b"), (threshold,)).segment(frame, 1.0).labels
    assert (found != expected).mean() < 0.01


@pytest.mark.parametrize(
    ("frames", "n_classes", "error", "message"),
    [
        ([np.full((4, 4), 9, np.uint8)], 2, ImageError, "show 1 different grey levels, 2 classes need"),
        ([], 2, ImageError, "show 0 different"),
        ([np.zeros((4, 4))], 2, ImageError, "frame 0: pixels are float64"),
        ([np.zeros((4, 4), np.uint8)], 1, ConfigurationError, "2 to 5 classes"),
        ([np.zeros((4, 4), np.uint8)], 6, ConfigurationError, "2 to 5 classes"),
    ],
)
def test_frames_without_thresholds(frames, n_classes: int, error, message: str) -> None:
    with pytest.raises(error, match=message):
        fit_thresholds(frames, n_classes)
