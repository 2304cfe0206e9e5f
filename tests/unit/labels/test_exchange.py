"""What is written for other programs comes back, pixel by pixel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from autoscope.core import LabelError
from autoscope.images import write_png
from autoscope.labels import LabelQueue, MaskError
from autoscope.labels.exchange import FORMATS, LabelledFrame, answered_frames, format_of, import_frames
from autoscope.labels.exchange.frames import IMAGES, write_images

from .conftest import mask_of, new_request

CLASSES = ("matrix", 'γ\' "fine" & <coarse>', "pore")


@pytest.fixture(scope="session", params=list(FORMATS))
def name(request: pytest.FixtureRequest) -> str:
    if request.param == "label-studio":
        pytest.importorskip("label_studio_converter", reason="label-studio-converter is not installed")
    return str(request.param)


def frames_of(*masks: np.ndarray) -> list[LabelledFrame]:
    return [
        LabelledFrame(
            f"one-{i}", np.full(mask.shape, 17 * i, np.uint8), mask, CLASSES, {"request": i, "expert": "ä"}
        )
        for i, mask in enumerate(masks)
    ]


@given(
    masks=st.lists(
        arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 2)),
        min_size=1,
        max_size=3,
    )
)
def test_masks_come_back_exactly(
    masks: list[np.ndarray], name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder, frames = tmp_path_factory.mktemp("exchange"), frames_of(*masks)
    write_images(frames, folder)
    format_of(name).write(frames, folder)
    back = list(format_of(name).read(folder, CLASSES))
    assert [one.name for one in back] == [one.name for one in frames]
    for given_one, one in zip(frames, back, strict=True):
        np.testing.assert_array_equal(one.mask, given_one.mask)
        np.testing.assert_array_equal(one.frame, given_one.frame)
        assert one.class_names == CLASSES
        assert {key: one.facts[key] for key in given_one.facts} == given_one.facts


def test_a_large_mask_comes_back_through_every_format(name: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    mask = (rng.random((200, 300)) > 0.7).astype(np.uint8)
    mask[50:90, 100:250] = 2
    frames = frames_of(mask)
    write_images(frames, tmp_path)
    format_of(name).write(frames, tmp_path)
    (back,) = format_of(name).read(tmp_path, CLASSES)
    np.testing.assert_array_equal(back.mask, mask)


def image(folder: Path, height: int = 20, width: int = 30) -> None:
    (folder / IMAGES).mkdir()
    write_png(folder / IMAGES / "a.png", np.zeros((height, width), np.uint8))


def test_labelme_polygons_and_rectangles_are_read(tmp_path: Path) -> None:
    image(tmp_path)
    shapes = [
        {"label": "pore", "points": [[2, 3], [12, 3], [12, 8], [2, 8]], "shape_type": "polygon"},
        {"label": CLASSES[1], "points": [[15, 10], [25, 18]], "shape_type": "rectangle"},
    ]
    (tmp_path / "a.json").write_text(json.dumps({"imagePath": "..\\images\\a.png", "shapes": shapes}))
    (one,) = format_of("labelme").read(tmp_path, CLASSES)
    expected = np.zeros((20, 30), np.uint8)
    expected[3:8, 2:12] = 2
    expected[10:18, 15:25] = 1
    # a polygon's outline runs between pixels: at most its rim may fall to either side
    assert np.count_nonzero(one.mask != expected) <= 2 * (10 + 5) + 2 * (10 + 8)
    assert one.mask[5, 6] == 2
    assert one.mask[14, 20] == 1
    assert one.mask[0, 0] == 0


def test_coco_polygons_and_plain_run_lengths_are_read(tmp_path: Path) -> None:
    image(tmp_path, 4, 5)
    document = {
        "images": [{"id": 7, "file_name": "a.png", "height": 4, "width": 5}],
        "categories": [{"id": 1, "name": "pore"}, {"id": 2, "name": CLASSES[1]}],
        "annotations": [
            {"image_id": 7, "category_id": 1, "segmentation": [[0, 0, 2, 0, 2, 4, 0, 4]]},
            # column by column: 12 without, then the last two columns
            {"image_id": 7, "category_id": 2, "segmentation": {"size": [4, 5], "counts": [12, 8]}},
            {"image_id": 8, "category_id": 1, "segmentation": []},
        ],
    }
    (tmp_path / "annotations.json").write_text(json.dumps(document))
    (one,) = format_of("coco").read(tmp_path, CLASSES)
    assert one.mask.tolist() == [[2, 2, 0, 1, 1]] * 4


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"shapes": []}, "KeyError"),
        ({"imagePath": "../../etc/passwd", "shapes": []}, "no image 'passwd'"),
        (
            {"imagePath": "a.png", "shapes": [{"label": "pre", "points": [[0, 0], [3, 0], [3, 3]]}]},
            "no class",
        ),
        (
            {"imagePath": "a.png", "shapes": [{"label": "pore", "points": [[0, 0]], "shape_type": "point"}]},
            "no area",
        ),
        (
            {
                "imagePath": "a.png",
                "shapes": [{"label": "pore", "points": [[0, 0], [1, 1]], "shape_type": "mask", "mask": "!"}],
            },
            "damaged|not what this format|not a PNG",
        ),
        ([], "not what this format has"),
    ],
)
def test_damaged_files_are_refused(document: object, message: str, tmp_path: Path) -> None:
    image(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(LabelError, match=message):
        list(format_of("labelme").read(tmp_path, CLASSES))


def test_what_is_not_json_or_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"no \*.json"):
        list(format_of("labelme").read(tmp_path, CLASSES))
    with pytest.raises(LabelError, match="No such file"):
        list(format_of("coco").read(tmp_path, CLASSES))
    (tmp_path / "annotations.json").write_text("{")
    with pytest.raises(LabelError, match="not valid JSON"):
        list(format_of("coco").read(tmp_path, CLASSES))
    with pytest.raises(LabelError, match="masks"):
        list(format_of("png").read(tmp_path, CLASSES))
    with pytest.raises(LabelError, match="did you mean 'coco'"):
        format_of("cocos")
    with pytest.raises(LabelError, match="no answered request"):
        write_images([], tmp_path)


@pytest.fixture
def asked(tmp_path: Path) -> LabelQueue:
    queue = LabelQueue.open(f"sqlite:///{tmp_path / 'labels.db'}", second_opinion_share=0.0)
    for field in range(3):
        queue.add(new_request(field))
    lease = queue.lease("ann")
    assert lease is not None
    queue.answer(
        lease.request.id, lease.token, mask_of(2), seconds=9, tool="brush", started_from="prediction"
    )
    return queue


def test_answers_leave_one_queue_and_enter_another(asked: LabelQueue, tmp_path: Path) -> None:
    frames = list(answered_frames(asked, "s"))
    assert [(one.name, one.facts["expert"], one.facts["seconds"]) for one in frames] == [
        ("request-000001", "ann", 9.0)
    ]
    with LabelQueue.open(f"sqlite:///{tmp_path / 'other.db'}") as other:
        assert import_frames(other, frames, "bob").added == 1
        assert import_frames(other, frames, "bob").repeated == 1
        (request,) = other.requests()
        assert (request.state, request.session, request.pixel_nm) == (
            "answered",
            "imported:request-000001",
            97.5,
        )
        (answer,) = other.answers()
        assert (answer.expert, answer.tool, answer.seconds) == ("bob", "imported", 9.0)
        np.testing.assert_array_equal(other.mask(answer.id), mask_of(2))
    asked.close()


def test_a_mask_for_an_open_request_answers_it(asked: LabelQueue) -> None:
    frame = asked.frame(2)
    one = LabelledFrame("x", frame, mask_of(1), ("ferrite", "pearlite", "pore"), {"request": 2})
    assert import_frames(asked, [one], "bob").answered == 1
    assert asked.request(2).state == "answered"
    # the number alone is not enough: another frame is another request
    other = LabelledFrame("y", frame + np.uint8(1), mask_of(1), one.class_names, {"request": 3})
    assert import_frames(asked, [other], "bob").added == 1
    assert asked.request(3).state == "open"
    with pytest.raises(MaskError, match="value 2"):
        import_frames(
            asked, [LabelledFrame("z", frame + np.uint8(2), mask_of(2), one.class_names[:2])], "bob"
        )
    asked.close()


def test_an_expert_does_not_answer_twice(asked: LabelQueue) -> None:
    one = LabelledFrame("x", asked.frame(1), mask_of(0), ("ferrite", "pearlite", "pore"), {"request": 1})
    with pytest.raises(LabelError, match="answered or skipped it already"):
        import_frames(asked, [one], "ann")
    assert import_frames(asked, [one], "bob").answered == 1
    assert len(asked.answers(request_id=1)) == 2
    asked.close()
