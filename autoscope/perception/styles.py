"""Crops in the grey levels of other training images: a network should not learn one setting of contrast."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from autoscope.perception.settings import Augmentation

_LEVELS = 256
_SLOW_PER_PX = 0.02
"""Frequencies whose amplitudes are mixed, cycles per px: shading and contrast over more than 50 px, and no
feature of the structure."""


def mix_styles(grey: Tensor, augmentation: Augmentation, rng: np.random.Generator) -> Tensor:
    """Gives some crops of a batch the histogram, or the slow amplitudes, of another crop of the batch.

    Both are mixed in by a share that is drawn evenly in [0, 1].

    Args:
        grey: ``batch x 1 x crop x crop`` in [0, 1].
        augmentation: says how many crops.
        rng: of this step.
    """
    if augmentation.histogram_share > 0:
        share = _shares(len(grey), augmentation.histogram_share, rng, grey)
        grey = grey + share * (matched(grey, _others(grey, rng)) - grey)
    if augmentation.fourier_share > 0:
        share = _shares(len(grey), augmentation.fourier_share, rng, grey)
        grey = with_amplitudes(grey, _others(grey, rng), share)
    return grey


def matched(grey: Tensor, reference: Tensor) -> Tensor:
    """Each crop with grey levels changed by a rising curve so that its histogram is the reference's.

    Args:
        grey: ``batch x 1 x height x width`` in [0, 1].
        reference: of the same shape.
    """
    levels, below = _levels(grey), _cumulated(grey)
    curve = torch.searchsorted(_cumulated(reference), below).clamp(max=_LEVELS - 1)
    new = torch.gather(curve, 1, levels.flatten(1)).view_as(grey)
    return grey + (new - levels) / (_LEVELS - 1)


def with_amplitudes(grey: Tensor, reference: Tensor, share: Tensor) -> Tensor:
    """Each crop with the amplitudes of its slow Fourier components moved towards the reference's.

    Phases stay (Yang & Soatto 2020; Xu et al. 2021 mix by a share).

    Args:
        grey: ``batch x 1 x height x width``.
        reference: of the same shape.
        share: ``batch x 1 x 1 x 1``: 0 changes nothing, 1 takes the reference's amplitudes.
    """
    height, width = grey.shape[-2:]
    own, other = torch.fft.rfft2(grey), torch.fft.rfft2(reference)
    slow_y = torch.fft.fftfreq(height, device=grey.device).abs() <= _SLOW_PER_PX
    slow_x = torch.fft.rfftfreq(width, device=grey.device) <= _SLOW_PER_PX
    slow = (slow_y[:, None] & slow_x[None, :]).to(grey.dtype)
    amplitude = own.abs()
    factor = 1.0 + share * slow * (other.abs() / amplitude.clamp(min=1e-6) - 1.0)
    mixed: Tensor = torch.fft.irfft2(own * factor, s=(height, width))
    return mixed


def _shares(count: int, chosen: float, rng: np.random.Generator, like: Tensor) -> Tensor:
    values = rng.uniform(0.0, 1.0, count) * (rng.random(count) < chosen)
    return torch.from_numpy(values.astype(np.float32)).to(like.device)[:, None, None, None]


def _others(grey: Tensor, rng: np.random.Generator) -> Tensor:
    order = torch.from_numpy(rng.permutation(len(grey))).to(grey.device)
    return grey[order]


def _levels(grey: Tensor) -> Tensor:
    return (grey.clamp(0, 1) * (_LEVELS - 1)).round().long()


def _cumulated(grey: Tensor) -> Tensor:
    """``batch x levels``: share of the pixels below each level, half of those on it included."""
    levels = _levels(grey).flatten(1)
    counts = torch.zeros(len(levels), _LEVELS, device=grey.device)
    counts.scatter_add_(1, levels, torch.ones_like(levels, dtype=counts.dtype))
    return ((counts.cumsum(1) - counts / 2) / levels.shape[1]).contiguous()
