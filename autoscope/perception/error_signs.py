"""What tells wrong pixels from right ones beside a pixel's own probability: signs of its surroundings.

The surroundings are described on cells of 4 x 4 px, since they change slowly: sixteen times less work.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from autoscope.perception.entropy import softmax_and_entropy

CELL_PX = 4
AVERAGED_CELLS = (3, 9, 17)
"""Edges of the squares over which entropy is averaged: a network is unsure where it is wrong, but not pixel
by pixel: of a hole in a particle it is unsure at the rim and wrong throughout."""
SIGNS = ("doubt", *(f"entropy_{CELL_PX * edge}_px" for edge in AVERAGED_CELLS), "border")
"""Their names and order: log odds against the label, logs of averaged entropies, log of 1 + distance to the
frame's border, px: there the surroundings are missing, and masks often leave out what is cut."""

_ENTROPY_FLOOR = 1e-4
_DOUBT_FLOOR = 1e-4
_FARTHEST_PX = 100.0


def tile_signs(
    scores: Tensor, labels: Tensor, origin: tuple[int, int], shape: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """The signs of the pixels of a tile that lie in the frame.

    Args:
        scores: ``classes x height x width`` of the whole tile, before calibration.
        labels: ``height x width``.
        origin: row and column of the tile's first pixel in the frame.
        shape: of the frame, px.

    Returns:
        ``height x width`` doubt, and ``4 x cells x cells`` of the rest. Squares end where the tile does.
    """
    height, width = (whole - first for whole, first in zip(shape, origin, strict=True))
    probability, entropy = softmax_and_entropy(scores[:, :height, :width].float())
    right = probability.gather(0, labels[None, :height, :width].long())[0]
    return _log_odds_against(right), _surroundings(entropy, origin, (shape[0], shape[1]))


def doubt(scores: Tensor, labels: Tensor) -> Tensor:
    """Log odds of the plain softmax against the label, ``n``, finite.

    Args:
        scores: ``classes x n``.
        labels: ``n``.
    """
    return _log_odds_against(torch.softmax(scores.float(), dim=0).gather(0, labels[None].long())[0])


def spread_over_pixels(cells: Tensor, height: int, width: int) -> Tensor:
    """``... x height x width`` pixels with the values of the cells that they lie in."""
    wide = cells.repeat_interleave(CELL_PX, dim=-1)[..., :width]
    return wide.repeat_interleave(CELL_PX, dim=-2)[..., :height, :]


def square_mean(values: Tensor, edge: int) -> Tensor:
    """Mean over the square of odd edge around each place, as far as it lies inside.

    From running sums along one axis after the other: the work does not depend on the edge.
    """
    found = values.double()
    for axis in (0, 1):
        count = found.shape[axis]
        sums = torch.cat([torch.zeros_like(found.narrow(axis, 0, 1)), found.cumsum(axis)], dim=axis)
        place = torch.arange(count, device=values.device)
        high = (place + edge // 2 + 1).clamp(max=count)
        low = (place - edge // 2).clamp(min=0)
        lengths = (high - low).reshape((-1, 1) if axis == 0 else (1, -1))
        found = (sums.index_select(axis, high) - sums.index_select(axis, low)) / lengths
    return found.float()


def _log_odds_against(right: Tensor) -> Tensor:
    return torch.log((1.0 - right + _DOUBT_FLOOR) / (right + _DOUBT_FLOOR))


def _surroundings(entropy: Tensor, origin: tuple[int, int], shape: tuple[int, int]) -> Tensor:
    """All signs but the first, ``4 x cells x cells``."""
    cells = functional.avg_pool2d(entropy[None], CELL_PX, ceil_mode=True, count_include_pad=False)[0]
    averaged = [torch.log(square_mean(cells, edge) + _ENTROPY_FLOOR) for edge in AVERAGED_CELLS]
    distances = []
    for first, count, length in zip(origin, cells.shape, shape, strict=True):
        middle = torch.arange(count, device=entropy.device) * CELL_PX + first + (CELL_PX - 1) / 2
        distances.append(torch.minimum(middle, length - 1.0 - middle).clamp(0.0, _FARTHEST_PX))
    border = torch.minimum(distances[0][:, None], distances[1][None])
    return torch.stack([*averaged, torch.log1p(border)])
