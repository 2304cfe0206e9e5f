from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from autoscope.core import ConfigurationError
from autoscope.perception import Architecture, read_card
from autoscope.perception.pretraining import PretrainingSettings, hide, pretrain
from autoscope.perception.training import train

ARCHITECTURE = Architecture(encoder="tu-resnet10t", depth=3, decoder_channels=(16, 8, 8))


def settings(**changes: object) -> PretrainingSettings:
    base: dict[str, object] = {"architecture": ARCHITECTURE, "crop_px": 32, "batch": 4, "hidden_px": 8}
    return PretrainingSettings.model_validate(base | changes)


def test_squares_are_hidden_and_nothing_else() -> None:
    crops = torch.rand(3, 1, 32, 32) + 1.0
    seen, hidden = hide(crops, 8, 0.25, np.random.default_rng(0))
    assert hidden.float().mean((1, 2, 3)).tolist() == [0.25] * 3
    assert torch.equal(seen[~hidden], crops[~hidden])
    assert not seen[hidden].any()
    blocks = hidden.reshape(3, 4, 8, 4, 8).float().mean((2, 4))
    assert set(blocks.flatten().tolist()) == {0.0, 1.0}
    assert not torch.equal(hidden[0], hidden[1])


def test_pretraining_learns_to_restore_and_its_encoder_is_taken(disk_folders, tmp_path: Path, tiny) -> None:
    output, losses = tmp_path / "encoder.safetensors", []
    error = pretrain(
        [disk_folders[0]], output,
        settings=settings(steps=40, learning_rate=4e-3), device="cpu",
        progress=lambda step, steps, loss: losses.append(loss),
    )  # fmt: skip
    assert len(losses) == 40
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:4])
    assert 0.0 < error < 0.5
    model = tmp_path / "m.safetensors"
    result = train(
        *disk_folders, ["ground", "disk"], model, settings=tiny(), encoder_weights=output, device="cpu"
    )
    weights = read_card(result.path).encoder_weights
    assert weights is not None
    assert weights.matched == weights.total


def test_pretraining_is_the_same_each_time(disk_folders, tmp_path: Path) -> None:
    first, second = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    for output in (first, second):
        pretrain([disk_folders[0]], output, settings=settings(steps=3), device="cpu")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop_px": 36}, "crop_px = 36 px must be a multiple of the stride, 8 px"),
        ({"hidden_px": 5}, "must be a multiple of hidden_px, 5 px"),
        ({"hidden_share": 1.0}, "must lie between 0 and 1"),
    ],
)
def test_bad_settings(change, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        settings(**change)


def test_bad_arguments(disk_folders, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="in a folder that exists"):
        pretrain([disk_folders[0]], tmp_path / "none" / "e.safetensors")
    with pytest.raises(ConfigurationError, match="no such folder"):
        pretrain([tmp_path / "none"], tmp_path / "e.safetensors")
