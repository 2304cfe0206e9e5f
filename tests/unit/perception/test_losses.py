from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from autoscope.perception import TrainingSettings
from autoscope.perception.losses import UNSURE, SegmentationLoss, class_weights
from autoscope.perception.settings import Loss

# two pixels of two classes with p(true) = 0.8 and 0.25: the first of class 0, the second of class 1
PROBABILITY = torch.tensor([[0.8, 0.75], [0.2, 0.25]]).reshape(1, 2, 1, 2)
SCORES = PROBABILITY.log()
LABELS = torch.tensor([[[0, 1]]])


def loss(weights: torch.Tensor | None = None, **settings: object) -> float:
    return float(SegmentationLoss(Loss.model_validate(settings), weights)(SCORES, LABELS))


def test_pixel_losses_by_hand() -> None:
    entropy = [-math.log(0.8), -math.log(0.25)]
    assert loss(region_weight=0.0) == pytest.approx(sum(entropy) / 2)
    focal = [0.2**2 * entropy[0], 0.75**2 * entropy[1]]
    assert loss(pixels="focal", region_weight=0.0) == pytest.approx(sum(focal) / 2)
    assert loss(pixels="focal", focal_gamma=0.0, region_weight=0.0) == pytest.approx(sum(entropy) / 2)
    weights = torch.tensor([1.0, 3.0])
    assert loss(weights, region_weight=0.0) == pytest.approx((entropy[0] + 3 * entropy[1]) / 4)
    assert loss(weights, pixels="focal", region_weight=0.0) == pytest.approx((focal[0] + 3 * focal[1]) / 4)


@pytest.mark.parametrize(
    ("name", "false", "missed"), [("dice", 0.5, 0.5), ("jaccard", 1.0, 1.0), ("tversky", 0.3, 0.7)]
)
def test_region_losses_by_hand(name: str, false: float, missed: float) -> None:
    pixels = loss(region_weight=0.0)
    first = 0.8 / (0.8 + false * 0.75 + missed * 0.2)
    second = 0.25 / (0.25 + false * 0.2 + missed * 0.75)
    expected = 1 - (first + second) / 2
    assert loss(regions=name) - pixels == pytest.approx(expected, rel=1e-5)
    assert loss(regions=name, region_weight=2.0) - pixels == pytest.approx(2 * expected, rel=1e-5)


def test_lovasz_by_hand() -> None:
    # class 0: errors 0.2 (a true pixel) and 0.75 (a false one), sorted 0.75, 0.2; the loss after one and
    # after both is 1/2 and 1, so the steps are 1/2 and 1/2; class 1: 0.75 (true), 0.2 (false): 1 and then 0
    expected = ((0.75 * 0.5 + 0.2 * 0.5) + (0.75 * 1.0 + 0.2 * 0.0)) / 2
    assert loss(regions="lovasz") - loss(region_weight=0.0) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("pixels", ["cross_entropy", "focal"])
@pytest.mark.parametrize("regions", ["dice", "jaccard", "tversky", "lovasz"])
def test_unsure_pixels_do_not_count(pixels: str, regions: str) -> None:
    lost = SegmentationLoss(
        Loss.model_validate({"pixels": pixels, "regions": regions}), torch.tensor([1.0, 2.0])
    )
    scores = torch.randn(2, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1] * 16).reshape(2, 4, 4)
    labels[:, 0] = UNSURE
    changed = scores.clone()
    changed[:, :, 0] += 5.0
    assert float(lost(scores, labels)) == pytest.approx(float(lost(changed, labels)), rel=1e-5)


def test_class_weights_grow_as_classes_become_rare() -> None:
    labels = [np.array([[0, 0, 0, 0, 0, 0, 1, UNSURE]], np.uint8), np.array([[0, 0, 0]], np.uint8)]
    assert class_weights(labels, 3, 0.0) is None
    weights = class_weights(labels, 3, 1.0)
    assert weights is not None
    assert weights.tolist() == pytest.approx([1 / 2 / 0.9, 1 / 2 / 0.1, 0.0])
    half = class_weights(labels, 3, 0.5)
    assert half is not None
    assert float(half[1] / half[0]) == pytest.approx(3.0)
    assert 0.9 * float(half[0]) + 0.1 * float(half[1]) == pytest.approx(1.0)


def test_the_dice_weight_of_older_cards_is_understood() -> None:
    assert TrainingSettings.model_validate({"dice_weight": 0.5}).loss == Loss(region_weight=0.5)
