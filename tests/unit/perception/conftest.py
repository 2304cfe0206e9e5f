"""Small labelled images: bright disks on a dark ground."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autoscope.images import write_index_png, write_png
from autoscope.perception import Architecture, TrainingSettings

Folders = tuple[Path, Path]


def disks(rng: np.random.Generator, edge: int) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:edge, :edge]
    labels = np.zeros((edge, edge), np.uint8)
    for _ in range(8):
        radius, row, column = rng.uniform(5, 12), *rng.uniform(0, edge, 2)
        labels[(y - row) ** 2 + (x - column) ** 2 < radius**2] = 1
    pixels = np.clip(80 + 80 * labels + rng.normal(0, 15, labels.shape), 0, 255).astype(np.uint8)
    return pixels, labels


@pytest.fixture(scope="session")
def disk_folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    root = tmp_path_factory.mktemp("disks")
    images, masks = root / "images", root / "masks"
    images.mkdir()
    masks.mkdir()
    rng = np.random.default_rng(0)
    for number in range(5):
        pixels, labels = disks(rng, 96)
        write_png(images / f"disks{number}.png", pixels)
        write_index_png(masks / f"disks{number}.png", labels)
    return images, masks


@pytest.fixture
def tiny() -> Callable[..., TrainingSettings]:
    """Settings of a training that takes a second or so."""

    def settings(**changes: object) -> TrainingSettings:
        base: dict[str, object] = {
            "architecture": Architecture(encoder="tu-resnet10t", depth=3, decoder_channels=(16, 8, 8)),
            "steps": 6,
            "batch": 2,
            "crop_px": 32,
            "validate_every": 3,
        }
        return TrainingSettings.model_validate(base | changes)

    return settings


@pytest.fixture(scope="session")
def trained(disk_folders: Folders, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of disks that was trained for long enough to be right about most pixels."""
    from autoscope.perception.training import train

    settings = TrainingSettings(
        architecture=Architecture(encoder="tu-resnet10t", depth=3, decoder_channels=(32, 16, 8)),
        steps=60,
        batch=4,
        crop_px=64,
        validate_every=20,
        learning_rate=4e-3,
        average_decay=0.9,
    )
    output = tmp_path_factory.mktemp("model") / "disks.safetensors"
    train(*disk_folders, ["ground", "disk"], output, settings=settings, device="cpu")
    return output
