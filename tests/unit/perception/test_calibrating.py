from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from autoscope.app.cli import main
from autoscope.core import ConfigurationError
from autoscope.images import read_micrograph, write_index_png, write_png
from autoscope.perception import ThresholdSegmenter, load_segmenter, read_card
from autoscope.perception.area_distribution import fraction_of
from autoscope.perception.calibrating import calibrate, calibrate_on, fit_calibration
from autoscope.perception.evaluation import evaluate
from autoscope.perception.held_out import HeldOutImage
from autoscope.perception.offsets import balanced_offsets
from autoscope.perception.pairs import find_pairs, read_pair
from autoscope.perception.weights import read_model

CLASSES = ("ground", "disk")


def made_up(seed: int, *, too_sure: float = 1.0, too_much: float = 0.0, edge: int = 80) -> HeldOutImage:
    """Labels drawn from known probabilities, and scores that exaggerate and favour the second class."""
    rng = np.random.default_rng(seed)
    margin = rng.normal(0.0, 2.5, (edge, edge))
    labels = (rng.random((edge, edge)) < 1 / (1 + np.exp(-margin))).astype(np.uint8)
    scores = np.stack([-margin / 2, margin / 2 + too_much]) * too_sure
    sites = torch.from_numpy(scores.reshape(2, -1).T.copy()).float()
    return HeldOutImage(
        f"made up {seed}", torch.from_numpy(scores).half(), labels, None, sites,
        torch.from_numpy(labels.ravel().astype(np.int64)), labels.size,
    )  # fmt: skip


@pytest.mark.parametrize("too_sure", [1.0, 3.0])
def test_the_temperature_is_how_much_the_network_exaggerates(too_sure: float) -> None:
    images = [made_up(seed, too_sure=too_sure) for seed in range(4)]
    found = fit_calibration(CLASSES, images, [None] * 4)
    assert found.temperature == pytest.approx(too_sure, rel=0.12)
    assert found.posterior_scale == 0.0
    assert found.nll_after is not None
    assert found.nll_after <= found.nll_before + 0.01


def disks_found_too_large(seed: int, grow: float) -> HeldOutImage:
    """A disk of random size whose score falls off smoothly and whose rim is put too far out."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:96, :96] - 48.0
    radius = rng.uniform(14, 24)
    distance = np.hypot(y, x) - radius
    scores = np.stack([distance - grow, -(distance - grow)]) / 2
    labels = (distance < 0).astype(np.uint8)
    sites = torch.from_numpy(scores.reshape(2, -1).T.copy()).float()
    return HeldOutImage(
        f"disk {seed}", torch.from_numpy(scores).half(), labels, None, sites,
        torch.from_numpy(labels.ravel().astype(np.int64)), labels.size,
    )  # fmt: skip


def test_offsets_take_away_what_is_found_too_much_on_every_image() -> None:
    offsets = balanced_offsets([disks_found_too_large(seed, 3.0) for seed in range(5)])
    # the rim lies 3 px out, where the scores differ by 3
    assert offsets[0] - offsets[1] == pytest.approx(3.0, abs=0.6)


def test_offsets_are_zero_where_images_contradict_each_other_or_are_too_few() -> None:
    contrary = [disks_found_too_large(seed, grow) for seed, grow in enumerate((3.0, -3.0, 3.0, -3.0))]
    assert not balanced_offsets(contrary).any()
    assert not balanced_offsets([disks_found_too_large(seed, 3.0) for seed in range(2)]).any()


def test_training_calibrates_on_what_it_held_out(trained: Path) -> None:
    stored = read_model(trained)
    held_out = [entry.name for entry in stored.card.training_data if entry.role == "validation"]
    assert stored.card.calibration is not None
    assert list(stored.card.calibration.images) == held_out
    assert stored.groups["posterior"]["deviations"].shape[1] == 2


def test_training_without_held_out_images_calibrates_nothing(disk_folders, tmp_path: Path, tiny) -> None:
    from autoscope.perception.training import train

    settings = tiny(validation_share=0.0)
    result = train(*disk_folders, CLASSES, tmp_path / "m.safetensors", settings=settings, device="cpu")
    assert result.card.calibration is None
    found = load_segmenter(result.path, device="cpu").segment(
        np.full((40, 50), 90, np.uint8), None, uncertainty=True
    )
    assert found.uncertainty is not None
    assert found.uncertainty.epistemic is None
    assert found.uncertainty.areas == ()
    assert any("not calibrated" in note for note in found.notes)


def test_a_frame_with_its_uncertainty(trained: Path, disk_folders) -> None:
    segmenter = load_segmenter(trained, device="cpu")
    pixels = read_micrograph(disk_folders[0] / "disks1.png").pixels
    found = segmenter.segment(pixels, 2.0, probability=True, uncertainty=True)
    unsure = found.uncertainty
    assert unsure is not None
    assert found.probability is not None
    assert unsure.total.shape == pixels.shape
    assert unsure.total.dtype == np.float16
    assert unsure.score == pytest.approx(unsure.total.mean(dtype=float), abs=1e-4)
    assert np.array_equal(found.labels, segmenter.segment(pixels, 2.0).labels)
    if unsure.epistemic is not None and unsure.aleatoric is not None:
        parts = unsure.epistemic.astype(float) + unsure.aleatoric.astype(float)
        np.testing.assert_allclose(parts, unsure.total.astype(float), atol=2e-3)
    disk = unsure.areas[1]
    low, high = disk.interval()
    assert low < disk.found < high
    assert disk.quantile(0.5) == pytest.approx(float(fraction_of(disk.location)))
    again = segmenter.segment(pixels, 2.0, uncertainty=True).uncertainty
    assert again is not None
    assert np.array_equal(again.total, unsure.total)


def test_a_model_is_not_calibrated_on_its_training_images(trained: Path, disk_folders) -> None:
    with pytest.raises(ConfigurationError, match="was trained on 4 of these images, such as disks"):
        calibrate(trained, *disk_folders, device="cpu")


def test_calibrating_anew_replaces_what_was(trained: Path, disk_folders, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    shutil.copy(trained, path)
    images = [read_pair(pair, CLASSES) for pair in find_pairs(*disk_folders)[:3]]
    first = calibrate_on(path, images, device="cpu")
    assert first.calibration is not None
    assert first.calibration.images == ("disks0", "disks1", "disks2")
    assert calibrate_on(path, images, device="cpu") == first
    assert first.sha256 != read_card(trained).sha256


def test_nothing_to_calibrate_on() -> None:
    with pytest.raises(ConfigurationError, match="no images"):
        fit_calibration(CLASSES, [], [])


def test_evaluation_knows_reliability(trained: Path, disk_folders) -> None:
    found = evaluate(trained, *disk_folders, device="cpu")
    assert found.reliability is not None
    assert 0.0 <= found.reliability.ece < 0.2
    assert found.reliability.error_auroc is not None
    assert found.reliability.error_auroc > 0.7
    assert found.reliability.area_coverage is not None
    scores = [image.mean_iou for image in found.worst_first]
    assert scores == sorted(scores)
    assert [image.image for image in found.images] == [f"disks{n}" for n in range(5)]


def test_thresholds_say_that_they_know_of_no_uncertainty() -> None:
    found = ThresholdSegmenter(("a", "b"), (0.5,)).segment(np.zeros((4, 4), np.uint8), 1.0, uncertainty=True)
    assert found.uncertainty is None
    assert found.notes == ("thresholds do not know how unsure they are",)


def test_the_commands(trained: Path, disk_folders, tmp_path: Path, capsys) -> None:
    path, out = tmp_path / "m.safetensors", tmp_path / "out"
    shutil.copy(trained, path)
    new = tmp_path / "new"
    (new / "i").mkdir(parents=True)
    (new / "m").mkdir()
    write_png(new / "i" / "fresh.png", read_micrograph(disk_folders[0] / "disks1.png").pixels)
    write_index_png(new / "m" / "fresh.png", read_pair(find_pairs(*disk_folders)[1], CLASSES).labels)
    folders = ["--images", str(new / "i"), "--masks", str(new / "m"), "--json"]
    assert main(["segment", "calibrate", str(path), *folders]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["calibration"]["images"] == ["fresh"]
    assert answer["sha256"] == read_card(path).sha256
    image = str(disk_folders[0] / "disks0.png")
    assert main(["segment", "predict", str(path), image, "-o", str(out), "--uncertainty", "--json"]) == 0
    (answer,) = json.loads(capsys.readouterr().out)
    assert [one["class"] for one in answer["area_intervals"]] == list(CLASSES)
    assert answer["area_intervals"][1]["low"] < answer["area_fractions"]["disk"]
    assert Path(answer["uncertainty"]).read_bytes().startswith(b"\x89PNG")
    picture = tmp_path / "r.png"
    assert main(["segment", "evaluate", str(path), *folders, "--reliability", str(picture)]) == 0
    assert json.loads(capsys.readouterr().out)["reliability"]["ece"] >= 0.0
    assert picture.exists()
    assert main(["segment", "evaluate", str(path), *folders[:-1]]) == 0
    assert "worst first" in capsys.readouterr().out
