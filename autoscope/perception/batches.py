"""Training images where the training runs, and the batches of crops that are drawn from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from autoscope.core import ConfigurationError, component_rng
from autoscope.perception.augmentation import PreparedImage, draw_batch
from autoscope.perception.crops import CropSampler
from autoscope.perception.losses import UNSURE, class_weights
from autoscope.perception.pairs import LabelledImage
from autoscope.perception.preprocessing import grey_levels
from autoscope.perception.settings import TrainingSettings


class Batches:
    """Draws the batches of a training run.

    Args:
        labelled: the training images.
        n_classes: how many classes there are.
        settings: of the training.
        device: where it runs.

    Raises:
        ConfigurationError: the unsure rim leaves nothing of an image.
    """

    def __init__(
        self,
        labelled: Sequence[LabelledImage],
        n_classes: int,
        settings: TrainingSettings,
        device: torch.device,
    ) -> None:
        self._settings, self._device = settings, device
        labels = [_without_rim(one, settings.unsure_rim_px) for one in labelled]
        self._images = [self._prepared(one, label) for one, label in zip(labelled, labels, strict=True)]
        weights = class_weights(labels, n_classes, settings.loss.balance)
        self.class_weights = None if weights is None else weights.to(device)
        self._sampler = CropSampler(
            labels,
            n_classes,
            settings.crop_px,
            settings.balanced_share,
            component_rng(settings.seed, "crop places"),
        )

    def draw(self, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Normalised crops ``batch x 1 x crop x crop``, and their labels ``batch x crop x crop``."""
        settings = self._settings
        centres = self._sampler.draw(rng, settings.batch)
        grey, labels = draw_batch(self._images, centres, settings.crop_px, settings.augmentation, rng)
        normalised = (grey - settings.preprocessing.mean) / settings.preprocessing.deviation
        return normalised.contiguous(memory_format=torch.channels_last), labels

    def _prepared(self, one: LabelledImage, labels: NDArray[np.uint8]) -> PreparedImage:
        grey = grey_levels(one.micrograph.pixels, self._settings.preprocessing).astype(np.float16)
        return PreparedImage(
            torch.from_numpy(grey).to(self._device), torch.tensor(labels, device=self._device)
        )


def _without_rim(one: LabelledImage, rim_px: int) -> NDArray[np.uint8]:
    """The labels, with the rim marked as not to be learned from."""
    height, width = one.labels.shape
    if 2 * rim_px >= min(height, width):
        raise ConfigurationError(
            f"unsure_rim_px = {rim_px} leaves nothing of {one.name}, {width} x {height} px"
        )
    labels = np.full_like(one.labels, UNSURE)
    inner = (slice(rim_px, height - rim_px), slice(rim_px, width - rim_px))
    labels[inner] = one.labels[inner]
    return labels
