"""An encoder from unlabelled micrographs: a network learns to fill in what was hidden of a frame.

Squares of the frame are hidden and the network restores their grey levels from the surroundings (masked image
modelling: Pathak et al. 2016; Xie et al. 2022, whose L1 loss over the hidden pixels is used). The encoder
is kept, the decoder thrown away.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from safetensors.torch import save_file
from torch import Tensor, nn

from autoscope.core import ConfigurationError, ModelError, component_rng
from autoscope.images import read_micrograph
from autoscope.perception.architecture import build_network
from autoscope.perception.augmentation import PreparedImage, draw_batch
from autoscope.perception.crops import CropSampler
from autoscope.perception.devices import Device, choose_device, choose_precision
from autoscope.perception.encoder_weights import load_encoder_weights
from autoscope.perception.pairs import file_sha256, find_images
from autoscope.perception.preprocessing import grey_levels
from autoscope.perception.randomness import seeded
from autoscope.perception.schedule import rate_factor
from autoscope.perception.settings import Architecture, Augmentation, Preprocessing, Settings, Share

ENCODER_KEY = "autoscope.encoder"
_PREFIX = "encoder."


class PretrainingSettings(Settings):
    """Everything that decides what pretraining gives, besides the images.

    Attributes:
        architecture: whose encoder is trained.
        preprocessing: of the grey levels.
        augmentation: of the crops, before squares are hidden.
        steps: optimiser steps.
        batch: crops per step.
        crop_px: edge of the crops, px; a multiple of the network's stride and of ``hidden_px``.
        hidden_px: edge of the hidden squares, px.
        hidden_share: share of the squares that are hidden.
        learning_rate: peak of the one-cycle schedule.
        weight_decay: of AdamW.
        seed: of everything that is random.
    """

    architecture: Architecture = Architecture()
    preprocessing: Preprocessing = Preprocessing()
    augmentation: Augmentation = Augmentation(noise=0.0, blur_px=0.0)
    steps: Annotated[int, Field(ge=1)] = 1000
    batch: Annotated[int, Field(ge=2)] = 8
    crop_px: Annotated[int, Field(ge=32)] = 256
    hidden_px: Annotated[int, Field(ge=4)] = 16
    hidden_share: Share = 0.5
    learning_rate: Annotated[float, Field(gt=0.0)] = 1e-3
    weight_decay: Annotated[float, Field(ge=0.0)] = 1e-3
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _crops_fit(self) -> Self:
        for edge, what in ((self.architecture.stride_px, "the stride"), (self.hidden_px, "hidden_px")):
            if self.crop_px % edge:
                raise ValueError(f"crop_px = {self.crop_px} px must be a multiple of {what}, {edge} px")
        if not 0.0 < self.hidden_share < 1.0:
            raise ValueError(f"hidden_share = {self.hidden_share:g} must lie between 0 and 1")
        return self


def pretrain(
    images: Sequence[Path],
    output: Path,
    *,
    settings: PretrainingSettings | None = None,
    encoder_weights: Path | None = None,
    device: Device = "auto",
    progress: Callable[[int, int, float], None] | None = None,
) -> float:
    """Trains an encoder on the images of folders and writes it, for ``encoder_weights`` of a training.

    Args:
        images: folders of images.
        output: the ``.safetensors`` file to write.
        settings: how to train.
        encoder_weights: local checkpoint to begin with.
        device: where to train.
        progress: hears the step, of how many, and the loss.

    Returns:
        Mean absolute error of the hidden grey levels over the last tenth of the steps; 1 is the full range.

    Raises:
        ConfigurationError: a folder has no images, or the output does not end in ``.safetensors``.
        ImageError: an image is damaged.
        ModelError: the encoder's weights cannot be used, or training diverged.
    """
    settings = settings or PretrainingSettings()
    if output.suffix != ".safetensors" or not output.parent.is_dir():
        raise ConfigurationError(
            f"{output}: encoder weights must end in .safetensors, in a folder that exists"
        )
    files = [path for folder in images for path in find_images(folder)]
    place = choose_device(device)
    network = build_network(settings.architecture, 1, seed=settings.seed)
    if encoder_weights is not None:
        load_encoder_weights(network, encoder_weights)
    network = network.to(place).to(memory_format=torch.channels_last)
    losses = _fill_in(network, _read(files, settings, place), settings, place, progress)
    state = network.get_submodule("encoder").state_dict()
    about = {"settings": settings.model_dump(mode="json"), "images": [file_sha256(path) for path in files]}
    save_file(
        {_PREFIX + name: tensor.detach().cpu().contiguous() for name, tensor in state.items()},
        output,
        metadata={ENCODER_KEY: json.dumps(about, sort_keys=True)},
    )
    return float(np.mean(losses[-max(1, len(losses) // 10) :])) * settings.preprocessing.deviation


def hide(
    normalised: Tensor, hidden_px: int, hidden_share: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Hides squares of each crop.

    Args:
        normalised: ``batch x 1 x crop x crop``.
        hidden_px: edge of the squares.
        hidden_share: share of the squares that are hidden, at least one.
        rng: draws them.

    Returns:
        The crops with 0 (the mean grey level) in the hidden squares, and where they are, of the same shape.
    """
    count, edge = len(normalised), normalised.shape[-1] // hidden_px
    order = np.argsort(rng.random((count, edge * edge)), axis=1)
    chosen = order < max(1, round(hidden_share * edge * edge))
    squares = torch.from_numpy(chosen.reshape(count, 1, edge, edge)).to(normalised.device)
    hidden = squares.repeat_interleave(hidden_px, -2).repeat_interleave(hidden_px, -1)
    return normalised.masked_fill(hidden, 0.0), hidden


def _fill_in(
    network: nn.Module,
    images: Sequence[PreparedImage],
    settings: PretrainingSettings,
    device: torch.device,
    progress: Callable[[int, int, float], None] | None,
) -> list[float]:
    optimiser = torch.optim.AdamW(
        network.parameters(), settings.learning_rate, weight_decay=settings.weight_decay
    )
    shapes = [np.zeros(tuple(image.labels.shape), np.uint8) for image in images]
    sampler = CropSampler(shapes, 1, settings.crop_px, 0.0, component_rng(settings.seed, "crop places"))
    dtype, losses = choose_precision(device), []
    network.train()
    for step in range(settings.steps):
        rng = component_rng(settings.seed, "pretraining step", step)
        centres = sampler.draw(rng, settings.batch)
        grey, _ = draw_batch(images, centres, settings.crop_px, settings.augmentation, rng)
        whole = (grey - settings.preprocessing.mean) / settings.preprocessing.deviation
        seen, hidden = hide(whole, settings.hidden_px, settings.hidden_share, rng)
        seen = seen.contiguous(memory_format=torch.channels_last)
        with (
            seeded(int(rng.integers(2**63 - 1))),
            torch.autocast(device.type, dtype=dtype, enabled=dtype is not torch.float32),
        ):
            restored = network(seen)
        loss = (restored.float() - whole)[hidden].abs().mean()
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * rate_factor(step, settings.steps)
        optimiser.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), max_norm=1.0)
        optimiser.step()
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise ModelError(f"pretraining diverged at step {step + 1}: lower the learning rate")
        if progress is not None:
            progress(step + 1, settings.steps, losses[-1])
    return losses


def _read(files: Sequence[Path], settings: PretrainingSettings, device: torch.device) -> list[PreparedImage]:
    images = []
    for path in files:
        grey = grey_levels(read_micrograph(path).pixels, settings.preprocessing).astype(np.float16)
        labels = torch.zeros(grey.shape, dtype=torch.uint8, device=device)
        images.append(PreparedImage(torch.from_numpy(grey).to(device), labels))
    return images
