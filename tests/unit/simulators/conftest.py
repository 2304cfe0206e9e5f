"""Specimens that the tests of this room image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from autoscope_simulators import SpecimenData, SpecimenFile, write_specimen


@pytest.fixture
def texture() -> NDArray[np.uint8]:
    """A 1024 x 1024 px texture of blocks, so that every pyramid level keeps contrast."""
    rng = np.random.default_rng(1)
    coarse = rng.integers(60, 200, (64, 64), dtype=np.uint8).repeat(16, 0).repeat(16, 1)
    fine = rng.integers(0, 40, (512, 512), dtype=np.uint8).repeat(2, 0).repeat(2, 1)
    return coarse + fine


@pytest.fixture
def specimen_path(tmp_path: Path, texture: NDArray[np.uint8]) -> Path:
    """The texture as a specimen file of 100 nm pixels (102.4 x 102.4 um) with three classes."""
    path = tmp_path / "specimen.h5"
    classes = (texture // 86).astype(np.uint8)
    data = SpecimenData(
        "texture",
        100.0,
        True,
        "test",
        "CC0-1.0",
        {"bse": texture},
        classes=classes,
        class_names=("a", "b", "c"),
    )
    write_specimen(data, path)
    return path


@pytest.fixture
def specimen(specimen_path: Path) -> SpecimenFile:
    """The same file, open."""
    return SpecimenFile(specimen_path)
