"""Sessions that ask experts: what they answer corrects the result, whatever happens in between."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from autoscope.app import load_config, run_session
from autoscope.app.cli.main import main
from autoscope.app.running import resume_session
from autoscope.core import ConfigurationError, LabelError
from autoscope.labels import LabelQueue, RequestSummary
from autoscope.records import LabelAnswerDocument, LabelChoiceDocument, SessionResult, open_session
from autoscope.session import Progress
from autoscope_simulators import SpecimenFile

FIELD_PX, FIELDS_A_SIDE = 64, 16
CLASSES = ("pearlite", "ferrite")  # from dark to bright
LABELS = """
[labels]
queue = "sqlite:///{queue}"
share = 1.0
max_requests = {requests}
[budget]
frames = {frames}
"""


class Expert:
    """Answers every open request with the truth whenever the session tells of a step."""

    def __init__(self, specimen: Path, queue: Path, *, from_field: int = 0) -> None:
        self._queue = LabelQueue.open(f"sqlite:///{queue}", second_opinion_share=0.0)
        with SpecimenFile(specimen) as file:
            names = file.class_names or ()
            self._truth = (file.truth_window(file.extent) == names.index("pearlite")) == 0
        self._from_field = from_field
        self.answered = 0

    def __call__(self, progress: Progress) -> None:
        measured = progress.quantities[0].fields_measured if progress.quantities else 0
        while measured >= self._from_field:
            lease = self._queue.lease("ann")
            if lease is None:
                return
            self._queue.answer(
                lease.request.id,
                lease.token,
                self.mask(lease.request),
                seconds=1,
                tool="test",
                started_from="truth",
            )
            self.answered += 1

    def mask(self, request: RequestSummary) -> np.ndarray:
        """The truth at the frame's pixels: its class indices are those of CLASSES."""
        assert request.field is not None
        row, column = divmod(request.field, FIELDS_A_SIDE)
        step = self._truth.shape[0] / (FIELDS_A_SIDE * request.height)
        at = ((np.arange(request.height) + 0.5) * step).astype(int)
        side = self._truth.shape[0] // FIELDS_A_SIDE
        return self._truth[np.ix_(row * side + at, column * side + at)].astype(np.uint8)

    def close(self) -> None:
        self._queue.close()


@pytest.fixture
def expert(specimen: Path, tmp_path: Path) -> Iterator[Expert]:
    found = Expert(specimen, tmp_path / "labels.db")
    yield found
    found.close()


@pytest.fixture
def config_file(write_config: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A session whose thresholds take far too much for pearlite, and a queue."""

    def write(*, requests: int = 60, frames: int = 90, half_width: float = 0.001) -> Path:
        return write_config(
            LABELS.format(queue=tmp_path / "labels.db", requests=requests, frames=frames),
            **{
                'kind = "truth"': f'kind = "threshold"\nclasses = {list(CLASSES)}\nthresholds = [0.5]',
                "half_width = 0.05": f"half_width = {half_width}",
            },
        )

    return write


def truth(config: Path, capsys: pytest.CaptureFixture[str]) -> float:
    assert main(["specimen", "truth", "--config", str(config), "--json"]) == 0
    return float(json.loads(capsys.readouterr().out)["quantities"][0]["truth"])


def test_answers_correct_a_wrong_model_while_the_session_runs(
    config_file: Callable[..., Path], tmp_path: Path, expert: Expert, capsys: pytest.CaptureFixture[str]
) -> None:
    config = config_file()
    result = run_session(load_config(config), tmp_path / "session", listener=expert)
    wanted, quantity = truth(config, capsys), result.quantities[0]
    assert quantity.covers == "expert-corrected"
    assert quantity.ci_low is not None
    assert quantity.ci_high is not None
    assert quantity.ci_low <= wanted <= quantity.ci_high
    low, high = quantity.extra["model_low"], quantity.extra["model_high"]
    assert low is not None
    assert high is not None
    assert not low <= wanted <= high  # the model alone is sure and wrong
    assert result.labels.requested == 60
    assert result.labels.answered == expert.answered == 60
    estimates = [q for q in _covers(tmp_path / "session") if q == "expert-corrected"]
    assert len(estimates) > 10  # while it ran, not only at its end
    saved = json.loads((tmp_path / "session" / "result.json").read_text())
    assert saved["labels"] == {"requested": 60, "answered": 60}
    assert "expert" in (tmp_path / "session" / "report.html").read_text()


def _covers(folder: Path) -> list[str]:
    return [d.quantities[0].covers for d in open_session(folder).documents() if d.type == "estimate"]


def test_without_answers_the_model_alone_is_reported_and_why(
    config_file: Callable[..., Path], tmp_path: Path
) -> None:
    result = run_session(load_config(config_file(half_width=0.05)), tmp_path / "session")
    assert result.quantities[0].covers == "model"
    assert result.labels.requested > 20
    assert result.labels.answered == 0
    assert any("0 of at least 20 frames are answered" in warning for warning in result.warnings)


def test_requests_have_the_coin_that_was_logged(
    config_file: Callable[..., Path], tmp_path: Path, expert: Expert
) -> None:
    config = load_config(config_file(requests=10), ["labels.share=0.4"])
    run_session(config, tmp_path / "session")
    choices = [
        d for d in open_session(tmp_path / "session").documents() if isinstance(d, LabelChoiceDocument)
    ]
    assert {d.chance for d in choices} == {0.4}  # thresholds give no probabilities: every frame is alike
    assert sum(d.asked for d in choices) == 10
    assert choices[-1].asked  # after the last request no coin is tossed
    with LabelQueue.open(config.labels.queue or "") as queue:
        requests = queue.requests()
        assert [r.id for r in requests] == [d.request for d in choices if d.asked]
        assert {(r.propensity, r.sampled, r.state) for r in requests} == {(0.4, True, "open")}
        np.testing.assert_array_equal(queue.frame(requests[0].id).shape, (FIELD_PX, FIELD_PX))


def test_a_killed_session_ends_as_if_nothing_had_happened(
    config_file: Callable[..., Path], specimen: Path, tmp_path: Path, expert: Expert
) -> None:
    """The folder as it is in the middle, which is what a kill leaves, goes on to the same result."""
    folder, copy = tmp_path / "session", tmp_path / "killed" / "session"

    def listener(progress: Progress) -> None:
        expert(progress)
        if progress.quantities and progress.quantities[0].fields_measured == 45 and not copy.exists():
            shutil.copytree(folder, copy)

    whole = run_session(load_config(config_file()), folder, listener=listener)
    before = [d for d in open_session(copy).documents() if isinstance(d, LabelAnswerDocument)]
    assert 20 < len(before) < 60
    resumed = resume_session(copy)
    assert _same(resumed) == _same(whole)
    assert _documents(copy, LabelChoiceDocument) == _documents(folder, LabelChoiceDocument)
    with LabelQueue.open(f"sqlite:///{tmp_path / 'labels.db'}") as queue:
        assert len(queue.requests()) == 60  # asked once, not again after the kill


def _same(result: SessionResult) -> object:
    return [q.model_dump() for q in result.quantities], result.labels


def _documents(folder: Path, kind: type) -> list[object]:
    found = [d for d in open_session(folder).documents() if isinstance(d, kind)]
    return [d.model_dump(exclude={"seq", "time", "following"}) for d in found]


def test_a_coin_that_a_kill_forestalled_is_tossed_afterwards(
    config_file: Callable[..., Path], tmp_path: Path
) -> None:
    """Killed between the values of a field and the coin for its frame."""
    config = load_config(config_file(requests=30, frames=40))
    folder, copy = tmp_path / "session", tmp_path / "killed" / "session"
    run_session(config, folder)
    shutil.copytree(folder, copy)
    lines = (copy / "events.jsonl").read_text().splitlines(keepends=True)
    choices = [i for i, line in enumerate(lines) if '"type":"label_choice"' in line]
    (copy / "events.jsonl").write_text("".join(lines[: choices[7]]))
    resume_session(copy)
    assert _documents(copy, LabelChoiceDocument) == _documents(folder, LabelChoiceDocument)
    with LabelQueue.open(config.labels.queue or "") as queue:
        assert len(queue.requests()) == 30


def test_too_few_requests_end_the_session_as_a_budget_that_is_spent(
    config_file: Callable[..., Path], tmp_path: Path, expert: Expert
) -> None:
    config = config_file(requests=25, frames=200, half_width=0.012)
    result = run_session(load_config(config), tmp_path / "session", listener=expert)
    assert result.finish_reason == "budget_spent"
    assert any("labels.max_requests = 25 is spent" in warning for warning in result.warnings)
    assert result.quantities[0].covers == "expert-corrected"
    assert not result.quantities[0].target_met
    assert result.spent.frames < 200


def test_a_queue_that_goes_away_does_not_end_the_session(
    config_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> None:
        raise LabelError("the label queue cannot be used: the server went away")

    monkeypatch.setattr(LabelQueue, "add", gone)
    result = run_session(load_config(config_file(half_width=0.05)), tmp_path / "session")
    assert result.finish_reason == "targets_reached"
    assert any("experts are not asked any more: the label queue" in w for w in result.warnings)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ('statistics.tier="anytime"', "no interval that answers can"),
        ('model={kind = "truth"}', "nothing for experts"),
        ('labels.queue="postgresql://me:secret@host/labels"', "leave the password out"),
    ],
)
def test_what_cannot_work_is_refused_before_anything_is_touched(
    override: str, message: str, config_file: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        run_session(load_config(config_file(), [override]), tmp_path / "session")
    assert not (tmp_path / "session").exists()


def test_a_queue_that_cannot_be_opened_is_refused(config_file: Callable[..., Path], tmp_path: Path) -> None:
    override = f'labels.queue="sqlite:///{tmp_path / "no" / "folder" / "labels.db"}"'
    with pytest.raises(LabelError, match="unable to open"):
        run_session(load_config(config_file(), [override]), tmp_path / "session")
    assert not (tmp_path / "session").exists()


def test_the_queue_is_relative_to_the_configuration(config_file: Callable[..., Path], tmp_path: Path) -> None:
    path = config_file()
    path.write_text(path.read_text().replace(f"sqlite:///{tmp_path / 'labels.db'}", "sqlite:///queue.db"))
    assert load_config(path).labels.queue == f"sqlite:///{tmp_path / 'queue.db'}"


def test_a_plan_makes_no_queue(config_file: Callable[..., Path], tmp_path: Path) -> None:
    path = config_file()
    path.write_text(path.read_text().replace("labels.db", "planned.db"))
    assert main(["plan", str(path)]) == 0
    assert not (tmp_path / "planned.db").exists()
