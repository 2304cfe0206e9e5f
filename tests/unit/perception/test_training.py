from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from autoscope.core import ConfigurationError, ImageError, ModelError
from autoscope.images import read_mask, write_index_png, write_png
from autoscope.perception import Preprocessing, TrainingSettings, load_segmenter, losses, read_card
from autoscope.perception import trainer as trainer_module
from autoscope.perception.checkpoint import checkpoint_path
from autoscope.perception.pairs import find_pairs
from autoscope.perception.randomness import seeded
from autoscope.perception.training import TrainingProgress, split_pairs, train

CLASSES = ["ground", "disk"]


class KilledError(Exception):
    """Stands for the end of a process."""


def kill_after(step: int):
    def progress(now: TrainingProgress) -> None:
        if now.step == step:
            raise KilledError

    return progress


def test_a_network_learns_disks(trained: Path) -> None:
    held_out = read_card(trained).held_out
    assert held_out is not None
    assert held_out.mean_iou is not None
    assert held_out.mean_iou > 0.8  # always "ground" gives 0.43
    assert [score.class_name for score in held_out.per_class] == CLASSES


def test_the_card_says_what_was_used(trained: Path, disk_folders) -> None:
    card = read_card(trained)
    roles = {entry.name: entry.role for entry in card.training_data}
    assert sorted(roles) == [f"disks{n}" for n in range(5)]
    assert sorted(roles.values()) == ["training"] * 4 + ["validation"]
    assert card.encoder_weights is None
    assert torch.__version__.startswith(card.software["torch"])
    assert trained.with_suffix(".json").read_text().startswith('{\n  "architecture"')
    assert not checkpoint_path(trained).exists()


@pytest.mark.parametrize("step", [1, 4])
def test_training_that_was_killed_ends_with_the_same_weights(
    disk_folders, tmp_path: Path, tiny, monkeypatch, step: int
) -> None:
    monkeypatch.setattr(trainer_module, "_CHECKPOINT_EVERY_S", 0.0)
    whole, broken = tmp_path / "whole.safetensors", tmp_path / "broken.safetensors"
    train(*disk_folders, CLASSES, whole, settings=tiny(), device="cpu")
    with pytest.raises(KilledError):
        train(*disk_folders, CLASSES, broken, settings=tiny(), device="cpu", progress=kill_after(step))
    steps: list[int] = []
    train(
        *disk_folders, CLASSES, broken,
        settings=tiny(), device="cpu", progress=lambda now: steps.append(now.step),
    )  # fmt: skip
    assert steps[0] == step + 1
    first, second = load_file(whole), load_file(broken)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert read_card(whole).sha256 == read_card(broken).sha256


def test_an_interrupted_training_with_other_settings_is_not_mixed_in(
    disk_folders, tmp_path: Path, tiny, monkeypatch
) -> None:
    monkeypatch.setattr(trainer_module, "_CHECKPOINT_EVERY_S", 0.0)
    output = tmp_path / "m.safetensors"
    with pytest.raises(KilledError):
        train(*disk_folders, CLASSES, output, settings=tiny(), device="cpu", progress=kill_after(2))
    with pytest.raises(ConfigurationError, match="other settings"):
        train(*disk_folders, CLASSES, output, settings=tiny(seed=1), device="cpu")
    steps: list[int] = []
    train(
        *disk_folders, CLASSES, output,
        settings=tiny(seed=1), device="cpu", restart=True, progress=lambda now: steps.append(now.step),
    )  # fmt: skip
    assert steps[0] == 1


def test_a_damaged_checkpoint_is_refused(disk_folders, tmp_path: Path, tiny) -> None:
    output = tmp_path / "m.safetensors"
    checkpoint_path(output).write_bytes(b"PK\x03\x04 nothing of use")
    with pytest.raises(ModelError, match=r"m\.safetensors\.checkpoint: .* damaged: delete it"):
        train(*disk_folders, CLASSES, output, settings=tiny(), device="cpu")


def test_training_leaves_the_global_generator_alone(disk_folders, tmp_path: Path, tiny) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    train(*disk_folders, CLASSES, tmp_path / "m.safetensors", settings=tiny(), device="cpu")
    assert torch.equal(torch.rand(3), expected)


def test_seeded_gives_the_same_numbers_and_restores() -> None:
    with seeded(3):
        first = torch.rand(2)
    before = torch.get_rng_state()
    with seeded(3):
        assert torch.equal(torch.rand(2), first)
    assert torch.equal(torch.get_rng_state(), before)


def test_labels_of_an_unsure_rim_are_not_learned_from(disk_folders, tmp_path: Path, tiny) -> None:
    images, masks = disk_folders
    spoiled = tmp_path / "masks"
    spoiled.mkdir()
    for mask in masks.iterdir():
        labels = read_mask(mask)
        inner = labels[10:-10, 10:-10].copy()
        labels = 1 - labels
        labels[10:-10, 10:-10] = inner
        write_index_png(spoiled / mask.name, labels)
    settings = tiny(unsure_rim_px=10, validation_share=0.0)
    train(images, masks, CLASSES, tmp_path / "a.safetensors", settings=settings, device="cpu")
    train(images, spoiled, CLASSES, tmp_path / "b.safetensors", settings=settings, device="cpu")
    first, second = load_file(tmp_path / "a.safetensors"), load_file(tmp_path / "b.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first)
    with pytest.raises(ConfigurationError, match=r"unsure_rim_px = 48 leaves nothing of disks\d, 96 x 96 px"):
        train(
            images, masks, CLASSES, tmp_path / "c.safetensors", settings=tiny(unsure_rim_px=48), device="cpu"
        )


def test_training_ends_early_without_improvement(disk_folders, tmp_path: Path, tiny) -> None:
    settings = tiny(steps=60, validate_every=1, patience=2, learning_rate=1e-12, average_decay=0.0)
    steps: list[int] = []
    result = train(
        *disk_folders, CLASSES, tmp_path / "m.safetensors",
        settings=settings, device="cpu", progress=lambda now: steps.append(now.step),
    )  # fmt: skip
    assert steps[-1] < 60
    assert result.card.steps == steps[-1] - 2


def test_divergence_is_reported(disk_folders, tmp_path: Path, tiny, monkeypatch) -> None:
    monkeypatch.setattr(
        losses.functional,
        "cross_entropy",
        lambda scores, labels, **options: scores.sum() * float("nan"),
    )
    with pytest.raises(ModelError, match=r"diverged at step 1: .* lower the learning rate"):
        train(*disk_folders, CLASSES, tmp_path / "m.safetensors", settings=tiny(), device="cpu")


def test_the_pixel_size_of_training_is_kept(disk_folders, tmp_path: Path, tiny) -> None:
    settings = tiny(steps=1, pixel_nm=125.0, preprocessing=Preprocessing(kind="full_range"))
    result = train(*disk_folders, CLASSES, tmp_path / "m.safetensors", settings=settings, device="cpu")
    assert result.card.pixel_nm == (125.0, 125.0)
    frame = 80 * torch.ones(40, 50, dtype=torch.uint8).numpy()
    segmenter = load_segmenter(result.path, device="cpu")
    assert segmenter.segment(frame, 125.0).notes == ()
    (note,) = segmenter.segment(frame, 250.0).notes
    assert "125 nm" in note
    assert "250 nm" in note


def test_images_are_held_out_by_name_or_by_share(disk_folders, tiny) -> None:
    pairs = find_pairs(*disk_folders)
    training, held_out = split_pairs(pairs, tiny(validation_images=("disks1.png", "disks4")))
    assert [pair.name for pair in held_out] == ["disks1", "disks4"]
    assert [pair.name for pair in training] == ["disks0", "disks2", "disks3"]
    training, held_out = split_pairs(pairs, tiny(validation_share=0.4))
    assert (len(training), len(held_out)) == (3, 2)
    assert split_pairs(pairs, tiny(validation_share=0.4))[1] == held_out
    assert split_pairs(pairs[:2], tiny())[1] == ()
    with pytest.raises(ConfigurationError, match="did you mean 'disks1'"):
        split_pairs(pairs, tiny(validation_images=("diks1",)))
    with pytest.raises(ConfigurationError, match="all 5 images are held out"):
        split_pairs(pairs, tiny(validation_images=tuple(pair.name for pair in pairs)))


@pytest.mark.parametrize(
    ("classes", "name", "message"),
    [
        (["one"], "m.safetensors", "at least 2 classes"),
        (["a", "a"], "m.safetensors", "must differ"),
        (["a", ""], "m.safetensors", "not be empty"),
        (["a", "b"], "m.pt", "must end in .safetensors"),
        (["a", "b"], "missing/m.safetensors", "no such folder"),
    ],
)
def test_bad_arguments(disk_folders, tmp_path: Path, classes, name: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        train(*disk_folders, classes, tmp_path / name, device="cpu")
    assert list(tmp_path.iterdir()) == []


def test_a_mask_that_fits_no_class_stops_training_before_it_begins(tmp_path: Path, tiny) -> None:
    import numpy as np

    (tmp_path / "i").mkdir()
    (tmp_path / "m").mkdir()
    write_png(tmp_path / "i" / "a.png", np.zeros((40, 40), np.uint8))
    write_index_png(tmp_path / "m" / "a.png", np.full((40, 40), 7, np.uint8))
    with pytest.raises(ImageError, match=r"a\.png: the mask has the value 7"):
        train(tmp_path / "i", tmp_path / "m", CLASSES, tmp_path / "x.safetensors", settings=tiny())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"crop_px": 100}, "crop_px = 100 px must be a multiple of 8 px"),
        ({"stepz": 3}, "stepz"),
        ({"architecture": {"depth": 3, "decoder_channels": (8, 8)}}, "2 numbers"),
        ({"preprocessing": {"low_percent": 60.0, "high_percent": 40.0}}, "must be below"),
    ],
)
def test_bad_settings(tiny, change, message: str) -> None:
    from pydantic import ValidationError

    with pytest.raises(ValidationError, match=message):
        tiny(**change)


def test_an_unknown_encoder_names_the_nearest(disk_folders, tmp_path: Path) -> None:
    settings = TrainingSettings.model_validate({"architecture": {"encoder": "resnet19"}})
    with pytest.raises(ConfigurationError, match="did you mean 'resnet"):
        train(*disk_folders, CLASSES, tmp_path / "m.safetensors", settings=settings, device="cpu")
