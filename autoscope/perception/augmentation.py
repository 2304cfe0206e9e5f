"""Crops of training images, turned, mirrored, scaled, bent, and changed in grey levels.

Every random number comes from a numpy generator that is made anew for each step, so that training goes on
after an interruption exactly as it would have.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from autoscope.perception.settings import Augmentation
from autoscope.perception.styles import mix_styles

_BLUR_TAPS = 7
_ELASTIC_CELL_PX = 48
"""Distance of the nodes between which the elastic displacement is interpolated."""


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """A training image where the training runs.

    Attributes:
        grey: ``height x width`` float16 grey levels in [0, 1].
        labels: ``height x width`` uint8.
    """

    grey: Tensor
    labels: Tensor


def draw_batch(
    images: Sequence[PreparedImage],
    centres: Sequence[tuple[int, int, int]],
    crop_px: int,
    augmentation: Augmentation,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Cuts and varies one batch.

    Args:
        images: all on one device.
        centres: image, row and column of each crop's centre.
        crop_px: edge of the crops.
        augmentation: how they are varied.
        rng: of this step.

    Returns:
        ``batch x 1 x crop x crop`` grey levels near [0, 1], and ``batch x crop x crop`` int64 labels.
    """
    device = images[0].grey.device
    offsets = sampling_offsets(len(centres), crop_px, augmentation, rng, device)
    reach = torch.stack([offsets.amin(dim=(1, 2)), offsets.amax(dim=(1, 2))], dim=1).cpu().numpy()
    parts = [
        _cut(images[image], (column, row), offsets[i], reach[i])
        for i, (image, row, column) in enumerate(centres)
    ]
    grey = torch.cat([part[0] for part in parts])
    labels = torch.cat([part[1] for part in parts])
    return vary_grey(mix_styles(grey, augmentation, rng), augmentation, rng), labels


def sampling_offsets(
    count: int,
    crop_px: int,
    augmentation: Augmentation,
    rng: np.random.Generator,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Where each pixel of each crop is taken from, relative to the crop's centre.

    Returns:
        ``count x crop x crop x 2``: x and y, px. The centre of a crop of even edge lies between pixels.
    """
    free = rng.random(count) < augmentation.free_share
    matrices = torch.from_numpy(_matrices(free, augmentation, rng)).to(device)
    axis = torch.arange(crop_px, dtype=torch.float32, device=device) - (crop_px - 1) / 2
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    offsets = torch.einsum("bij,hwj->bhwi", matrices, torch.stack([x, y], dim=-1))
    if augmentation.elastic_px > 0:
        nodes = crop_px // _ELASTIC_CELL_PX + 3
        bends = rng.normal(0.0, augmentation.elastic_px, (count, 2, nodes, nodes)) * free[:, None, None, None]
        field = functional.interpolate(
            torch.from_numpy(bends.astype(np.float32)).to(device),
            size=(crop_px, crop_px),
            mode="bicubic",
            align_corners=True,
        )
        offsets = offsets + field.permute(0, 2, 3, 1)
    return offsets


def vary_grey(grey: Tensor, augmentation: Augmentation, rng: np.random.Generator) -> Tensor:
    """Changes gamma, contrast, brightness, sharpness and noise of each image of a batch by itself."""
    count = len(grey)

    def each(low: float, high: float) -> Tensor:
        values = rng.uniform(low, high, count).astype(np.float32)
        return torch.from_numpy(values).to(grey.device)[:, None, None, None]

    a = augmentation
    varied: Tensor = grey.clamp(0, 1) ** each(-a.gamma, a.gamma).exp()
    varied = (varied - 0.5) * each(-a.contrast, a.contrast).exp() + 0.5 + each(-a.brightness, a.brightness)
    if a.blur_px > 0:
        widths = rng.uniform(0.0, a.blur_px, count) * (rng.random(count) < 0.5)
        varied = _blur(varied, widths)
    if a.noise > 0:
        generator = torch.Generator(grey.device).manual_seed(int(rng.integers(2**63 - 1)))
        noise = torch.randn(varied.shape, generator=generator, device=grey.device)
        varied = varied + noise * each(0.0, a.noise)
    return varied


def _matrices(
    free: NDArray[np.bool_], augmentation: Augmentation, rng: np.random.Generator
) -> NDArray[np.float32]:
    """``count x 2 x 2``: rotation, mirroring and scale; quarter turns where a crop is not free."""
    count = len(free)
    limit = math.radians(augmentation.rotation_deg)
    quarters = 4 if augmentation.rotation_deg >= 180.0 else 1
    turned = rng.integers(quarters, size=count) * (math.pi / 2)
    angle = np.where(free, rng.uniform(-limit, limit, count), turned)
    shrink = np.where(free, np.exp(rng.uniform(-augmentation.scale, augmentation.scale, count)), 1.0)
    mirror_x = np.where((rng.random(count) < 0.5) & augmentation.flip_horizontal, -1.0, 1.0)
    mirror_y = np.where((rng.random(count) < 0.5) & augmentation.flip_vertical, -1.0, 1.0)
    cos, sin = np.cos(angle) * shrink, np.sin(angle) * shrink
    exact = np.where(free[:, None], np.stack([cos, sin], 1), np.rint(np.stack([cos, sin], 1)))
    cos, sin = exact[:, 0], exact[:, 1]
    rows = np.stack([np.stack([cos, -sin], 1), np.stack([sin, cos], 1)], 1)
    mirrored: NDArray[np.float32] = (rows * np.stack([mirror_x, mirror_y], 1)[:, None, :]).astype(np.float32)
    return mirrored


def _cut(
    image: PreparedImage,
    centre: tuple[int, int],
    offsets: Tensor,
    reach: NDArray[np.float32],
) -> tuple[Tensor, Tensor]:
    """Samples one crop from the smallest window that holds it; beyond the image's edge it is mirrored."""
    even = 0.5 if offsets.shape[0] % 2 == 0 else 0.0
    middle = np.array(centre) - even
    size = np.array([image.grey.shape[1], image.grey.shape[0]])
    low = np.clip(np.floor(middle + reach[0]).astype(int) - 1, 0, size - 1)
    high = np.clip(np.ceil(middle + reach[1]).astype(int) + 2, low + 1, size)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    shift, scale = middle - low, 2.0 / np.maximum(high - low - 1, 1)
    points = (offsets + torch.tensor(shift, dtype=torch.float32, device=offsets.device)) * torch.tensor(
        scale, dtype=torch.float32, device=offsets.device
    ) - 1.0
    grey = _sample(image.grey[window], points, "bilinear")
    labels = _sample(image.labels[window], points, "nearest")
    return grey, labels[:, 0].round().long()


def _sample(plane: Tensor, points: Tensor, mode: str) -> Tensor:
    return functional.grid_sample(
        plane[None, None].float(), points[None], mode=mode, padding_mode="reflection", align_corners=True
    )


def _blur(images: Tensor, widths_px: NDArray[np.float64]) -> Tensor:
    """Gaussian blur of each image by its own width, 0 for none."""
    radius = _BLUR_TAPS // 2
    taps = np.arange(-radius, radius + 1)
    weights = np.exp(-(taps**2) / (2.0 * np.maximum(widths_px, 1e-3)[:, None] ** 2))
    weights = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    kernels = torch.from_numpy(weights).to(images.device)[:, None]
    padded = functional.pad(images, (radius,) * 4, mode="replicate").transpose(0, 1)
    across = functional.conv2d(padded, kernels[:, :, None, :], groups=len(images))
    return functional.conv2d(across, kernels[:, :, :, None], groups=len(images)).transpose(0, 1)
