from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from autoscope.perception import load_segmenter, read_card
from autoscope.perception.calibration_card import ClassErrorChance, ErrorChances
from autoscope.perception.card import ModelCard
from autoscope.perception.error_chances import error_probability
from autoscope.perception.error_fitting import fit_error_chances
from autoscope.perception.error_signs import SIGNS, spread_over_pixels, square_mean, tile_signs
from autoscope.perception.held_out import HeldOutImage
from autoscope.perception.prediction import predict_with
from autoscope.perception.reliability import rank_auroc
from autoscope.perception.weights import add_group

CLASSES = ("ground", "disk")


def chances(intercepts: tuple[float, float], slopes: tuple[float, ...]) -> ErrorChances:
    return ErrorChances(
        centre=(0.0, -3.0, -3.0, -3.0, 2.0),
        spread=(1.0, 2.0, 2.0, 2.0, 1.0),
        per_class=tuple(
            ClassErrorChance(class_name=name, intercept=level, slopes=slopes)
            for name, level in zip(CLASSES, intercepts, strict=True)
        ),
    )


def made_up(seed: int, around: float, *, size: int = 1500) -> HeldOutImage:
    """Right as often as the scores say, and ``around`` times the log of the averaged entropy less so."""
    rng = np.random.default_rng(seed)
    margin, sign = rng.normal(0.0, 2.0, size), rng.normal(size=(len(SIGNS) - 1, size))
    right = rng.random(size) < 1 / (1 + np.exp(around * sign[1] - np.abs(margin)))
    labels = np.where(right, margin > 0, margin <= 0).astype(np.int64)
    scores = torch.from_numpy(np.stack([-margin / 2, margin / 2])).float()
    return HeldOutImage(
        f"made up {seed}", scores[:, None].half(), labels[None].astype(np.uint8), None, scores.T,
        torch.from_numpy(labels), size, torch.from_numpy(sign).float(),
    )  # fmt: skip


@pytest.mark.parametrize(("shape", "edge"), [((9, 14), 5), ((1, 7), 9), ((3, 3), 17)])
def test_means_over_squares_are_cut_off_at_the_border(shape: tuple[int, int], edge: int) -> None:
    values = np.random.default_rng(0).random(shape)
    reach, found = edge // 2, square_mean(torch.from_numpy(values), edge).numpy()
    for (y, x), mean in np.ndenumerate(found):
        square = values[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
        assert mean == pytest.approx(square.mean(), abs=1e-6)


def test_signs_by_hand() -> None:
    scores = torch.zeros(2, 8, 12)
    scores[1] = np.log(3.0)
    doubt, cells = tile_signs(scores, torch.ones(8, 12), (0, 0), (8, 10))
    assert doubt.shape == (8, 10)
    assert doubt[0, 0] == pytest.approx(-np.log(3.0), abs=1e-3)
    assert cells.shape == (4, 2, 3)
    entropy = 2 * np.log(2) - 0.75 * np.log(3)
    assert cells[0, 0, 0] == pytest.approx(np.log(entropy), abs=1e-3)
    # the middle of the first cell lies 1.5 px inside, that of the last one beyond 9.5 px would be outside
    assert cells[3].numpy() == pytest.approx(np.log1p([[1.5, 1.5, 0.0], [1.5, 1.5, 0.0]]), abs=1e-6)
    assert torch.equal(spread_over_pixels(cells[3], 8, 10)[:, 8:], torch.zeros(8, 2))


def test_without_slopes_it_is_the_softmax_and_slopes_move_the_log_odds() -> None:
    doubt, labels = torch.full((4, 8), -1.0), torch.zeros(4, 8)
    labels[:, 4:] = 1
    cells = torch.tensor([-3.0, -1.0, -3.0, 2.0])[:, None, None].expand(4, 1, 2)
    plain = error_probability(chances((0.0, 0.0), (0.0,) * 5), doubt, labels, cells)
    assert plain.numpy() == pytest.approx(1 / (1 + np.e), rel=1e-5)
    moved = error_probability(chances((0.0, 0.5), (0.5, 0.0, 2.0, 0.0, 0.0)), doubt, labels, cells)
    # -1 - 0.5 + 2 (-1 + 3) / 2, and half more for the second class
    assert torch.logit(moved[0, [0, 7]]).tolist() == pytest.approx([0.5, 1.0], abs=1e-5)


def test_signs_that_tell_errors_are_found_and_used() -> None:
    fitted = fit_error_chances([made_up(seed, 1.5) for seed in range(6)], np.zeros(2), CLASSES)
    assert fitted is not None
    for one in fitted.per_class:
        assert one.slopes[2] == pytest.approx(1.5, abs=0.45)  # drawn towards zero by the prior
        assert max(abs(one.slopes[n]) for n in (1, 3, 4)) < 0.4


def test_too_few_images_and_images_that_contradict_each_other_give_none() -> None:
    zero = np.zeros(2)
    assert fit_error_chances([made_up(seed, 1.5) for seed in range(2)], zero, CLASSES) is None
    contrary = [made_up(seed, 1.5 if seed % 3 else -3.0) for seed in range(3)]
    assert fit_error_chances(contrary, zero, CLASSES) is None


def test_the_rank_statistic_by_hand() -> None:
    assert rank_auroc(np.array([1.0, 2.0, 2.0, 3.0]), np.array([False, True, False, True])) == 0.875
    assert rank_auroc(np.array([1.0, 2.0]), np.array([True, True])) is None


def with_errors(model: Path) -> None:
    calibration = read_card(model).calibration
    assert calibration is not None
    fitted = chances((0.0, 1.0), (0.2, 0.5, 1.0, 0.5, -0.5))
    add_group(model, "posterior", {}, calibration=calibration.model_copy(update={"errors": fitted}))


def test_the_card_of_a_calibration_from_before_is_as_it_was(trained: Path, tmp_path: Path) -> None:
    card = read_card(trained)
    assert card.calibration is not None
    before = card.model_copy(update={"calibration": card.calibration.model_copy(update={"errors": None})})
    assert "errors" not in json.loads(before.to_json())["calibration"]
    assert ModelCard.model_validate_json(before.to_json()) == before


def test_a_frame_has_an_error_map_and_it_is_written(trained: Path, disk_folders, tmp_path: Path) -> None:
    model = tmp_path / "m.safetensors"
    model.write_bytes(trained.read_bytes())
    with_errors(model)
    segmenter, image = load_segmenter(model, device="cpu"), disk_folders[0] / "disks1.png"
    out = tmp_path / "out"
    out.mkdir()
    (written,) = predict_with(segmenter, [image], out, uncertainty=True)
    assert written.errors == out / "errors" / "disks1.png"
    assert written.errors.read_bytes().startswith(b"\x89PNG")
