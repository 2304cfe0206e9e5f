"""Sessions over HTTP: what is shown, what is streamed, what operators ask for."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from autoscope.records import CommandTail, ModelAdoptedDocument, ObservationDocument


def events_of(text: str) -> list[dict]:
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith('data: {"')]


def test_sessions_are_listed_the_running_one_first(client, running, finished):
    listed = client.get("/api/sessions").json()
    assert [(s["id"], s["state"], s["running"]) for s in listed] == [
        ("running", "measuring", True),
        ("finished", "done", False),
    ]
    assert listed[0]["simulated"] is True
    assert listed[1]["finish_reason"] == "targets_reached"


def test_a_session_shows_where_it_stands(client, running):
    shown = client.get("/api/sessions/running").json()
    assert [v["values"] for v in shown["visits"]] == [[0.2], [0.2]]
    assert shown["budget"] == {"beam_time_s": 3600.0}
    assert shown["spent"]["beam_time_s"] == 12.0
    assert shown["decisions"][-1]["reason"].startswith("the overview expects")
    assert shown["map"]["x1_um"] == 300.0
    assert shown["quantities"][0]["class"] == "pearlite"
    # half-width 0.4/sqrt(2), wanted 0.05: 64 fields by the root law, but 24 is all there are; 4 s each
    assert shown["left"]["p50_s"] == pytest.approx((24 - 2) * 4.0)


def test_only_what_is_new_is_sent(client, running):
    before = client.get("/api/sessions/running").json()["last_seq"]
    running.measure(0.4)
    shown = client.get(f"/api/sessions/running?after={before}").json()
    assert [v["step"] for v in shown["visits"]] == [3]
    assert [e["fields"] for e in shown["estimates"]] == [3]
    assert shown["step"] == 3


def test_a_lost_field_says_why(client, finished):
    shown = client.get("/api/sessions/finished").json()
    assert (shown["visits"][1]["values"], shown["visits"][1]["note"]) == ([None], "skipped by the operator")


def test_pictures(client, running):
    frame = client.get("/api/sessions/running/frames/1.jpg")
    assert Image.open(io.BytesIO(frame.content)).size == (48, 32)
    labels = np.asarray(
        Image.open(io.BytesIO(client.get("/api/sessions/running/frames/1/labels.png").content))
    )
    assert set(np.unique(labels)) == {0, 1}
    assert Image.open(io.BytesIO(client.get("/api/sessions/running/map.png").content)).mode == "RGBA"


@pytest.mark.parametrize("path", ["frames/99.jpg", "frames/0/labels.png", "frames/99/labels.png"])
def test_a_frame_that_is_not_there(client, running, path):
    answer = client.get(f"/api/sessions/running/{path}")
    assert answer.status_code == 404
    assert "frame" in answer.json()["detail"]


def test_events_of_a_finished_session_come_and_end(client, finished):
    answer = client.get("/api/sessions/finished/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    documents = events_of(answer.text)
    assert [d["seq"] for d in documents] == list(range(len(documents)))
    assert documents[0]["type"] == "started"
    assert documents[-1]["type"] == "finished"
    assert answer.text.rstrip().endswith("event: end\ndata: {}")


def test_a_browser_that_comes_back_goes_on_where_it_was(client, finished):
    everything = events_of(client.get("/api/sessions/finished/events").text)
    rest = client.get("/api/sessions/finished/events", headers={"Last-Event-ID": "3"})
    assert events_of(rest.text) == everything[4:]


@pytest.mark.parametrize("command", ["pause", "resume", "stop", "skip"])
def test_commands_reach_the_folder(client, running, command):
    tail = CommandTail(running.folder)
    answer = client.post(f"/api/sessions/running/{command}")
    assert answer.status_code == 202
    (sent,) = tail.read()
    assert (sent.command, sent.id) == (command, answer.json()["id"])
    assert [c["command"] for c in client.get("/api/sessions/running").json()["pending"]] == [command]


@pytest.mark.parametrize(("session", "status"), [("finished", 409), ("nowhere", 404)])
def test_only_a_running_session_takes_commands(client, finished, session, status):
    answer = client.post(f"/api/sessions/{session}/pause")
    assert answer.status_code == status
    assert not CommandTail(finished.folder).read()


def test_a_damaged_session_is_said_to_be_so_and_hides_no_other(client, running, finished):
    events = finished.folder / "events.jsonl"
    events.write_text("not a document\n" + events.read_text())
    listed = {s["id"]: s for s in client.get("/api/sessions").json()}
    assert "damaged" in listed["finished"]["unreadable"]
    assert listed["running"]["state"] == "measuring"
    assert client.get("/api/sessions/finished").status_code == 409


def test_a_new_session_of_an_old_name_is_not_mistaken_for_it(client, finished, sessions):
    assert client.get("/api/sessions/finished").json()["state"] == "done"
    finished.folder.rename(sessions / "older")
    again = type(finished)(sessions / "finished")
    with again.writer:
        again.start()
        shown = client.get("/api/sessions/finished").json()
    assert (shown["state"], shown["visits"]) == ("measuring", [])


def test_a_session_folder_itself_can_be_served(make_app, finished, client):
    from starlette.testclient import TestClient

    from autoscope.web.application import create_app
    from autoscope.web.settings import WebSettings

    app = create_app(WebSettings(sessions=finished.folder, token="t"))
    with TestClient(app, headers={"Authorization": "Bearer t"}) as alone:
        assert [s["id"] for s in alone.get("/api/sessions").json()] == ["finished"]
        assert alone.get("/api/requests").status_code == 404
        assert "no label queue" in alone.get("/label").text


def test_another_model_s_values_take_the_place_of_the_old_ones(client, running):
    before = client.get("/api/sessions/running").json()
    again = ObservationDocument(
        step=1, field=1, quantity="area_fraction", class_name="pearlite", value=0.35, again=True
    )
    adopted = ModelAdoptedDocument(
        answers=20, old_sha256="cd" * 32, new_sha256="ef" * 32, learnt=(1,), held_out=9, held_out_chance=0.5,
        mean_iou=0.8, mean_iou_before=0.75, file="models/efef.safetensors", teachable=2, fields=2,
    )  # fmt: skip
    running.writer.append(adopted, again, again.model_copy(update={"step": 2, "field": 2, "value": 0.15}))
    shown = client.get("/api/sessions/running").json()
    assert [v["values"] for v in shown["visits"]] == [[0.35], [0.15]]
    assert "another model took over" in shown["events"][-1]["text"]
    news = client.get(f"/api/sessions/running?after={before['last_seq']}").json()
    assert [v["step"] for v in news["visits"]] == [1, 2]  # pages that know the fields hear of them again
