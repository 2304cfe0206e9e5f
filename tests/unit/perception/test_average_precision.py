"""Average precision against cases that were reckoned by hand, and against COCO's own code."""

from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from autoscope.perception.average_precision import (
    FramePair,
    average_precision,
    interpolated_precision,
    matches,
    overlaps,
)


@pytest.mark.parametrize(
    ("hit", "true", "expected"),
    [
        ([1, 1], 2, 1.0),
        ([], 3, 0.0),
        ([0, 0], 1, 0.0),
        ([1], 2, 51 / 101),  # recalls 0 to 0.50 are reached, with precision 1
        ([0, 1], 1, 0.5),
        ([1, 0, 1], 2, (51 * 1 + 50 * 2 / 3) / 101),
        ([0, 1, 1], 2, 2 / 3),  # the later precision 2/3 covers the earlier 1/2
    ],
)
def test_precision_by_hand(hit: list[int], true: int, expected: float) -> None:
    assert interpolated_precision(np.array(hit, bool), true) == pytest.approx(expected)


def test_overlaps_by_hand() -> None:
    truth = np.zeros((4, 8), np.int32)
    found = np.zeros((4, 8), np.int32)
    truth[:, :4], truth[:2, 6:] = 7, 9  # any numbers will do
    found[:, 2:5], found[3, 7] = 1, 2
    assert overlaps(truth, found, 2) == pytest.approx(np.array([[8 / 20, 0.0], [0.0, 0.0]]))


def test_a_true_instance_is_taken_once_by_the_surest() -> None:
    overlap = np.array([[0.6, 0.0], [0.9, 0.55], [0.8, 0.5]])
    assert matches(overlap, 0.5).tolist() == [True, True, False]
    assert matches(overlap, 0.6).tolist() == [True, False, False]
    assert matches(np.zeros((2, 0)), 0.5).tolist() == [False, False]


def test_scores_of_two_frames_are_pooled() -> None:
    square = np.zeros((10, 10), np.int32)
    square[2:8, 2:8] = 1
    empty = np.zeros_like(square)
    right = FramePair(square, square, np.array([0.6]))
    wrong = FramePair(empty, square, np.array([0.9]))
    both = average_precision([right, wrong])
    assert (both.true, both.found) == (1, 2)
    assert (both.ap50, both.ap, both.recall50, both.precision50) == (0.5, 0.5, 1.0, 0.5)
    assert average_precision([wrong]).ap is None
    missed = average_precision([FramePair(square, empty, np.zeros(0))])
    assert (missed.ap50, missed.recall50, missed.precision50) == (0.0, 0.0, None)


def test_a_shifted_square_counts_up_to_its_overlap() -> None:
    truth, found = np.zeros((20, 20), np.int32), np.zeros((20, 20), np.int32)
    truth[5:15, 5:15], found[5:15, 7:17] = 1, 1  # 80 of 120 pixels: 0.667
    scores = average_precision([FramePair(truth, found, np.array([0.5]))])
    assert (scores.ap50, scores.ap75) == (1.0, 0.0)
    assert scores.ap == pytest.approx(0.4)  # 0.5, 0.55, 0.6, 0.65


def _frame(rng: np.random.Generator) -> FramePair:
    truth, found = np.zeros((40, 40), np.int32), np.zeros((40, 40), np.int32)
    count = 0
    for number, (row, column) in enumerate(rng.integers(0, 30, (6, 2)), start=1):
        truth[row : row + 7, column : column + 7] = number
        if rng.random() < 0.8:
            count += 1
            top, left = np.maximum(np.add((row, column), rng.integers(-2, 3, 2)), 0)
            found[top : top + 7, left : left + 7] = count
    return FramePair(truth, _renumbered(found), rng.random(int(len(np.unique(found)) - 1)))


def _renumbered(numbered: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.unique(numbered, return_inverse=True)[1].reshape(numbered.shape).astype(np.int32)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_it_is_what_coco_says(seed: int) -> None:
    coco = pytest.importorskip("pycocotools.coco")
    cocoeval = pytest.importorskip("pycocotools.cocoeval")
    mask = pytest.importorskip("pycocotools.mask")
    rng = np.random.default_rng(seed)
    frames = [_frame(rng) for _ in range(3)]

    def encoded(numbered: NDArray[np.int32], number: int) -> dict[str, object]:
        return dict(mask.encode(np.asfortranarray((numbered == number).astype(np.uint8))))

    truth, found = [], []
    for image, frame in enumerate(frames, start=1):
        for number in np.unique(frame.truth)[1:]:
            shape = encoded(frame.truth, number)
            truth.append(
                {"id": len(truth) + 1, "image_id": image, "category_id": 1, "segmentation": shape,
                 "area": float(mask.area(shape)), "iscrowd": 0}
            )  # fmt: skip
        for number, score in enumerate(frame.confidence, start=1):
            shape = encoded(frame.found, number)
            found.append({"image_id": image, "category_id": 1, "segmentation": shape, "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        book = coco.COCO()
        book.dataset = {"info": {}, "images": [{"id": n, "height": 40, "width": 40} for n in (1, 2, 3)],
                        "categories": [{"id": 1, "name": "thing"}], "annotations": truth}  # fmt: skip
        book.createIndex()
        judge = cocoeval.COCOeval(book, book.loadRes(found), "segm")
        judge.params.maxDets = [1, 10, 1000]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][:, :, 0, 0, 2]
    ours = average_precision(frames)
    assert ours.ap == pytest.approx(precision.mean(), abs=1e-9)
    assert ours.ap50 == pytest.approx(precision[0].mean(), abs=1e-9)
    assert ours.ap75 == pytest.approx(precision[5].mean(), abs=1e-9)
