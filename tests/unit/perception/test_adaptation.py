from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from autoscope.core import ConfigurationError
from autoscope.perception import Preprocessing, read_card
from autoscope.perception.adaptation import adapt, renew_statistics
from autoscope.perception.evaluation import evaluate
from autoscope.perception.weights import write_model


def normalised(mean: float, variance: float) -> nn.BatchNorm2d:
    layer = nn.BatchNorm2d(1)
    layer.running_mean, layer.running_var = torch.tensor([mean]), torch.tensor([variance])
    return layer.eval()


def test_statistics_are_mixed_by_the_number_of_frames() -> None:
    layer = normalised(1.0, 4.0)
    frames = [
        np.array([[0.0, 2.0]], np.float32),
        np.array([[4.0, 6.0]], np.float32),
    ]  # means 1, 5; variances 2, 2
    renew_statistics(nn.Sequential(layer), frames, prior_frames=2.0)
    assert float(layer.running_mean) == pytest.approx((1.0 + 3.0) / 2)
    assert float(layer.running_var) == pytest.approx((4.0 + 2.0) / 2)
    assert not layer.training
    assert layer.momentum == 0.1
    renew_statistics(nn.Sequential(layer), frames, prior_frames=0.0)
    assert float(layer.running_mean) == pytest.approx(3.0)


def test_what_cannot_be_adapted() -> None:
    with pytest.raises(ValueError, match="no batch normalisation"):
        renew_statistics(nn.Conv2d(1, 1, 1), [], prior_frames=1.0)
    with pytest.raises(ValueError, match="no frame"):
        renew_statistics(nn.Sequential(normalised(0.0, 1.0)), [], prior_frames=1.0)


def test_an_adapted_model_is_right_again_under_other_grey_levels(
    trained: Path, disk_folders: tuple[Path, Path], tmp_path: Path
) -> None:
    # grey levels between 0.4 and 0.8 where training had them between -2 and 2
    other, output = tmp_path / "other.safetensors", tmp_path / "adapted.safetensors"
    pale = read_card(trained).model_copy(update={"preprocessing": Preprocessing(mean=-1.0, deviation=2.5)})
    write_model(other, load_file(trained), pale)
    heard: list[tuple[int, int]] = []
    card = adapt(
        other, disk_folders[0], output,
        prior_frames=0.0, device="cpu", progress=lambda *done: heard.append(done),
    )  # fmt: skip
    before, after = (evaluate(model, *disk_folders, device="cpu").mean_iou for model in (other, output))
    assert before is not None
    assert after is not None
    assert after > 0.8 > before + 0.1
    assert heard[-1] == (5, 5)
    assert card == read_card(output)
    assert card.adaptation is not None
    assert card.adaptation.from_sha256 == pale.sha256
    assert card == card.without_fits()


def test_bad_arguments(trained: Path, disk_folders: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"must end in \.safetensors"):
        adapt(trained, disk_folders[0], tmp_path / "m.pt")
    with pytest.raises(ConfigurationError, match="prior_frames = -1 must be at least 0"):
        adapt(trained, disk_folders[0], tmp_path / "m.safetensors", prior_frames=-1.0)
    with pytest.raises(ConfigurationError, match="no such folder"):
        adapt(trained, tmp_path / "none", tmp_path / "m.safetensors")
