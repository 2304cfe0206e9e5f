from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from autoscope.perception import Augmentation, load_segmenter
from autoscope.perception.views import View, ViewedNetwork, trained_views

ALL = [View(turns, mirrored) for mirrored in (False, True) for turns in range(4)]


@pytest.mark.parametrize("view", ALL)
def test_a_view_can_be_undone(view: View) -> None:
    frame = torch.arange(12.0).reshape(1, 1, 3, 4)
    assert torch.equal(view.undo(view.of(frame)), frame)


def test_the_eight_views_differ() -> None:
    frame = torch.arange(9.0).reshape(1, 1, 3, 3)
    assert len({tuple(view.of(frame).flatten().tolist()) for view in ALL}) == 8


@pytest.mark.parametrize(
    ("augmentation", "count"),
    [
        (Augmentation(), 8),
        (Augmentation(rotation_deg=20.0, flip_vertical=False), 2),
        (Augmentation(rotation_deg=20.0), 4),
        (Augmentation(rotation_deg=0.0, flip_horizontal=False, flip_vertical=False), 1),
        (Augmentation(flip_horizontal=False, flip_vertical=False), 4),
    ],
)
def test_only_views_of_the_training_are_looked_at(augmentation: Augmentation, count: int) -> None:
    views = trained_views(augmentation)
    assert len(views) == count
    assert views[0] == View(0, False)


def test_upside_down_is_a_vertical_flip() -> None:
    only_vertical = Augmentation(rotation_deg=0.0, flip_horizontal=False)
    frame = torch.arange(6.0).reshape(1, 1, 2, 3)
    assert torch.equal(trained_views(only_vertical)[1].of(frame), frame.flip(-2))


class Leaning(nn.Module):
    """Says class 1 in the left column, whatever it sees."""

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        scores = torch.zeros(len(frames), 2, *frames.shape[-2:])
        scores[:, 1, :, 0] = np.log(3.0)
        return scores


def test_probabilities_are_the_mean_over_the_views() -> None:
    viewed = ViewedNetwork(Leaning(), (View(0, False), View(0, True)))
    probability = torch.softmax(viewed(torch.zeros(1, 1, 2, 4)), dim=1)[0, 1]
    assert probability[0].tolist() == pytest.approx([0.625, 0.5, 0.5, 0.625])


def test_a_segmenter_with_views_treats_mirror_images_alike(trained: Path) -> None:
    frame = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    viewed = load_segmenter(trained, device="cpu", views=True)
    found = viewed.segment(frame, 1.0, probability=True).probability
    mirrored = viewed.segment(frame[:, ::-1].copy(), 1.0, probability=True).probability
    assert found is not None
    assert mirrored is not None
    assert np.allclose(found, mirrored[..., ::-1], atol=2e-3)
    assert viewed.sha256 != load_segmenter(trained, device="cpu").sha256
