from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autoscope.core import ConfigurationError, ImageError, ModelError
from autoscope.images import Micrograph, write_index_png, write_png
from autoscope.perception import ThresholdSegmenter
from autoscope.perception.confusion_picture import draw_confusion
from autoscope.perception.evaluation import (
    class_scores,
    confusion_matrix,
    evaluate,
    evaluate_segmenter,
    mean_iou,
)
from autoscope.perception.pairs import LabelledImage, class_indices, find_pairs, read_pair

TRUTH = np.array([[0, 0, 0, 1], [0, 1, 1, 2]], np.uint8)
FOUND = np.array([[0, 0, 1, 1], [0, 1, 0, 1]], np.uint8)


def test_confusion_by_hand() -> None:
    assert confusion_matrix(TRUTH, FOUND, 3).tolist() == [[3, 1, 0], [1, 2, 0], [0, 1, 0]]


def test_scores_by_hand() -> None:
    scores = class_scores(confusion_matrix(TRUTH, FOUND, 3), ["a", "b", "c"])
    assert [s.iou for s in scores] == pytest.approx([3 / 5, 2 / 5, 0.0])
    assert scores[0].precision == pytest.approx(3 / 4)
    assert scores[0].recall == pytest.approx(3 / 4)
    assert scores[1].precision == pytest.approx(2 / 4)
    assert scores[1].recall == pytest.approx(2 / 3)
    assert scores[1].f1 == pytest.approx(2 * 2 / (4 + 3))
    assert scores[2].precision is None  # never predicted
    assert scores[2].recall == 0.0
    assert mean_iou(scores) == pytest.approx(1 / 3)


def test_a_class_that_does_not_occur_has_no_score() -> None:
    scores = class_scores(np.array([[4, 0], [0, 0]]), ["a", "b"])
    assert scores[1].iou is None
    assert mean_iou(scores) == 1.0
    assert mean_iou(class_scores(np.zeros((2, 2), int), ["a", "b"])) is None


@given(
    arrays(np.uint8, (6, 7), elements=st.integers(0, 2)), arrays(np.uint8, (6, 7), elements=st.integers(0, 2))
)
def test_scores_keep_their_relations(truth: np.ndarray, found: np.ndarray) -> None:
    confusion = confusion_matrix(truth, found, 3)
    assert confusion.sum() == truth.size
    assert confusion.sum(axis=1).tolist() == np.bincount(truth.ravel(), minlength=3).tolist()
    for score in class_scores(confusion, ["a", "b", "c"]):
        if score.iou is not None and score.f1 is not None:
            assert score.f1 == pytest.approx(2 * score.iou / (1 + score.iou))


def test_scores_are_pooled_over_pixels_and_kept_per_image() -> None:
    segmenter = ThresholdSegmenter(("dark", "bright"), (0.5,))
    dark, bright = np.zeros((2, 2), np.uint8), np.full((2, 6), 255, np.uint8)
    wrong = np.array([[1, 1], [0, 0]], np.uint8)
    labelled = [
        LabelledImage("one", Micrograph(dark, None, None, {}), wrong),
        LabelledImage("two", Micrograph(bright, None, None, {}), np.ones((2, 6), np.uint8)),
    ]
    found = evaluate_segmenter(segmenter, labelled)
    assert found.confusion == ((2, 0), (2, 12))
    assert found.accuracy == pytest.approx(14 / 16)
    assert found.mean_iou == pytest.approx((2 / 4 + 12 / 14) / 2)
    one, two = found.images
    assert one.accuracy == 0.5
    assert one.area_fractions[1].truth == 0.5
    assert one.area_fractions[1].error == -0.5
    assert two.mean_iou == 1.0
    assert two.per_class[0].iou is None


def test_a_stored_model_is_evaluated_as_the_contract_says(
    trained: Path, disk_folders, tmp_path: Path
) -> None:
    done: list[tuple[int, int]] = []
    found = evaluate(trained, *disk_folders, device="cpu", progress=lambda *at: done.append(at))
    assert done == [(n, 5) for n in range(1, 6)]
    content = json.loads(found.model_dump_json(by_alias=True))
    assert {"mean_iou", "accuracy", "per_class", "confusion", "images"} <= content.keys()
    assert set(content["per_class"][0]) == {"class", "iou", "precision", "recall", "f1"}
    assert content["mean_iou"] > 0.8
    picture = tmp_path / "confusion.png"
    draw_confusion(found, picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_model_for_other_classes_is_not_evaluated(trained: Path, disk_folders) -> None:
    with pytest.raises(ModelError, match="does not know 'crack'"):
        evaluate(trained, *disk_folders, classes=["ground", "crack"])


def folders(tmp_path: Path, images: list[str], masks: list[str]) -> tuple[Path, Path]:
    for name, files in (("images", images), ("masks", masks)):
        (tmp_path / name).mkdir()
        for file in files:
            write_png(tmp_path / name / file, np.zeros((8, 8), np.uint8))
    return tmp_path / "images", tmp_path / "masks"


def test_pairs_go_by_name_whatever_the_ending(tmp_path: Path) -> None:
    found = find_pairs(*folders(tmp_path, ["b.png", "a.PNG"], ["a.png", "b.png"]))
    assert [pair.name for pair in found] == ["a", "b"]
    assert found[0].image.name == "a.PNG"


@pytest.mark.parametrize(
    ("images", "masks", "message"),
    [
        ([], ["a.png"], "the folder has no images"),
        (["a.png"], [], "the folder has no masks"),
        (["a.png", "b.png"], ["a.png"], "b in .*: no mask of that name"),
        (["a.png"], ["a.png", "b.png"], "b in .*: no image of that name"),
        (["a.png", "a.bmp"], ["a.png"], "have the same name"),
    ],
)
def test_folders_that_do_not_pair_up(tmp_path: Path, images, masks, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        find_pairs(*folders(tmp_path, images, masks))


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="nowhere: there is no such folder of images"):
        find_pairs(tmp_path / "nowhere", tmp_path)


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    images, masks = folders(tmp_path, ["a.png"], [])
    write_index_png(masks / "a.png", np.zeros((8, 9), np.uint8))
    with pytest.raises(ImageError, match=r"a\.png: the mask is 9 x 8 px, its image a\.png is 8 x 8 px"):
        read_pair(find_pairs(images, masks)[0], ["a", "b"])


def test_mask_values_are_classes() -> None:
    path = Path("m.png")
    half = np.array([[0, 255]], np.uint8)
    assert class_indices(half, ["a", "b"], path).tolist() == [[0, 1]]
    assert class_indices(np.array([[0, 1, 2]], np.uint8), ["a", "b", "c"], path).tolist() == [[0, 1, 2]]
    with pytest.raises(
        ImageError, match=r"m\.png: the mask has the value 255, the 3 classes a, b, c are 0 to 2"
    ):
        class_indices(half, ["a", "b", "c"], path)
    with pytest.raises(ImageError, match="has the value 2"):
        class_indices(np.array([[0, 2]], np.uint8), ["a", "b"], path)
