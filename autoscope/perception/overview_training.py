"""Training of the overview reader across specimens, classes and magnifications."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from autoscope.core import Frame
from autoscope.perception.overview_grey import grey_channels, overview_scale
from autoscope.perception.overview_network import OverviewReader, ReaderShape
from autoscope.perception.randomness import seeded

POOLS_PX = (8, 16, 32)
"""Edges of the boxes whose mean value is learned: fields at several magnifications. Single pixels are
not: the stage does not place an overview to a pixel."""
UNIT_POOL = 1
"""Which of them gives the units that the heads learn in."""


@dataclass(frozen=True, slots=True)
class OverviewSample:
    """Frames of one overview and what is truly under their pixels.

    Attributes:
        frames: of the overview.
        truth: for each frame ``classes x height x width``, area fraction of each class in each pixel.
        classes: names of the classes.
    """

    frames: Sequence[Frame]
    truth: Sequence[NDArray[np.float32]]
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ReaderTraining:
    """How the reader is trained.

    Attributes:
        steps: optimiser steps.
        batch: crops for each.
        crop_px: edge of a crop.
        learning_rate: largest, of a one-cycle schedule.
        seed: of everything random.
        gain: largest factor by which a crop's contrast is changed, as a logarithm.
        noise: largest standard deviation of noise that is added, in those of the overview.
    """

    steps: int = 900
    batch: int = 12
    crop_px: int = 96
    learning_rate: float = 4e-3
    seed: int = 0
    gain: float = 0.2
    noise: float = 0.3


def train_reader(
    samples: Sequence[OverviewSample],
    shape: ReaderShape,
    training: ReaderTraining,
    progress: Callable[[int, float], None] | None = None,
) -> tuple[OverviewReader, tuple[str, ...]]:
    """Trains a reader; returns it with the names of its heads.

    The loss is the squared error of box means in units of their variance, so that rare and common
    classes, and small and large boxes, weigh alike. A sample counts for its own classes only.

    Args:
        samples: overviews with truth.
        shape: of the network.
        training: how.
        progress: hears the step and the mean share of the variance that was left in the last steps.
    """
    heads = tuple(sorted({name for sample in samples for name in sample.classes}))
    images, truths, kinds = _prepared(samples, heads, training.crop_px)
    means, variances = _box_statistics(truths)
    with seeded(training.seed):
        reader = _new_reader(len(heads), shape)
        optimiser = torch.optim.AdamW(reader.parameters(), lr=training.learning_rate, weight_decay=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, training.learning_rate, total_steps=training.steps, pct_start=0.15
        )
        rng = np.random.default_rng(training.seed)
        recent = 1.0
        for step in range(training.steps):
            channels, truth = _batch(images, truths, kinds, training, rng)
            loss = _loss(reader.train(), channels, truth, means, variances)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(reader.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            recent = 0.98 * recent + 0.02 * float(loss.detach())
            if progress is not None:
                progress(step + 1, recent)
    _in_fractions(reader, means, variances)
    return reader.eval(), heads


def _new_reader(n_heads: int, shape: ReaderShape) -> OverviewReader:
    """A reader whose heads say nothing yet: the mean of every class."""
    reader = OverviewReader(n_heads, shape)
    with torch.no_grad():
        reader.heads.weight.zero_()
        if reader.heads.bias is not None:
            reader.heads.bias.zero_()
    return reader


def _in_fractions(reader: OverviewReader, means: Tensor, variances: Tensor) -> None:
    """Folds the units of training, standard deviations from the mean, into the heads."""
    unit = variances[UNIT_POOL].sqrt()
    with torch.no_grad():
        reader.heads.weight.mul_(unit[:, None, None, None])
        if reader.heads.bias is not None:
            reader.heads.bias.mul_(unit).add_(means)


def _prepared(
    samples: Sequence[OverviewSample], heads: tuple[str, ...], crop_px: int
) -> tuple[list[Tensor], list[Tensor], list[list[int]]]:
    """Channels and truths of every frame that holds a crop; frames grouped by their set of classes."""
    images: list[Tensor] = []
    truths: list[Tensor] = []
    groups: dict[tuple[str, ...], list[int]] = {}
    for sample in samples:
        scale = overview_scale(sample.frames)
        for frame, truth in zip(sample.frames, sample.truth, strict=True):
            if min(frame.pixels.shape) < crop_px:
                continue
            full = np.full((len(heads), *frame.pixels.shape), np.nan, np.float32)
            full[[heads.index(name) for name in sample.classes]] = truth
            groups.setdefault(sample.classes, []).append(len(images))
            images.append(torch.from_numpy(grey_channels(frame.pixels, scale)))
            truths.append(torch.from_numpy(full))
    return images, truths, list(groups.values())


def _box_statistics(truths: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Mean of each class, and ``pools x classes`` variances of its box means, where the class is known."""
    means, variances = [], []
    for pool in POOLS_PX:
        sums = torch.zeros(3, truths[0].shape[0], dtype=torch.float64)
        for truth in truths:
            boxes = functional.avg_pool2d(truth[None], pool)[0].flatten(1).double()
            known = ~torch.isnan(boxes)
            boxes = torch.nan_to_num(boxes)
            sums += torch.stack([known.sum(1).double(), boxes.sum(1), (boxes**2).sum(1)])
        means.append((sums[1] / sums[0]).float())
        variances.append((sums[2] / sums[0] - (sums[1] / sums[0]) ** 2).clamp_min(1e-12).float())
    return means[UNIT_POOL], torch.stack(variances)


def _batch(
    images: Sequence[Tensor],
    truths: Sequence[Tensor],
    kinds: Sequence[Sequence[int]],
    training: ReaderTraining,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """Crops, kind by kind in turn, mirrored and turned, with changed contrast and noise."""
    crops, wanted = [], []
    size = training.crop_px
    for number in range(training.batch):
        group = kinds[number % len(kinds)]
        index = group[int(rng.integers(len(group)))]
        image, truth = images[index], truths[index]
        row, column = (int(rng.integers(extent - size + 1)) for extent in image.shape[1:])
        window = (slice(None), slice(row, row + size), slice(column, column + size))
        turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
        crop, target = (torch.rot90(item[window], turns, (1, 2)) for item in (image, truth))
        if mirror:
            crop, target = crop.flip(2), target.flip(2)
        factor = float(np.exp(rng.uniform(-training.gain, training.gain)))
        shift = float(rng.uniform(-0.2, 0.2))
        sigma = training.noise * float(rng.random()) ** 2
        crops.append(crop * factor + shift + sigma * torch.randn(crop.shape[1:]))
        wanted.append(target)
    return torch.stack(crops), torch.stack(wanted)


def _loss(
    reader: OverviewReader, channels: Tensor, truth: Tensor, means: Tensor, variances: Tensor
) -> Tensor:
    unit = variances[UNIT_POOL].sqrt()
    predicted = reader.read(reader(channels)) * unit[:, None, None] + means[:, None, None]
    losses = []
    for pool, variance in zip(POOLS_PX, variances, strict=True):
        boxes, wanted = functional.avg_pool2d(predicted, pool), functional.avg_pool2d(truth, pool)
        known = ~torch.isnan(wanted)
        error = (boxes - torch.nan_to_num(wanted)) ** 2 / variance[:, None, None]
        losses.append((error * known).sum() / known.sum())
    return torch.stack(losses).mean()
