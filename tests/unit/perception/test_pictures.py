"""Learning curves and worst frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoscope.perception import load_segmenter
from autoscope.perception.evaluation import evaluate
from autoscope.perception.learning_curves import draw_learning_curves, running_mean, validations
from autoscope.perception.overlay import instance_overlay
from autoscope.perception.trainer import TrainingProgress
from autoscope.perception.worst_frames import draw_worst_frames, worst_images


def steps() -> list[TrainingProgress]:
    scores = [None, None, 0.4, 0.4, 0.6]
    return [
        TrainingProgress(n + 1, 5, 1.0 / (n + 1), 1e-3, score, score, 1.0, 0.0)
        for n, score in enumerate(scores)
    ]


def test_running_mean_by_hand() -> None:
    assert running_mean(np.array([1.0, 3.0, 5.0, 1.0]), 2) == pytest.approx([1.0, 2.0, 4.0, 3.0])


def test_curves_are_drawn(tmp_path: Path) -> None:
    assert validations(steps()) == [(3, 0.4), (5, 0.6)]
    for name in ("c.png", "c.svg"):
        draw_learning_curves(steps(), tmp_path / name)
        assert (tmp_path / name).stat().st_size > 1000
    draw_learning_curves(steps()[:1], tmp_path / "one.png")


def test_worst_frames_come_first(trained: Path, disk_folders: tuple[Path, Path], tmp_path: Path) -> None:
    found = evaluate(trained, *disk_folders, device="cpu")
    worst = worst_images(found, 3)
    assert len(worst) == 3
    rest = [one.mean_iou for one in found.images if one not in worst]
    assert [one.mean_iou for one in worst] == sorted(one.mean_iou for one in worst)
    assert max(one.mean_iou for one in worst) <= min(rest)
    names = draw_worst_frames(
        found, load_segmenter(trained, device="cpu"), *disk_folders, tmp_path / "w.png", count=3
    )
    assert names == tuple(one.image for one in worst)
    assert (tmp_path / "w.png").read_bytes().startswith(b"\x89PNG")


def test_an_overlay_leaves_the_ground_alone() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    numbered = np.zeros((20, 30), np.int32)
    numbered[4:10, 4:10], numbered[4:10, 10:16] = 1, 2
    drawn = instance_overlay(pixels, numbered)
    ground = numbered == 0
    assert np.array_equal(drawn[ground][:, 0], drawn[ground][:, 1])
    assert not np.array_equal(drawn[5, 9], drawn[5, 10])  # the border of two instances has both colours
