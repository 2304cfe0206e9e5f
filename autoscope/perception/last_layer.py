"""The convolution that makes scores from features, as a linear map on each pixel's neighbourhood."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


def last_layer(network: nn.Module) -> nn.Conv2d | None:
    """The convolution whose result are the scores; None where the network does not end with one.

    Heads that enlarge their scores afterwards are not treated.
    """
    head = getattr(network, "segmentation_head", None)
    if not isinstance(head, nn.Sequential) or not len(head) or not isinstance(head[0], nn.Conv2d):
        return None
    plain = all(not isinstance(layer, nn.Upsample) for layer in list(head)[1:])
    return head[0] if plain and head[0].groups == 1 else None


def neighbourhoods(features: Tensor, rows: Tensor, columns: Tensor, layer: nn.Conv2d) -> Tensor:
    """What the last layer multiplies at some pixels.

    Args:
        features: ``channels x height x width``.
        rows: ``n`` row numbers.
        columns: likewise.
        layer: whose kernel's surroundings are taken.

    Returns:
        ``n x (channels * kernel area + 1)``, in the order of the kernel's weights, then 1 for the bias.
    """
    reach = layer.kernel_size[0] // 2
    padded = functional.pad(features, (reach,) * 4)
    taken = [
        padded[:, rows + down, columns + right]
        for down in range(layer.kernel_size[0])
        for right in range(layer.kernel_size[1])
    ]
    stacked = torch.stack(taken, dim=1).reshape(-1, len(rows)).T
    return torch.cat([stacked, torch.ones(len(rows), 1)], dim=1)


def flat_weights(layer: nn.Conv2d) -> Tensor:
    """``classes x (channels * kernel area + 1)``: weights, then the bias."""
    bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias.detach()
    return torch.cat([layer.weight.detach().flatten(1).cpu(), bias.cpu()[:, None]], dim=1).float()
