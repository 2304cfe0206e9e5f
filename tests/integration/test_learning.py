"""Sessions whose model learns from the experts' answers, and takes over by measuring every frame again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import wait
from pathlib import Path
from typing import TypeVar

import h5py
import numpy as np
import pytest

from autoscope.app import load_config, run_session
from autoscope.app.build import ModelChoice
from autoscope.app.cli.main import main
from autoscope.app.fine_tuning import FineTuningProcess, Order
from autoscope.app.labels import check_labels
from autoscope.app.retraining import fine_tune, first_answers
from autoscope.app.running import resume_session
from autoscope.core import ConfigurationError
from autoscope.images import write_index_png, write_png
from autoscope.labels import LabelQueue, RequestSummary
from autoscope.perception import Architecture, TrainingSettings, read_card
from autoscope.perception.training import train
from autoscope.records import (
    Document,
    ModelAdoptedDocument,
    ModelRefusedDocument,
    ObservationDocument,
    SessionResult,
    SessionWriter,
    counted_frames,
    open_session,
)
from autoscope.session import Failed, Judged, Progress, Task
from autoscope.session.remeasuring import Remeasuring
from autoscope_simulators import SpecimenFile

Doc = TypeVar("Doc", bound=Document)
FIELD_PX, FIELDS_A_SIDE = 64, 16
CLASSES = ("pearlite", "ferrite")
LABELS = """
[labels]
queue = "sqlite:///{queue}"
share = 1.0
max_requests = 47
second_opinions = 0.0
finetune = true
finetune_after = 24
finetune_steps = 40
[budget]
frames = {frames}
"""

pytestmark = pytest.mark.slow


class TrainsAtOnce:
    """Trains where it stands: a session in simulated time would be over before any process had begun."""

    begun = 0

    def __init__(self, queue: str, session: str, *, steps: int, seed: int) -> None:
        self._queue, self._session, self._steps, self._seed = queue, session, steps, seed
        self._outcome: Judged | Failed | None = None

    def begin(self, task: Task) -> None:
        type(self).begun += 1
        with LabelQueue.open(self._queue) as queue:
            answered = {one.facts["request"]: one for one in first_answers(queue, self._session)}
        learn, judge = ([answered[n] for n in chosen] for chosen in (task.learn, task.judge))
        done = fine_tune(learn, judge, task.start, task.output, steps=self._steps, seed=self._seed)
        self._outcome = Judged(done.sha256, done.mean_iou, done.mean_iou_before)

    def outcome(self) -> Judged | Failed | None:
        outcome, self._outcome = self._outcome, None
        return outcome

    def end(self) -> None:
        self._outcome = None


class RemeasuresAtOnce(Remeasuring):
    """Waits for its thread: how many steps a session in simulated time makes meanwhile is chance."""

    def advance(self) -> bool:
        while not super().advance():
            wait(self._waiting.values())
        return True


class Expert:
    """Answers every open request with the truth whenever the session tells of a step."""

    def __init__(self, specimen: Path, queue: Path) -> None:
        self._queue = LabelQueue.open(f"sqlite:///{queue}", second_opinion_share=0.0)
        with SpecimenFile(specimen) as file:
            names = file.class_names or ()
            self._truth = (file.truth_window(file.extent) == names.index("pearlite")) == 0

    def __call__(self, progress: Progress) -> None:
        while (lease := self._queue.lease("ann")) is not None:
            mask = self.mask(lease.request)
            self._queue.answer(
                lease.request.id, lease.token, mask, seconds=1, tool="test", started_from="truth"
            )

    def mask(self, request: RequestSummary) -> np.ndarray:
        assert request.field is not None
        return field_of(self._truth, request.field)

    def close(self) -> None:
        self._queue.close()


def field_of(whole: np.ndarray, field: int) -> np.ndarray:
    """A field of a map of the whole specimen, at the frames' pixels."""
    row, column = divmod(field, FIELDS_A_SIDE)
    side = whole.shape[0] // FIELDS_A_SIDE
    at = ((np.arange(FIELD_PX) + 0.5) * side / FIELD_PX).astype(int)
    return whole[np.ix_(row * side + at, column * side + at)].astype(np.uint8)


@pytest.fixture(scope="module")
def crude(specimen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that was taught to take everything that is not bright for pearlite."""
    root = tmp_path_factory.mktemp("crude")
    with h5py.File(specimen) as file:
        pixels = file["detectors"]["bse"][:]
    for name in ("images", "masks"):
        (root / name).mkdir()
    for field in range(0, 40, 10):
        frame = field_of(pixels, field)
        write_png(root / "images" / f"{field}.png", frame)
        write_index_png(root / "masks" / f"{field}.png", (frame > np.quantile(pixels, 0.6)).astype(np.uint8))
    settings = TrainingSettings(
        architecture=Architecture(encoder="tu-resnet10t", depth=3, decoder_channels=(16, 8, 8)),
        steps=40, batch=4, crop_px=64, learning_rate=6e-3, average_decay=0.8,
    )  # fmt: skip
    output = root / "crude.safetensors"
    train(root / "images", root / "masks", CLASSES, output, settings=settings, device="cpu")
    return output


@pytest.fixture
def config_file(write_config: Callable[..., Path], tmp_path: Path, crude: Path) -> Callable[..., Path]:
    def write(*, frames: int = 100) -> Path:
        return write_config(
            LABELS.format(queue=tmp_path / "labels.db", frames=frames),
            **{
                'kind = "truth"': f'kind = "segmentation"\nweights = "{crude}"\nunfamiliar = "off"',
                "half_width = 0.05": "half_width = 0.001",
                "seed = 3": "seed = 8",
            },
        )

    return write


@pytest.fixture
def expert(specimen: Path, tmp_path: Path) -> Iterator[Expert]:
    found = Expert(specimen, tmp_path / "labels.db")
    yield found
    found.close()


def documents(folder: Path, kind: type[Doc]) -> list[Doc]:
    return [d for d in open_session(folder).documents() if isinstance(d, kind)]


@pytest.fixture
def trains_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("autoscope.app.labels.FineTuningProcess", TrainsAtOnce)
    monkeypatch.setattr("autoscope.session.learning.Remeasuring", RemeasuresAtOnce)
    monkeypatch.setattr(TrainsAtOnce, "begun", 0)


@pytest.mark.usefixtures("trains_at_once")
def test_a_better_model_takes_over_by_measuring_every_frame_again(
    config_file: Callable[..., Path], tmp_path: Path, expert: Expert, capsys: pytest.CaptureFixture[str]
) -> None:
    config, folder, killed = config_file(), tmp_path / "session", tmp_path / "killed" / "session"

    def listener(progress: Progress) -> None:
        expert(progress)
        measured = progress.quantities[0].fields_measured if progress.quantities else 0
        if measured == 85 and not killed.exists():
            shutil.copytree(folder, killed)  # which is what a kill in the middle leaves

    result = run_session(load_config(config), folder, listener=listener)
    adopted = documents(folder, ModelAdoptedDocument)
    assert adopted
    _check_adoption(folder, adopted[0], result)
    assert TrainsAtOnce.begun == len(adopted) + len(documents(folder, ModelRefusedDocument))
    quantity = result.quantities[0]
    files = {path.name for path in (folder / "models").iterdir()}
    assert files == {Path(d.file).name for d in adopted}  # and nothing else is left of a training
    assert quantity.covers == "expert-corrected"
    learnt = len(adopted[-1].learnt)
    assert quantity.extra["answers"] == 47 - learnt  # what taught the model tells nothing of its error
    assert quantity.estimate is not None
    assert quantity.ci_high is not None
    assert main(["specimen", "truth", "--config", str(config), "--json"]) == 0
    truth = json.loads(capsys.readouterr().out)["quantities"][0]["truth"]
    half_width = quantity.ci_high - quantity.estimate  # one session in twenty misses; none by as much again
    assert abs(quantity.estimate - truth) < 2 * half_width
    assert "another model took over" in (folder / "report.html").read_text()
    assert documents(killed, ModelAdoptedDocument) == adopted  # nothing depends on time any more
    _check_resumption(killed, result)


def _check_adoption(folder: Path, adopted: ModelAdoptedDocument, result: SessionResult) -> None:
    """What was recorded, said and stored of the first model that took over."""
    view = open_session(folder)
    everything = view.documents()
    before, batch = everything[: adopted.seq], everything[adopted.seq + 1 :][: adopted.following]
    came_back = [d for d in before if isinstance(d, ObservationDocument)]
    assert [(d.step, d.again) for d in batch] == [(d.step, True) for d in came_back]
    assert [d.value for d in batch] != [d.value for d in came_back]
    assert [d.predicted for d in batch] == [d.predicted for d in came_back]  # f_t stays what it was
    assert adopted.fields == len(came_back)
    assert adopted.mean_iou > adopted.mean_iou_before
    assert any(f"after {adopted.fields} fields another model took over" in w for w in result.warnings)
    assert result.model.sha256 == documents(folder, ModelAdoptedDocument)[-1].new_sha256
    value = {d.field: d.value for d in everything if isinstance(d, ObservationDocument)}
    frames = counted_frames(everything)
    for field in (came_back[0].field, came_back[-1].field):  # the class maps are the last model's too
        assert np.mean(view.labels(frames[field]) == 0) == pytest.approx(value[field], abs=1e-6)


def _check_resumption(killed: Path, whole: SessionResult) -> None:
    resumed = resume_session(killed)
    assert [q.model_dump() for q in resumed.quantities] == [q.model_dump() for q in whole.quantities]
    assert resumed.model == whole.model
    assert resumed.warnings == whole.warnings


@pytest.mark.usefixtures("trains_at_once")
def test_nothing_is_learnt_where_too_few_answers_would_be_left(
    config_file: Callable[..., Path], tmp_path: Path, expert: Expert
) -> None:
    """Of 32 answers at most, 24 are there when a training could begin: about 12 would no longer correct."""
    config = load_config(config_file(frames=60), ["labels.max_requests=32"])
    result = run_session(config, tmp_path / "session", listener=expert)
    assert TrainsAtOnce.begun == 0
    assert result.quantities[0].covers == "expert-corrected"
    assert result.quantities[0].extra["answers"] == 32


@pytest.mark.usefixtures("trains_at_once")
def test_class_maps_that_a_kill_forestalled_are_written_afterwards(
    config_file: Callable[..., Path], tmp_path: Path, expert: Expert
) -> None:
    """Killed between the documents of an adoption and the class maps of its fields."""
    folder = tmp_path / "session"
    config = load_config(config_file(frames=50))
    run_session(config, folder, listener=expert)
    adopted = documents(folder, ModelAdoptedDocument)[0]
    lines = (folder / "events.jsonl").read_text().splitlines(keepends=True)
    (folder / "events.jsonl").write_text("".join(lines[: adopted.seq + 1 + adopted.following]))
    frame = counted_frames(open_session(folder).documents())[documents(folder, ObservationDocument)[0].field]
    with SessionWriter.resume(folder)[0] as writer:
        writer.add_labels(frame, np.zeros((FIELD_PX, FIELD_PX), np.uint8))
    resume_session(folder)
    value = {d.field: d.value for d in documents(folder, ObservationDocument)}
    view = open_session(folder)
    for field, index in counted_frames(view.documents()).items():
        if field in value:
            assert np.mean(view.labels(index) == 0) == pytest.approx(value[field], abs=1e-6)


def test_a_training_that_fails_ends_no_session(
    config_file: Callable[..., Path], tmp_path: Path, expert: Expert, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fails(TrainsAtOnce):
        def begin(self, task: Task) -> None:
            self._outcome = Failed("the disk of the trainer is full")

    monkeypatch.setattr("autoscope.app.labels.FineTuningProcess", Fails)
    result = run_session(load_config(config_file(frames=60)), tmp_path / "session", listener=expert)
    assert any("does not learn from the answers: the disk of the trainer" in w for w in result.warnings)
    assert len(documents(tmp_path / "session", ModelRefusedDocument)) == 1  # and is not tried again
    assert result.finish_reason == "budget_spent"


def test_a_process_of_its_own_trains_and_judges(
    config_file: Callable[..., Path], tmp_path: Path, expert: Expert, crude: Path
) -> None:
    config = load_config(config_file(frames=40), ["labels.finetune=false"])
    run_session(config, tmp_path / "session", listener=expert)
    with LabelQueue.open(config.labels.queue or "") as queue:
        requests = [request.id for request in queue.requests("answered")]
        session = queue.request(requests[0]).session
    process = FineTuningProcess(config.labels.queue or "", session, steps=5, seed=0)
    task = Task(crude, tmp_path / "new.safetensors", tuple(requests[:5]), tuple(requests[5:9]))
    process.begin(task)
    outcome = _awaited(process)
    assert isinstance(outcome, Judged)
    assert outcome.sha256 == read_card(task.output).sha256
    assert 0 < outcome.mean_iou_before < 1
    assert not task.output.with_suffix(".log").exists()
    process.begin(Task(tmp_path / "gone.safetensors", task.output, task.learn, task.judge))
    failed = _awaited(process)
    assert isinstance(failed, Failed)
    assert "gone.safetensors" in failed.reason


def _awaited(process: FineTuningProcess) -> Judged | Failed:
    give_up = time.monotonic() + 600  # it stands back behind everything else
    while (outcome := process.outcome()) is None:
        assert time.monotonic() < give_up
        threading.Event().wait(0.1)
    return outcome


def test_ending_a_training_leaves_nothing_of_it(tmp_path: Path, crude: Path) -> None:
    queue = f"sqlite:///{tmp_path / 'labels.db'}"
    LabelQueue.open(queue).close()
    process = FineTuningProcess(queue, "s", steps=1000, seed=0)
    process.begin(Task(crude, tmp_path / "new.safetensors", (1,), (2,)))
    number = process.process_id
    assert number is not None
    process.end()
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)
    assert process.outcome() is None


def test_a_training_outlives_no_session_that_was_killed(tmp_path: Path) -> None:
    """The process ends when the other end of its input goes, whatever it is at."""
    order = Order(
        queue=f"sqlite:///{tmp_path / 'labels.db'}", session="s", start=tmp_path / "a.safetensors",
        output=tmp_path / "b.safetensors", learn=(1,), judge=(2,), steps=1, seed=0,
    )  # fmt: skip
    child = subprocess.Popen(
        [sys.executable, "-m", "autoscope.app.fine_tuning"],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdin is not None
    child.stdin.write(order.model_dump_json().encode() + b"\n")
    child.stdin.close()
    assert child.wait(timeout=60) == 1


@pytest.mark.parametrize(
    "model",
    [
        ModelChoice("threshold", None, "0" * 64, CLASSES),
        ModelChoice("segmentation", Path("model.onnx"), "0" * 64, CLASSES),
    ],
)
def test_what_cannot_learn_is_refused_before_anything_is_touched(
    model: ModelChoice, config_file: Callable[..., Path]
) -> None:
    with pytest.raises(ConfigurationError, match=r"labels\.finetune"):
        check_labels(load_config(config_file()), model)
