"""Averaging a network's answers over mirrored and turned views of a frame (test-time augmentation)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from autoscope.perception.settings import Augmentation


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at a frame.

    Attributes:
        quarter_turns: how often it is turned by 90 degrees.
        mirrored: whether its columns are reversed after that.
    """

    quarter_turns: int
    mirrored: bool

    def of(self, frames: Tensor) -> Tensor:
        """The view of ``... x height x width``."""
        turned = torch.rot90(frames, self.quarter_turns, (-2, -1))
        return turned.flip(-1) if self.mirrored else turned

    def undo(self, viewed: Tensor) -> Tensor:
        """Back to how the frame lay."""
        straight = viewed.flip(-1) if self.mirrored else viewed
        return torch.rot90(straight, -self.quarter_turns, (-2, -1))


def trained_views(augmentation: Augmentation) -> tuple[View, ...]:
    """The views that a network saw in training, the plain one first: 1, 2, 4 or 8.

    Others would show it what never occurs, such as layers upside down.
    """
    turns = (0, 1, 2, 3) if augmentation.rotation_deg >= 180.0 else (0,)
    views = {View(turn, False) for turn in turns}
    if augmentation.flip_horizontal:
        views |= {View(view.quarter_turns, not view.mirrored) for view in views}
    if augmentation.flip_vertical:  # upside down is mirrored and turned by half
        views |= {View((view.quarter_turns + 2) % 4, not view.mirrored) for view in views}
    return tuple(sorted(views, key=lambda view: (view.mirrored, view.quarter_turns)))


class ViewedNetwork(nn.Module):
    """A network whose class probabilities are the mean over views.

    Args:
        network: maps ``batch x 1 x height x width`` to scores ``batch x classes x height x width``.
        views: at least one.
    """

    def __init__(self, network: nn.Module, views: tuple[View, ...]) -> None:
        super().__init__()
        self.network, self.views = network, views

    def forward(self, frames: Tensor) -> Tensor:
        """Logarithms of the mean probabilities, which a softmax turns back into them."""
        total: Tensor | None = None
        for view in self.views:
            viewed = view.of(frames).contiguous(memory_format=torch.channels_last)
            probability = view.undo(torch.softmax(self.network(viewed).float(), dim=1))
            total = probability if total is None else total + probability
        if total is None:
            raise ValueError("there is no view to look at")
        return torch.log(total / len(self.views) + torch.finfo(torch.float32).tiny)
