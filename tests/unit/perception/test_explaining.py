"""Explanations of a model whose reasons are known: it learned that bright disks are disks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoscope.core import ConfigurationError, ImageError
from autoscope.perception.calibration_card import Calibration
from autoscope.perception.explaining import LARGEST_EXPLAINED_PX, ExplanationSettings, explain_frame
from autoscope.perception.explanation_files import draw_explanation
from autoscope.perception.weights import read_network

pytest.importorskip("captum")


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    """One bright disk, upper left."""
    y, x = np.mgrid[:96, :100]
    disk = (y - 30) ** 2 + (x - 26) ** 2 < 12**2
    noise = np.random.default_rng(1).normal(0, 15, disk.shape)
    return np.clip(80 + 80 * disk + noise, 0, 255).astype(np.uint8)


def test_hiding_the_disk_takes_the_class_away(trained: Path, frame: np.ndarray, tmp_path: Path) -> None:
    network, card = read_network(trained)
    heard: list[tuple[int, int]] = []
    found = explain_frame(
        network,
        card,
        frame,
        "disk",
        ExplanationSettings(occlusion_cells=4),
        progress=lambda *n: heard.append(n),
    )
    assert found.occlusion is not None
    assert found.occlusion.shape == found.grad_cam.shape == frame.shape
    disk = (slice(26, 50), slice(26, 50))  # the cell that holds most of it
    assert found.occlusion[disk].max() == pytest.approx(found.occlusion.max())
    assert found.occlusion.max() > 0.1
    assert abs(float(found.occlusion[78:, 78:].mean())) < 0.05
    assert 0.0 <= found.grad_cam.min() <= found.grad_cam.max() <= 1.0 + 1e-6
    assert 0.0 < found.share < 0.2
    assert heard[-1][0] == heard[-1][1]
    draw_explanation(frame, found, tmp_path / "e.png")
    assert (tmp_path / "e.png").read_bytes().startswith(b"\x89PNG")


def test_labels_and_probabilities_are_the_calibrated_ones(trained: Path, frame: np.ndarray) -> None:
    network, card = read_network(trained)
    settings = ExplanationSettings(occlusion_cells=0)
    plain = explain_frame(network, card, frame, "disk", settings)
    calibration = Calibration.model_construct(offsets=(0.0, 100.0), temperature=100.0)
    moved = explain_frame(
        network, card.model_copy(update={"calibration": calibration}), frame, "disk", settings
    )
    assert (plain.share < 0.2, moved.share) == (True, 1.0)
    assert 0.6 < moved.probability < 0.85, "softmax of about (0, 1)"


def test_the_network_is_left_as_it_was(trained: Path, frame: np.ndarray) -> None:
    network, card = read_network(trained)
    explain_frame(network, card, frame, "disk", ExplanationSettings(occlusion_cells=0))
    assert not network.get_submodule("encoder")._forward_hooks
    assert all(parameter.grad is None for parameter in network.parameters())


def test_what_cannot_be_explained_is_refused(trained: Path, frame: np.ndarray) -> None:
    network, card = read_network(trained)
    with pytest.raises(ConfigurationError, match="no class 'disc'"):
        explain_frame(network, card, frame, "disc")
    wide = np.zeros((1, LARGEST_EXPLAINED_PX + 1), np.uint8)
    with pytest.raises(ImageError, match="the limit for an explanation"):
        explain_frame(network, card, wide, "disk")
