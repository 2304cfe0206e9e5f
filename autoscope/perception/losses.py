"""What training minimises; the formulas stand with the settings, `autoscope.perception.settings.Loss`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from segmentation_models_pytorch.losses import LovaszLoss, TverskyLoss
from torch import Tensor, nn
from torch.nn import functional

from autoscope.perception.settings import Loss

UNSURE = 255
"""Label of pixels that are not learned from; classes are far fewer."""


class SegmentationLoss(nn.Module):
    """A loss of pixels plus a loss of regions.

    Args:
        settings: which.
        class_weights: of the pixels' loss, one for each class; None for none.
    """

    def __init__(self, settings: Loss, class_weights: Tensor | None = None) -> None:
        super().__init__()
        self._settings, self._class_weights = settings, class_weights
        self._regions = _region_loss(settings)

    def forward(self, scores: Tensor, labels: Tensor) -> Tensor:
        """The loss of ``batch x classes x height x width`` scores under ``batch x height x width`` labels."""
        loss = self._pixels(scores, labels)
        if not self._settings.region_weight:
            return loss
        regions: Tensor = self._regions(scores, labels)
        return loss + self._settings.region_weight * regions

    def _pixels(self, scores: Tensor, labels: Tensor) -> Tensor:
        weights = self._class_weights
        if self._settings.pixels == "cross_entropy":
            return functional.cross_entropy(scores, labels, weight=weights, ignore_index=UNSURE)
        entropy = functional.cross_entropy(scores, labels, ignore_index=UNSURE, reduction="none")
        learned = labels != UNSURE
        weight = learned.to(scores.dtype)
        if weights is not None:
            weight = weight * weights[labels.masked_fill(~learned, 0)]
        focal = (1.0 - torch.exp(-entropy)) ** self._settings.focal_gamma * entropy
        return (weight * focal).sum() / weight.sum()


def class_weights(labels: Sequence[NDArray[np.uint8]], n_classes: int, balance: float) -> Tensor | None:
    """Weights that grow as classes become rare; a class that never occurs has weight 0.

    Args:
        labels: class maps of the training images; pixels of `UNSURE` do not count.
        n_classes: how many classes there are.
        balance: exponent in [0, 1].

    Returns:
        ``classes`` weights whose mean over the pixels is 1; None where all are alike.
    """
    if balance == 0.0:
        return None
    counts = np.sum(
        [np.bincount(label.ravel(), minlength=UNSURE + 1)[:n_classes] for label in labels], axis=0
    )
    share = counts / counts.sum()
    weights = np.where(share > 0, np.maximum(share, 1e-12) ** -balance, 0.0)
    return torch.from_numpy((weights / (weights @ share)).astype(np.float32))


def _region_loss(settings: Loss) -> nn.Module:
    if settings.regions == "lovasz":
        lovasz: nn.Module = LovaszLoss("multiclass", ignore_index=UNSURE, from_logits=True)
        return lovasz
    false, missed = {
        "dice": (0.5, 0.5),
        "jaccard": (1.0, 1.0),
        "tversky": (1.0 - settings.miss_weight, settings.miss_weight),
    }[settings.regions]
    tversky: nn.Module = TverskyLoss(
        "multiclass", from_logits=True, ignore_index=UNSURE, alpha=false, beta=missed
    )
    return tversky
