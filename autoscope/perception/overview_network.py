"""The network that reads overviews: a small fully convolutional U-Net with linear heads.

An area fraction is a mean over pixels. So the network makes feature maps, a field's features are their
means over the field, and whatever is linear in them is an area fraction of something: the heads are
linear, and a session's own regression on the same features contains every head as a special case.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from autoscope.perception.overview_grey import CHANNELS

REACH_PX = 8
"""Frames are padded to multiples of this: three halvings."""


@dataclass(frozen=True, slots=True)
class ReaderShape:
    """Sizes of the network.

    Attributes:
        features: feature maps that fields are described with.
        width: channels at full resolution; doubled at each of the first two halvings.
    """

    features: int = 16
    width: int = 8


class OverviewReader(nn.Module):
    """Overview pixels to feature maps, and linear heads on them.

    Args:
        n_heads: classes that it is trained on.
        shape: sizes.
    """

    def __init__(self, n_heads: int, shape: ReaderShape) -> None:
        super().__init__()
        w = shape.width
        self.whole = _Block(CHANNELS, w)
        self.halved = _Block(w, 2 * w)
        self.quartered = _Block(2 * w, 4 * w)
        self.deepest = _Block(4 * w, 4 * w)
        self.up_quarter = _Block(8 * w, 4 * w)
        self.up_half = _Block(6 * w, 2 * w)
        self.up_full = nn.Conv2d(3 * w, shape.features, 3, padding=1)
        self.heads = nn.Conv2d(shape.features, n_heads, 1)

    def forward(self, channels: Tensor) -> Tensor:
        """Feature maps.

        Args:
            channels: ``n x 2 x height x width``, both multiples of 8.

        Returns:
            ``n x features x height x width``, not negative.
        """
        full = self.whole(channels)
        half = self.halved(functional.avg_pool2d(full, 2))
        quarter = self.quartered(functional.avg_pool2d(half, 2))
        eighth = self.deepest(functional.avg_pool2d(quarter, 2))
        up = self.up_quarter(torch.cat([quarter, _twice(eighth)], 1))
        up = self.up_half(torch.cat([half, _twice(up)], 1))
        maps: Tensor = functional.relu(self.up_full(torch.cat([full, _twice(up)], 1)))
        return maps

    def read(self, maps: Tensor) -> Tensor:
        """What the heads make of feature maps, or of their means over fields: ``n x heads x ...``."""
        values: Tensor = self.heads(maps)
        return values

    def head_weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """``heads x features`` weights and ``heads`` constants."""
        bias = self.heads.bias if self.heads.bias is not None else torch.zeros(self.heads.out_channels)
        weight = self.heads.weight[:, :, 0, 0]
        return weight.detach().double().numpy(), bias.detach().double().numpy()


class _Block(nn.Sequential):
    """Two 3 x 3 convolutions with batch normalisation."""

    def __init__(self, inside: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(inside, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
            nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
        )  # fmt: skip


def _twice(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2.0, mode="bilinear", align_corners=False)
