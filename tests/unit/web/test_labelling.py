"""Label requests over HTTP: leases, answers, and what bad input does, which is nothing."""

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from autoscope.labels import LabelQueue

PNG = {"Content-Type": "image/png"}


def lease(client, expert: str = "anna") -> dict:
    answer = client.post("/api/requests/lease", json={"expert": expert})
    assert answer.status_code == 200, answer.text
    return answer.json()


def nothing_stored(queue: LabelQueue) -> bool:
    return queue.answers() == ()


def test_requests_by_state(client):
    leased = lease(client)
    assert [r["id"] for r in client.get("/api/requests?state=leased").json()] == [leased["id"]]
    assert len(client.get("/api/requests?state=open").json()) == 2
    assert len(client.get("/api/requests").json()) == 3
    assert client.get("/api/requests?state=lost").status_code == 422


def test_the_most_informative_comes_first_and_nobody_gets_the_same(client):
    first, second, third = (lease(client, name) for name in ("anna", "ben", "cleo"))
    assert [r["score"] for r in (first, second, third)] == [0.2, 0.1, 0.0]
    assert client.post("/api/requests/lease", json={"expert": "dora"}).status_code == 204


def test_pictures_of_a_request(client, queue):
    for name, expected in (("image", queue.frame(1)), ("prediction", queue.prediction(1))):
        answer = client.get(f"/api/requests/1/{name}.png")
        assert answer.headers["content-type"] == "image/png"
        assert (np.asarray(Image.open(io.BytesIO(answer.content))) == expected).all()
    doubt = np.asarray(Image.open(io.BytesIO(client.get("/api/requests/1/uncertainty.png").content)))
    assert np.allclose(doubt / 255, queue.uncertainty(1), atol=1 / 255)


def test_a_frame_of_16_bits_is_shown_in_8(client, queue, request_of):
    deep = np.linspace(900, 1900, 192).reshape(12, 16).astype(np.uint16)
    number = queue.add(request_of(9, frame=deep))
    shown = np.asarray(Image.open(io.BytesIO(client.get(f"/api/requests/{number}/image.png").content)))
    assert (shown.dtype, shown[0, 0], shown[-1, -1]) == (np.uint8, 0, 255)


def test_an_answer_is_stored_as_it_was_sent(client, queue, as_png):
    leased = lease(client)
    mask = np.arange(192, dtype=np.uint8).reshape(12, 16) % 3
    answer = client.put(
        f"/api/requests/{leased['id']}/answer?seconds=12.5&tool=brush",
        content=as_png(mask),
        headers={**PNG, "X-Lease": leased["token"]},
    )
    assert answer.status_code == 200
    (stored,) = queue.answers()
    assert (stored.expert, stored.seconds, stored.tool, stored.started_from) == (
        "anna",
        12.5,
        "brush",
        "prediction",
    )
    assert (queue.mask(stored.id) == mask).all()


def test_the_lease_need_not_be_named_where_only_one_holds_the_request(client, queue, mask_png):
    leased = lease(client)
    answer = client.put(f"/api/requests/{leased['id']}/answer", content=mask_png(), headers=PNG)
    assert answer.status_code == 200
    assert len(queue.answers()) == 1


def test_sending_the_same_twice_stores_it_once(client, queue, mask_png):
    leased = lease(client)
    headers = {**PNG, "X-Lease": leased["token"]}
    path = f"/api/requests/{leased['id']}/answer"
    first, second = (client.put(path, content=mask_png(), headers=headers) for _ in range(2))
    assert first.json() == second.json()
    assert len(queue.answers()) == 1


def test_two_answers_at_once_one_is_stored(client, queue, mask_png):
    leased = lease(client)
    headers = {**PNG, "X-Lease": leased["token"]}

    def put(value: int) -> int:
        path = f"/api/requests/{leased['id']}/answer"
        return client.put(path, content=mask_png(value), headers=headers).status_code

    with ThreadPoolExecutor(2) as pool:
        statuses = sorted(pool.map(put, (0, 1)))
    assert statuses == [200, 409]
    assert len(queue.answers()) == 1


def test_a_lease_says_what_comes_next(client):
    """So that a page can read its pictures in advance; nothing of it is leased."""
    leased = client.post("/api/requests/lease", json={"expert": "Anna"}).json()
    following = leased["next"]
    assert following["state"] == "open"
    assert client.get(following["image"]).status_code == 200
    assert client.get(f"/api/requests/{following['id']}").json()["state"] == "open"
    assert client.post(f"/api/requests/{leased['id']}/release").status_code == 204
    seen = []
    while (answer := client.post("/api/requests/lease", json={"expert": "Anna"})).status_code == 200:
        seen.append((answer.json()["id"], answer.json()["next"] and answer.json()["next"]["id"]))
        client.post(f"/api/requests/{seen[-1][0]}/skip", json={"reason": "blurred"})
    assert [number for _, number in seen] == [number for number, _ in seen[1:]] + [None]


def test_skip_release_and_renew(client, queue):
    leased = lease(client)
    path, headers = f"/api/requests/{leased['id']}", {"X-Lease": leased["token"]}
    assert client.post(f"{path}/renew", headers=headers).json()["expires"] >= leased["expires"]
    assert client.post(f"{path}/release", headers=headers).status_code == 204
    again = lease(client)
    assert again["id"] == leased["id"]
    skip = client.post(f"{path}/skip", json={"reason": "out of focus"}, headers={"X-Lease": again["token"]})
    assert skip.status_code == 204
    assert queue.request(leased["id"]).skip_reasons == ("out of focus",)


@pytest.mark.parametrize(
    ("make", "status", "says"),
    [
        (lambda png, raw: png(1, (13, 16)), 422, "16 x 13"),
        (lambda png, raw: png(3), 422, "value 3"),
        (lambda png, raw: png()[:-20], 422, "cut short"),
        (lambda png, raw: png()[:30], 422, "PNG"),
        (lambda png, raw: b"", 422, "PNG"),
        (lambda png, raw: b"GIF89a", 422, "PNG"),
        (lambda png, raw: raw(np.zeros((12, 16, 3), np.uint8)), 422, "RGB"),
        (lambda png, raw: raw(np.zeros((12, 16), np.uint16)), 422, "one class number"),
    ],
    ids=["size", "unknown class", "truncated", "header only", "empty", "gif", "colour", "16 bit"],
)
def test_a_bad_mask_stores_nothing(client, queue, mask_png, as_png, make, status, says):
    leased = lease(client)
    answer = client.put(f"/api/requests/{leased['id']}/answer", content=make(mask_png, as_png), headers=PNG)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["detail"]
    assert nothing_stored(queue)
    assert queue.request(leased["id"]).state == "leased"


def test_a_small_file_that_claims_to_be_huge_is_not_unpacked(client, queue, as_png):
    leased = lease(client)
    bomb = bytearray(as_png(np.zeros((12, 16), np.uint8)))
    bomb[16:24] = (60_000).to_bytes(4, "big") * 2
    answer = client.put(f"/api/requests/{leased['id']}/answer", content=bytes(bomb), headers=PNG)
    assert answer.status_code == 422
    assert nothing_stored(queue)


def test_an_upload_that_is_too_large_is_refused_before_it_is_read(client, queue):
    leased = lease(client)
    headers = {**PNG, "Content-Length": str(1 << 30)}
    answer = client.put(f"/api/requests/{leased['id']}/answer", content=b"x", headers=headers)
    assert answer.status_code == 413


def test_an_upload_of_unknown_length_is_cut_off(client, queue):
    leased = lease(client)
    sent = 0

    def endless():
        nonlocal sent
        for _ in range(200):
            sent += 1
            yield b"\0" * (1 << 20)

    answer = client.put(f"/api/requests/{leased['id']}/answer", content=endless(), headers=PNG)
    assert answer.status_code == 413
    assert nothing_stored(queue)


@pytest.mark.parametrize("kind", ["text/plain", "application/json", "multipart/form-data"])
def test_a_mask_of_another_content_type_is_refused(client, queue, mask_png, kind):
    leased = lease(client)
    answer = client.put(
        f"/api/requests/{leased['id']}/answer", content=mask_png(), headers={"Content-Type": kind}
    )
    assert answer.status_code == 415
    assert nothing_stored(queue)


def test_an_expired_lease(tmp_path, make_app, mask_png):
    from autoscope.web.application import create_app
    from autoscope.web.settings import WebSettings

    now = [1e6]
    with LabelQueue.open(f"sqlite:///{tmp_path / 'labels.db'}", clock=lambda: now[0]) as queue:
        app = create_app(WebSettings(sessions=tmp_path, token="t"), queue)
        with TestClient(app, headers={"Authorization": "Bearer t"}) as client:
            leased = lease(client)
            now[0] += leased["lease_s"] + 1
            for headers in ({**PNG, "X-Lease": leased["token"]}, PNG):
                answer = client.put(
                    f"/api/requests/{leased['id']}/answer", content=mask_png(), headers=headers
                )
                assert answer.status_code == 409
                assert "lease" in answer.json()["detail"]
            assert nothing_stored(queue)


@pytest.mark.parametrize(
    "body", [{}, {"expert": ""}, {"expert": " "}, {"expert": "a" * 101}, {"who": "anna"}, []]
)
def test_a_lease_needs_an_expert(client, queue, body):
    assert client.post("/api/requests/lease", json=body).status_code == 422
    assert queue.experts() == ()


def test_an_expert_who_is_not_on_the_list(make_app, queue):
    with TestClient(make_app(experts=("anna",)), headers={"Authorization": "Bearer correct-horse"}) as client:
        refused = client.post("/api/requests/lease", json={"expert": "mallory"})
        assert refused.status_code == 403
        assert "mallory" in refused.json()["detail"]
        assert queue.experts() == ()
        lease(client)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", ""), ("GET", "/image.png"), ("POST", "/release"), ("PUT", "/answer"), ("POST", "/suggest")],
)
def test_a_request_that_is_not_there(client, mask_png, method, path):
    body = {"content": mask_png(), "headers": PNG} if path in ("/answer", "/suggest") else {}
    answer = client.request(method, f"/api/requests/77{path}", **body)
    assert answer.status_code == 404
    assert "77" in answer.json()["detail"]


def test_a_suggestion_agrees_with_the_strokes(client, as_png):
    scribbles = np.full((12, 16), 255, np.uint8)
    scribbles[2, 2:6], scribbles[9, 8:12] = 0, 2
    answer = client.post("/api/requests/1/suggest", content=as_png(scribbles), headers=PNG)
    assert answer.status_code == 200
    mask = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert mask.shape == (12, 16)
    assert (mask[2, 2:6] == 0).all()
    assert (mask[9, 8:12] == 2).all()


def test_a_suggestion_for_a_large_frame_keeps_thin_strokes(client, queue, request_of, as_png):
    size = (1600, 1700)
    number = queue.add(request_of(5, size=size))
    scribbles = np.full(size, 255, np.uint8)
    scribbles[801, 100:1500], scribbles[103:1500, 333] = 1, 2
    answer = client.post(f"/api/requests/{number}/suggest", content=as_png(scribbles), headers=PNG)
    mask = np.asarray(Image.open(io.BytesIO(answer.content)))
    assert mask.shape == size
    assert (mask[scribbles != 255] == scribbles[scribbles != 255]).all()


def test_no_stroke_no_suggestion(client, mask_png):
    answer = client.post("/api/requests/1/suggest", content=mask_png(255), headers=PNG)
    assert answer.status_code == 422
    assert "stroke" in answer.json()["detail"]


def test_progress_and_effects(client, mask_png):
    leased = lease(client)
    client.put(f"/api/requests/{leased['id']}/answer?seconds=8", content=mask_png(), headers=PNG)
    progress = client.get("/api/progress").json()
    assert (progress["answered"], progress["open"]) == (1, 2)
    assert progress["experts"] == [{"name": "anna", "answered": 1, "skipped": 0, "leased": 0, "seconds": 8.0}]
    (effect,) = client.get("/api/effects?session=A-17").json()
    assert (effect["class"], effect["before"], effect["after"]) == (
        "pearlite",
        [0.2, 0.1, 0.3],
        [0.22, 0.15, 0.29],
    )


def test_a_second_opinion_sees_nothing_of_the_first(sessions, tmp_path, mask_png, request_of):
    from autoscope.web.application import create_app
    from autoscope.web.settings import WebSettings

    with LabelQueue.open(f"sqlite:///{tmp_path / 'two.db'}", second_opinion_share=1.0) as queue:
        queue.add(request_of(1, size=(200, 200)))
        app = create_app(WebSettings(sessions=sessions, token="t"), queue)
        with TestClient(app, headers={"Authorization": "Bearer t"}) as client:
            path = f"/api/requests/{lease(client)['id']}"
            client.put(f"{path}/answer", content=mask_png(1, (200, 200)), headers=PNG)
            assert client.get("/api/answers/1/example.png?value=1").status_code == 404
            second = lease(client, "ben")
            assert second["second_opinion"] is True
            assert client.get(f"{path}/disagreement").status_code == 404
            assert all(not g["examples"] for g in client.get(f"{path}/guidelines").json())
            client.put(f"{path}/answer", content=mask_png(2, (200, 200)), headers=PNG)
            assert client.get(f"{path}/disagreement").json()["mean_dice"] == 0.0


def test_guidelines_show_answered_frames(make_app, queue, request_of, as_png):
    size = (200, 220)
    mask = np.zeros(size, np.uint8)
    mask[:, 100:] = 1
    guidelines = {"pearlite": "striped"}
    with TestClient(
        make_app(guidelines=guidelines), headers={"Authorization": "Bearer correct-horse"}
    ) as client:
        number = queue.add(request_of(7, size=size, score=5.0))
        assert lease(client)["id"] == number
        client.put(f"/api/requests/{number}/answer", content=as_png(mask), headers=PNG)
        shown = client.get("/api/requests/1/guidelines").json()
        assert [g["text"] for g in shown] == ["", "striped", ""]
        assert [len(g["examples"]) for g in shown] == [1, 1, 0]
        crop = np.asarray(Image.open(io.BytesIO(client.get(shown[1]["examples"][0]).content)))
        assert crop.shape == (160, 160, 3)
        assert (crop == (230, 159, 0)).all(axis=2).any(), "the outline has the class's colour"
