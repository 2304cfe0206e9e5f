"""The probability that a pixel's label is wrong, from signs of the pixel and its surroundings."""

from __future__ import annotations

from operator import mul

import torch
from torch import Tensor

from autoscope.perception.calibration_card import ErrorChances
from autoscope.perception.error_signs import spread_over_pixels


def error_probability(chances: ErrorChances, doubt: Tensor, labels: Tensor, cells: Tensor) -> Tensor:
    """Probability that the label is wrong, ``height x width``.

    Args:
        chances: as fitted.
        doubt: ``height x width``, the first sign.
        labels: ``height x width``.
        cells: ``4 x cells x cells``, the others.
    """
    odds = torch.zeros_like(doubt)
    for number, one in enumerate(chances.per_class):
        slopes = [slope / spread for slope, spread in zip(one.slopes, chances.spread, strict=True)]
        level = one.intercept - sum(map(mul, slopes, chances.centre))
        around = torch.tensordot(torch.tensor(slopes[1:], device=cells.device), cells, dims=1) + level
        of_class = spread_over_pixels(around, *doubt.shape).add_(doubt, alpha=1.0 + slopes[0])
        odds = torch.where(labels == number, of_class, odds)
    return torch.sigmoid(odds)
