"""Types of frames: the head by hand, the model on textures that differ, and its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoscope.core import ConfigurationError, ModelError
from autoscope.images import write_png
from autoscope.perception.frame_description import FrameDescriber
from autoscope.perception.frame_types import Head, fit_head, load_frame_classifier
from autoscope.perception.frame_types_card import read_frame_types_card
from autoscope.perception.frame_types_training import (
    ScoredFrame,
    evaluate_frame_types,
    frame_type_scores,
    segmentation_backbone,
    train_frame_types,
    typed_images,
)
from autoscope.perception.settings import Preprocessing


def test_probability_by_hand() -> None:
    head = Head(
        mean=np.array([1.0, 0.0]),
        deviation=np.array([2.0, 1.0]),
        coefficients=np.array([[1.0, 0.0], [0.0, 0.0]]),
        intercept=np.array([0.0, 0.0]),
    )
    windows = np.array([[1.0, 5.0], [1.0 + 2 * np.log(3), 5.0]])  # scores 0 and log 3 against 0
    assert head.probability(windows) == pytest.approx([(0.5 + 0.75) / 2, (0.5 + 0.25) / 2])


@pytest.mark.parametrize("n_types", [2, 3])
def test_a_head_finds_types_that_lie_apart(n_types: int) -> None:
    rng = np.random.default_rng(0)
    centres = 4 * np.eye(n_types, 5)
    types = [t for t in range(n_types) for _ in range(6)]
    frames = [centres[t] + 0.3 * rng.standard_normal((1 + t, 5)) for t in types]
    head = fit_head(frames, types, n_types, 1.0)
    found = np.array([head.probability(frame) for frame in frames])
    assert np.array_equal(found.argmax(axis=1), types)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(types)))
    assert found.max(axis=1).min() > 0.8


def test_scores_by_hand() -> None:
    told = (("a", "a"), ("a", "b"), ("a", "a"), ("b", "b"))
    frames = [ScoredFrame(image="i", true=t, found=f, probability=0.9) for t, f in told]
    scores = frame_type_scores(frames, ["a", "b", "c"])
    assert scores.confusion == ((2, 1, 0), (0, 1, 0), (0, 0, 0))
    assert scores.accuracy == 0.75
    assert scores.balanced_accuracy == pytest.approx((2 / 3 + 1) / 2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stripes along and across."""
    root, rng = tmp_path_factory.mktemp("types"), np.random.default_rng(0)
    stripes = 120 + 60 * np.sign(np.sin(np.arange(96) / 3.0))[:, None] * np.ones(96)
    for name, ground in (("along", stripes), ("across", stripes.T)):
        (root / name).mkdir()
        for number in range(5):
            noisy = ground + rng.normal(0, 20, ground.shape)
            write_png(root / name / f"{number}.png", np.clip(noisy, 0, 255).astype(np.uint8))
    return root


def test_a_model_is_fitted_stored_and_read_again(folder: Path, trained: Path, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []
    path = tmp_path / "t.safetensors"
    card = train_frame_types(
        folder, path, segmentation_backbone(trained), progress=lambda *n: heard.append(n)
    )
    assert (card.types, len(card.training_data), heard[-1]) == (("across", "along"), 10, (10, 10))
    model = load_frame_classifier(path)
    assert read_frame_types_card(path) == model.card == card
    assert evaluate_frame_types(model, folder).accuracy >= 0.9
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match="not those that the model card"):
        load_frame_classifier(path)


def test_folders_that_are_no_types_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="there is no such folder"):
        typed_images(tmp_path / "nowhere")
    with pytest.raises(ConfigurationError, match="0 folders of images are too few"):
        typed_images(tmp_path)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(ConfigurationError, match="has no images"):
        typed_images(tmp_path)


class Recorder:
    """An encoder that notes what it is shown."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def float(self) -> Recorder:
        return self

    def eval(self) -> Recorder:
        return self

    def __call__(self, image: object) -> list[object]:
        self.shapes.append(tuple(image.shape))  # type: ignore[attr-defined]
        return [image]


@pytest.mark.parametrize(
    ("shape", "windows", "edges"),
    [
        ((100, 100), 1, (128, 128)),
        ((256, 512), 2, (256, 256)),
        ((20, 2000), 3, (32, 256)),
        ((1, 1), 1, (32, 32)),
    ],
)
def test_windows_cover_a_frame(shape: tuple[int, int], windows: int, edges: tuple[int, int]) -> None:
    encoder = Recorder()
    look = FrameDescriber(encoder, Preprocessing(), stride_px=32, window_px=256, most_windows=3)  # type: ignore[arg-type]
    found = look.describe(np.full(shape, 7, np.uint8))
    assert found.shape == (windows, 2)
    assert set(encoder.shapes) == {(1, 1, *edges)}
