"""What the model looked at: the right map, of the right model, without keeping anybody waiting."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from fastapi import FastAPI
from PIL import Image
from starlette.testclient import TestClient

from autoscope.core import ConfigurationError, ModelError
from autoscope.labels import LabelQueue
from autoscope.perception import read_card, shipped_model
from autoscope.perception.explaining import Explanation
from autoscope.perception.model_shelf import ModelShelf
from autoscope.perception.weights import add_group
from autoscope.web.labelling.evidence import Evidence, EvidenceKept, Kind
from autoscope.web.labelling.explanation_routes import explanations_router
from autoscope.web.labelling.explanations import MOST_WAITING, Explanations, GivenUpError, Job
from autoscope.web.refusals import RefusedError, add_refusals

SIZE = (12, 16)
SHA256 = "m" * 64
WAIT_S = 60


@pytest.fixture
def learnt_model(tmp_path: Path) -> Path:
    """The shipped model with another card: a model of another hash."""
    path = tmp_path / "learnt.safetensors"
    path.write_bytes(shipped_model("pearlite").read_bytes())
    add_group(path, "nothing", {}, steps=7)
    return path


def ready(client: TestClient, number: int, value: int = 1, kind: str = "grad-cam") -> dict:
    """The explanation, once it is there."""
    link = f"/api/requests/{number}/explanation?value={value}&kind={kind}"
    while (answer := client.get(link)).status_code == 202:
        assert answer.json()["state"] == "computing"
    assert answer.status_code == 200, answer.text
    return answer.json()


def levels(client: TestClient, link: str) -> np.ndarray:
    answer = client.get(link)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"].startswith("private")
    return np.asarray(Image.open(io.BytesIO(answer.content)))


def test_the_maps_are_those_of_the_model_that_predicted(client, queue, pearlite):
    pytest.importorskip("captum")
    from autoscope.perception.explaining import explain_frame
    from autoscope.perception.weights import read_network

    expected = explain_frame(*read_network(shipped_model("pearlite")), queue.frame(pearlite), "pearlite")
    found = ready(client, pearlite)
    assert found["share"] == pytest.approx(expected.share)
    assert found["probability"] == pytest.approx(expected.probability, abs=1e-3)
    seen = levels(client, found["picture"])
    assert (seen.shape, seen.dtype) == ((96, 128), np.uint8)
    np.testing.assert_allclose(seen / 255, expected.grad_cam, atol=0.01)
    found = ready(client, pearlite, kind="occlusion")
    assert expected.occlusion is not None
    assert found["most"] == pytest.approx(float(np.abs(expected.occlusion).max()), rel=0.01)
    fall = (levels(client, found["picture"]).astype(float) - 128) / 127 * found["most"]
    np.testing.assert_allclose(fall, expected.occlusion, atol=0.02 * found["most"])


def test_the_queue_and_the_mask_stay_as_they_are(client, queue, pearlite):
    pytest.importorskip("captum")
    before = queue.request(pearlite), queue.stored_png(pearlite, "prediction")
    ready(client, pearlite)
    assert (queue.request(pearlite), queue.stored_png(pearlite, "prediction")) == before
    assert queue.answers() == ()


def refused(client: TestClient, number: int, **asked: object) -> tuple[int, str]:
    """Status and sentence of what cannot be had."""
    params = {"value": 1, "kind": "grad-cam", **asked}
    while (answer := client.get(f"/api/requests/{number}/explanation", params=params)).status_code == 202:
        pass
    return answer.status_code, str(answer.json()["detail"])


def test_what_cannot_be_explained_is_said(client, queue, request_of):
    assert refused(client, 77)[0] == 404
    status, said = refused(client, 1, value=7)
    assert (status, "no class 7: 0 = ferrite, 1 = pearlite, 2 = pore" in said) == (404, True)
    assert refused(client, 1, kind="saliency")[0] == 422
    assert refused(client, 1, value=300)[0] == 422
    status, said = refused(client, 1)
    assert status == 409
    assert "begins mmmmmmmmmmmm) is not at hand" in said
    assert "autoscope serve --models FILE" in said
    imported = queue.add(request_of(9, model_sha256=""))  # also how queues of before hold imported frames
    assert refused(client, imported) == (
        409, f"request {imported} was imported: no model made its prediction, none can be explained"
    )  # fmt: skip
    answer = client.get("/api/requests/1/explanation.png?value=1&kind=occlusion")
    assert answer.status_code == 409
    assert "until its state is ready" in answer.json()["detail"]


def test_nobody_without_the_token_gets_one(anyone):
    for name in ("explanation", "explanation.png"):
        assert anyone.get(f"/api/requests/1/{name}?value=1&kind=grad-cam").status_code == 401


def test_a_session_that_used_thresholds_has_nothing_to_explain(client, queue, running, request_of):
    name = f"running@{client.get('/api/sessions/running').json()['started']}"
    number = queue.add(request_of(3, session=name))
    assert "a model of kind 'threshold'" in refused(client, number)[1]
    other = queue.add(request_of(3, session="running@another time"))
    assert "not at hand" in refused(client, other)[1]


def test_a_class_that_the_model_does_not_know(client, queue, request_of):
    """A queue may say anything: its words are compared, never believed."""
    sha256 = read_card(shipped_model("pearlite")).sha256
    number = queue.add(request_of(9, size=(64, 64), model_sha256=sha256))
    status, said = refused(client, number, value=2)
    assert status == 409
    assert "the model has no class 'pore'" in said


def test_an_extra_that_is_not_installed_is_named(client, pearlite, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum", None)
    status, said = refused(client, pearlite)
    assert status == 409
    assert "pip install 'autoscope[explain]'" in said


class Slow:
    """Explains when it is let, one pass at a time; counts."""

    def __init__(self) -> None:
        self.begun, self.go, self.finished = threading.Semaphore(0), threading.Semaphore(0), 0
        self.asked: list[str] = []

    def __call__(self, weights, sha256, pixels, name, kind, progress) -> Explanation:
        assert (weights.name, sha256, pixels.shape) == ("pearlite.safetensors", SHA256, SIZE)
        self.asked.append(f"{name} {kind}")
        for done in range(2):
            self.begun.release()
            assert self.go.acquire(timeout=WAIT_S)
            progress(done + 1, 2)
        self.finished += 1
        flat = np.full(SIZE, 0.5, np.float32)
        return Explanation(name, 0.25, 0.75, flat, -flat)


class Shelf(ModelShelf):
    """Has every model."""

    def find(self, sha256: str) -> Path:
        return shipped_model("pearlite")


@pytest.fixture
def slow() -> Slow:
    return Slow()


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def explanations(queue: LabelQueue, slow: Slow, clock: list[float]) -> Iterator[Explanations]:
    made = Explanations(queue, Shelf(), explain=slow, clock=lambda: clock[0])
    yield made
    made.close()
    slow.go.release(100)


def under_way(explanations: Explanations, number: int, value: int, kind: Kind = "grad-cam") -> Job:
    job = explanations.ask(number, value, kind)
    assert isinstance(job, Job)
    return job


def test_the_same_is_computed_once_and_kept(explanations, slow):
    job = under_way(explanations, 1, 1)
    assert under_way(explanations, 1, 1) is job
    slow.go.release(2)
    found = job.future.result(WAIT_S)
    assert (found.share, found.probability, found.most) == (0.25, 0.75, 0.5)
    assert explanations.ask(1, 1, "grad-cam") is found
    assert explanations.found(1, 1, "grad-cam") is found
    assert explanations.found(1, 1, "occlusion") is None
    assert slow.asked == ["pearlite grad-cam"]


def test_one_at_a_time_in_the_order_of_asking(explanations, slow):
    jobs = [under_way(explanations, 1, value) for value in (0, 1, 2)]
    assert slow.begun.acquire(timeout=WAIT_S)
    assert slow.asked == ["ferrite grad-cam"]
    assert [explanations.ahead((1, value, "grad-cam")) for value in (0, 1, 2)] == [0, 1, 2]
    slow.go.release(6)
    for job in jobs:
        job.future.result(WAIT_S)
    assert slow.asked == ["ferrite grad-cam", "pearlite grad-cam", "pore grad-cam"]


def test_work_that_nobody_asks_for_gives_way_to_what_somebody_does(explanations, slow, clock):
    forgotten = under_way(explanations, 1, 0, "occlusion")
    assert slow.begun.acquire(timeout=WAIT_S)
    clock[0] = 10.0
    slow.go.release()  # alone it is patient: somebody may ask seldom
    assert slow.begun.acquire(timeout=WAIT_S)
    wanted = under_way(explanations, 2, 1)
    slow.go.release(3)
    with pytest.raises(GivenUpError):
        forgotten.future.result(WAIT_S)
    assert wanted.future.result(WAIT_S).share == 0.25
    assert slow.finished == 1
    assert under_way(explanations, 1, 0, "occlusion") is not forgotten, "it may be asked for again"


def test_the_end_of_the_server_waits_for_one_pass_at_most(explanations, slow):
    job = under_way(explanations, 1, 0, "occlusion")
    assert slow.begun.acquire(timeout=WAIT_S)
    explanations.close()
    slow.go.release()
    with pytest.raises(GivenUpError):
        job.future.result(WAIT_S)
    assert slow.finished == 0


def test_too_many_at_once_are_refused(explanations, queue, request_of):
    numbers = [queue.add(request_of(20 + n)) for n in range(MOST_WAITING + 1)]
    for number in numbers[:-1]:
        under_way(explanations, number, 0)
    with pytest.raises(RefusedError, match="try again in a moment") as refusal:
        explanations.ask(numbers[-1], 0, "grad-cam")
    assert refusal.value.status == 429


def test_pages_are_served_while_one_is_computed(explanations, slow, queue):
    app = FastAPI()
    add_refusals(app)
    app.include_router(explanations_router(explanations))
    app.get("/other")(lambda: "quick")
    link = "/api/requests/1/explanation?value=1&kind=occlusion"
    with TestClient(app) as client:
        answer = client.get(link)  # answers although nothing has come of it
        assert (answer.status_code, answer.json()["state"]) == (202, "computing")
        assert client.get("/other").json() == "quick"
        assert slow.begun.acquire(timeout=WAIT_S)
        slow.go.release()
        assert slow.begun.acquire(timeout=WAIT_S)
        assert client.get(link).json() | {"done": 1, "of": 2} == client.get(link).json()
        slow.go.release()
        while (answer := client.get(link)).status_code == 202:
            pass
        assert answer.json()["most"] == 0.5
        seen = levels(client, answer.json()["picture"])
        assert (seen == 1).all(), "the probability rises by all of the scale"


def test_memory_is_bounded():
    kept = EvidenceKept(limit=25)
    pictures = {n: Evidence(0.1, 0.9, 1.0, bytes(10)) for n in range(3)}
    for n in range(2):
        kept.add((n, 0, "grad-cam"), pictures[n])
    assert kept.get((0, 0, "grad-cam")) is pictures[0]  # looked at again: the other is older now
    kept.add((2, 0, "grad-cam"), pictures[2])
    assert [kept.get((n, 0, "grad-cam")) for n in range(3)] == [pictures[0], None, pictures[2]]
    large = Evidence(0.1, 0.9, 1.0, bytes(99))
    kept.add((3, 0, "grad-cam"), large)
    assert kept.get((3, 0, "grad-cam")) is large
    assert kept.get((0, 0, "grad-cam")) is None


@pytest.mark.parametrize("name", ["absent.safetensors", "text.safetensors", "empty", "exported.onnx"])
def test_a_named_place_without_a_model_is_refused_at_the_start(
    make_app: Callable[..., FastAPI], tmp_path: Path, name: str
):
    (tmp_path / "text.safetensors").write_text("no model")
    (tmp_path / "empty").mkdir()
    with pytest.raises((ConfigurationError, ModelError), match=name):
        make_app(models=(tmp_path / name,))


def test_a_session_explains_by_the_model_that_it_made_itself(
    client, queue, finished, sessions, learnt_model, request_of
):
    (sessions / "finished" / "models").mkdir()
    path = sessions / "finished" / "models" / "learnt.safetensors"
    number = queue.add(request_of(9, size=(64, 64), model_sha256=read_card(learnt_model).sha256))
    assert refused(client, number)[0] == 409
    path.symlink_to(learnt_model)
    assert refused(client, number)[0] == 409, "links that lead out are not followed"
    path.unlink()
    path.write_bytes(learnt_model.read_bytes())
    pytest.importorskip("captum")
    assert ready(client, number)["state"] == "ready"
