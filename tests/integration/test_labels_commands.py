"""``autoscope labels`` from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from autoscope.app.cli.main import main
from autoscope.labels import LabelQueue, NewRequest
from autoscope.perception import shipped_model

CLASSES = ("ferrite", "pearlite")


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A queue with six answered requests: the bright half is pearlite."""
    found = f"sqlite:///{tmp_path / 'labels.db'}"
    rng = np.random.default_rng(2)
    mask = np.zeros((64, 64), np.uint8)
    mask[:, 32:] = 1
    with LabelQueue.open(found, second_opinion_share=0.0) as queue:
        for field in range(6):
            frame = (60 + 90 * mask + rng.integers(0, 40, mask.shape)).astype(np.uint8)
            queue.add(
                NewRequest(
                    session="run@now", field=field, frame=frame, prediction=1 - mask, uncertainty=mask * 0.5,
                    class_names=CLASSES, pixel_nm=125.0, model_sha256="m", score=0.5,
                )
            )  # fmt: skip
            lease = queue.lease("ann")
            assert lease is not None
            queue.answer(
                lease.request.id, lease.token, mask, seconds=4, tool="brush", started_from="prediction"
            )
    return found


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    return dict(json.loads(capsys.readouterr().out))


@pytest.mark.parametrize("form", ["png", "labelme", "coco", "label-studio"])
def test_answers_go_out_and_come_in_again(
    form: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if form == "label-studio":
        pytest.importorskip("label_studio_converter", reason="label-studio-converter is not installed")
    folder, other = tmp_path / "out", f"sqlite:///{tmp_path / 'other.db'}"
    common = ["--format", form, "--json"]
    assert main(["labels", "export", "--queue", url, "-o", str(folder), *common]) == 0
    assert said(capsys) == {"exported": 6, "format": form, "folder": str(folder)}
    back = ["labels", "import", str(folder), "--expert", "bob", "--classes", ",".join(CLASSES), *common]
    assert main([*back, "--queue", other]) == 0
    assert said(capsys) == {"answered": 0, "added": 6, "repeated": 0}
    assert main([*back, "--queue", url]) == 0  # the queue that they came from knows them
    assert said(capsys) == {"answered": 0, "added": 0, "repeated": 6}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["export", "--queue", "sqlite:///{tmp}/none.db", "-o", "{tmp}/x"], "there is no file"),
        (["export", "--queue", "{url}", "-o", "{tmp}"], "not an empty folder"),
        (["export", "--queue", "{url}", "--session", "other", "-o", "{tmp}/x"], "no answered request"),
        (
            ["import", "{tmp}", "--queue", "sqlite:///{tmp}/new.db", "--expert", "b"],
            "the queue has no requests",
        ),
        (["import", "{tmp}", "--queue", "{url}", "--expert", "b"], "no masks/*.png"),
        (["export", "--queue", "labels.db", "-o", "{tmp}/x"], "no database URL"),
    ],
)
def test_bad_usage_says_what_is_wrong(
    arguments: list[str], message: str, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [argument.format(tmp=tmp_path, url=url) for argument in arguments]
    assert main(["labels", *filled]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_a_model_learns_from_the_answers_and_is_judged_on_others(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start, output = shipped_model("pearlite"), tmp_path / "new.safetensors"
    arguments = ["--start", str(start), "-o", str(output), "--steps", "30", "--json"]
    assert main(["labels", "retrain", "--queue", url, *arguments]) == 0
    found = said(capsys)
    assert (found["answers"], found["held_out"]) == (4, 2)
    assert output.is_file()
    assert found["better"] == (float(str(found["mean_iou"])) > float(str(found["mean_iou_before"])))
