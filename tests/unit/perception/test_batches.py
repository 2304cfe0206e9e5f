from __future__ import annotations

import numpy as np
import pytest
import torch

from autoscope.images import Micrograph
from autoscope.perception import Architecture, Preprocessing, TrainingSettings
from autoscope.perception.augmentation import Augmentation
from autoscope.perception.batches import Batches, reduced_labels
from autoscope.perception.losses import UNSURE
from autoscope.perception.pairs import LabelledImage

STILL = Augmentation(
    rotation_deg=0.0, flip_horizontal=False, flip_vertical=False, free_share=0.0, brightness=0.0,
    contrast=0.0, gamma=0.0, blur_px=0.0, noise=0.0,
)  # fmt: skip


def settings(reduction: int, **changes: object) -> TrainingSettings:
    architecture = Architecture(depth=3, decoder_channels=(8, 8, 8), reduction=reduction)
    whole = Preprocessing(kind="full_range", mean=0.0, deviation=1.0)
    return TrainingSettings.model_validate(
        {"architecture": architecture, "augmentation": STILL, "preprocessing": whole, "batch": 2} | changes
    )


def test_labels_of_a_square_are_its_most_frequent_one() -> None:
    labels = np.array([[0, 1, 2, 2, 9], [1, 1, 0, 0, 9], [255, 255, 1, 0, 9], [255, 0, 1, 1, 9]], np.uint8)
    assert reduced_labels(labels, 2).tolist() == [[1, 0], [255, 1]]
    assert reduced_labels(labels, 1) is labels
    assert reduced_labels(labels, 3).shape == (1, 1)


def test_crops_are_drawn_at_the_reduced_scale() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (64, 64), dtype=np.uint8)
    labels = (pixels > 127).astype(np.uint8)
    image = LabelledImage("a", Micrograph(pixels, None, None, {}), labels)
    batches = Batches([image], 2, settings(2, crop_px=64, balanced_share=0.0), torch.device("cpu"))
    grey, found = batches.draw(np.random.default_rng(1))
    assert grey.shape == (2, 1, 32, 32)
    means = pixels.reshape(32, 2, 32, 2).mean((1, 3)) / 255
    assert np.allclose(grey[0, 0].numpy(), means, atol=2e-3)
    assert np.array_equal(found[0].numpy(), reduced_labels(labels, 2))


def test_class_weights_come_from_what_is_learned() -> None:
    labels = np.ones((64, 64), np.uint8)
    labels[16:48, 16:48] = 0
    labels[30, 30] = 1
    image = LabelledImage("a", Micrograph(np.zeros((64, 64), np.uint8), None, None, {}), labels)
    given = settings(1, crop_px=32, unsure_rim_px=16, loss={"balance": 1.0})
    weights = Batches([image], 2, given, torch.device("cpu")).class_weights
    assert weights is not None
    assert float(weights[1] / weights[0]) == pytest.approx(1023.0)
    assert UNSURE == 255
