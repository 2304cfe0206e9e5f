from __future__ import annotations

from pathlib import Path

import pytest
import torch

from autoscope.core import ConfigurationError
from autoscope.perception import Architecture, read_card
from autoscope.perception.architecture import build_network
from autoscope.perception.starting import start_from
from autoscope.perception.training import train
from autoscope.perception.weights import read_network


def test_a_network_takes_over_the_weights_of_a_model(trained: Path) -> None:
    network, card = read_network(trained)
    new = build_network(card.architecture, 2, seed=5)
    start = start_from(new, card.architecture, ("ground", "disk"), trained)
    assert start.sha256 == card.sha256
    assert start.head
    expected = network.state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in new.state_dict().items())


def test_other_classes_have_a_new_last_layer(trained: Path) -> None:
    network, card = read_network(trained)
    new = build_network(card.architecture, 3, seed=5)
    fresh = {name: value.clone() for name, value in new.state_dict().items()}
    assert not start_from(new, card.architecture, ("ground", "disk", "ring"), trained).head
    expected = network.state_dict()
    for name, value in new.state_dict().items():
        source = fresh if name.startswith("segmentation_head.") else expected
        assert torch.equal(value, source[name])


def test_a_few_steps_from_a_model_leave_it_good(trained: Path, disk_folders, tmp_path: Path, tiny) -> None:
    card = read_card(trained)
    settings = tiny(architecture=card.architecture, steps=2, learning_rate=1e-5, average_decay=0.0)
    output = tmp_path / "m.safetensors"
    result = train(*disk_folders, ["ground", "disk"], output, settings=settings, start=trained, device="cpu")
    assert result.card.started_from is not None
    assert result.card.started_from.sha256 == card.sha256
    assert result.card.held_out is not None
    assert result.card.held_out.mean_iou is not None
    assert result.card.held_out.mean_iou > 0.75  # after two steps from nothing it is below 0.5


def test_what_cannot_be_started_from(trained: Path, disk_folders, tmp_path: Path, tiny) -> None:
    output = tmp_path / "m.safetensors"
    with pytest.raises(ConfigurationError, match=r"is unet .* the training asks for unet .*"):
        train(*disk_folders, ["ground", "disk"], output, settings=tiny(), start=trained, device="cpu")
    with pytest.raises(ConfigurationError, match="not with both"):
        train(
            *disk_folders, ["ground", "disk"], output,
            settings=tiny(architecture=Architecture()), start=trained, encoder_weights=trained, device="cpu",
        )  # fmt: skip
