"""The queue's promises, on SQLite and on PostgreSQL."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoscope.core import ConfigurationError, LabelError
from autoscope.labels import (
    Effect,
    ExpertError,
    LabelQueue,
    Lease,
    LeaseExpired,
    MaskError,
    QueueError,
    UnknownRequest,
)

from .conftest import Clock, mask_of, new_request

HOW = {"seconds": 3.5, "tool": "brush", "started_from": "prediction"}


def leased(queue: LabelQueue, expert: str) -> Lease:
    lease = queue.lease(expert)
    assert lease is not None
    return lease


def test_what_goes_in_comes_out(queue: LabelQueue, clock: Clock) -> None:
    frame = np.arange(192, dtype=np.uint16).reshape(12, 16) * 300
    features = np.array([1.5, -2.0], np.float32)
    new = new_request(7, frame=frame, features=features, propensity=0.25, sampled=True, x_um=1.0, y_um=2.0)
    number = queue.add(new)
    request = queue.request(number)
    assert request.id == number == 1
    assert (request.session, request.field, request.x_um, request.y_um) == ("s", 7, 1.0, 2.0)
    assert (request.height, request.width, request.pixel_nm) == (12, 16, 97.5)
    assert (request.score, request.propensity, request.sampled) == (0.5, 0.25, True)
    assert (request.class_names, request.model_sha256) == (new.class_names, new.model_sha256)
    assert (request.state, request.answers, request.created_s) == ("open", 0, clock.now_s)
    assert queue.frame(number).dtype == np.uint16
    np.testing.assert_array_equal(queue.frame(number), frame)
    np.testing.assert_array_equal(queue.prediction(number), new.prediction)
    np.testing.assert_allclose(queue.uncertainty(number), new.uncertainty, atol=0.5 / 255 + 1e-3)
    np.testing.assert_array_equal(queue.features(number), features)


def test_the_same_field_asked_again_is_the_same_request(queue: LabelQueue) -> None:
    first = queue.add(new_request(1))
    assert queue.add(new_request(1)) == first
    assert queue.add(new_request(1, session="another")) != first
    assert queue.add(new_request(None)) != queue.add(new_request(None))


def test_the_most_informative_is_leased_first_and_never_twice(queue: LabelQueue) -> None:
    for field, score in enumerate([0.1, 0.9, 0.5]):
        queue.add(new_request(field, score=score))
    fields = [leased(queue, name).request.field for name in ("ann", "bob", "cyd")]
    assert fields == [1, 2, 0]
    assert queue.lease("dan") is None
    assert queue.progress().by_state["leased"] == 3


def test_the_probability_sample_comes_first_and_nearly_in_order(queue: LabelQueue) -> None:
    queue.add(new_request(100, score=50.0))
    for field in range(10):
        queue.add(new_request(field, score=float(field), sampled=True))
    # among the eight oldest of the sample the most informative, not the ninth and tenth
    assert [leased(queue, f"e{i}").request.field for i in range(4)] == [7, 8, 9, 6]
    rest = [leased(queue, "ann").request.field for _ in range(7)]
    assert rest == [5, 4, 3, 2, 1, 0, 100]


def test_an_answer_is_kept_with_its_history(queue: LabelQueue, clock: Clock) -> None:
    number = queue.add(new_request(4))
    lease = leased(queue, " ann ")
    clock.now_s += 30
    answer = queue.answer(number, lease.token, mask_of(2), **HOW)
    assert (answer.expert, answer.seconds, answer.tool, answer.started_from) == (
        "ann",
        3.5,
        "brush",
        "prediction",
    )
    assert (answer.answered_s, answer.field, answer.model_sha256) == (clock.now_s, 4, "m" * 64)
    np.testing.assert_array_equal(queue.mask(answer.id), mask_of(2))
    assert queue.request(number).state == "answered"
    assert queue.answers("s") == (answer,)
    assert queue.answers("s", since_id=answer.id) == queue.answers("other") == ()


def test_the_same_answer_twice_is_stored_once_and_another_is_refused(queue: LabelQueue) -> None:
    number = queue.add(new_request())
    lease = leased(queue, "ann")
    first = queue.answer(number, lease.token, mask_of(1), **HOW)
    assert queue.answer(number, lease.token, mask_of(1), **HOW) == first
    with pytest.raises(LeaseExpired, match="it was answered"):
        queue.answer(number, lease.token, mask_of(2), **HOW)
    assert len(queue.answers()) == 1


def test_a_lease_ends_by_time_and_can_be_renewed(queue: LabelQueue, clock: Clock) -> None:
    number = queue.add(new_request())
    lease = leased(queue, "ann")
    assert queue.leases("ann") == (lease,)
    clock.now_s += 99
    assert queue.renew(number, lease.token).expires_at == clock.now_s + 100
    clock.now_s += 99
    assert queue.request(number).state == "leased"
    clock.now_s += 1
    assert queue.request(number).state == "open"
    assert queue.leases("ann") == ()
    with pytest.raises(LeaseExpired, match="ran out"):
        queue.answer(number, lease.token, mask_of(1), **HOW)
    assert queue.answers() == ()
    assert leased(queue, "bob").request.id == number
    with pytest.raises(LeaseExpired):
        queue.renew(number, lease.token)


def test_an_expired_lease_is_refused_even_before_anyone_noticed(queue: LabelQueue, clock: Clock) -> None:
    number = queue.add(new_request())
    lease = leased(queue, "ann")
    clock.now_s += 130
    with pytest.raises(LeaseExpired, match="30 s ago"):
        queue.answer(number, lease.token, mask_of(1), **HOW)


def test_given_back_is_open_again(queue: LabelQueue) -> None:
    number = queue.add(new_request())
    lease = leased(queue, "ann")
    queue.release(number, lease.token)
    assert queue.request(number).state == "open"
    assert leased(queue, "ann").request.id == number
    with pytest.raises(LeaseExpired, match="given back"):
        queue.release(number, lease.token)


def test_two_skips_end_a_request(queue: LabelQueue) -> None:
    number = queue.add(new_request())
    queue.skip(number, leased(queue, "ann").token, " charging ")
    assert queue.request(number).state == "open"
    assert queue.lease("ann") is None  # nobody is asked the same twice
    queue.skip(number, leased(queue, "bob").token, "out of focus")
    request = queue.request(number)
    assert (request.state, request.skip_reasons) == ("skipped", ("charging", "out of focus"))
    assert queue.lease("cyd") is None
    assert [(e.name, e.skipped) for e in queue.experts()] == [("ann", 1), ("bob", 1), ("cyd", 0)]


def test_a_skip_needs_a_reason(queue: LabelQueue) -> None:
    number = queue.add(new_request())
    lease = leased(queue, "ann")
    with pytest.raises(LabelError, match="reason"):
        queue.skip(number, lease.token, "  ")


def test_second_opinions_go_to_another_expert_who_does_not_see_the_first(url: str, clock: Clock) -> None:
    with LabelQueue.open(url, second_opinion_share=1.0, clock=clock) as queue:
        number = queue.add(new_request())
        queue.answer(number, leased(queue, "ann").token, mask_of(1), **HOW)
        assert queue.request(number).second_opinion_wanted
        assert queue.lease("ann") is None
        second = leased(queue, "bob")
        assert second.second_opinion
        assert queue.request(number).state == "answered"
        assert queue.lease("cyd") is None  # held by bob
        mask = mask_of(1)
        mask[:3] = 2
        assert queue.disagreement(number) is None
        answer = queue.answer(number, second.token, mask, **HOW)
        assert answer.second_opinion
        assert not queue.request(number).second_opinion_wanted
        assert queue.lease("cyd") is None
        apart = queue.disagreement(number)
        assert apart is not None
        assert apart.experts == ("ann", "bob")
        # 192 pixels, of which both call 144 pearlite: 2 x 144 / (192 + 144); by chance 0.75 agree
        assert apart.dice == pytest.approx({"pearlite": 288 / 336, "pore": 0.0})
        assert apart.kappa == pytest.approx(0.0)
        assert apart.mean_dice == pytest.approx(144 / 336)


def test_second_opinions_are_wanted_of_a_share_and_of_the_highest_scores(url: str, clock: Clock) -> None:
    with LabelQueue.open(url, second_opinion_share=0.1, clock=clock) as queue:
        for field in range(100):
            queue.add(new_request(field, score=float(field)))
        for _ in range(100):
            lease = leased(queue, "ann")
            queue.answer(lease.request.id, lease.token, mask_of(0), **HOW)
        wanted = [r.field for r in queue.requests() if r.second_opinion_wanted]
        assert set(range(90, 100)) <= set(wanted)
        assert 10 <= len(wanted) <= 10 + 20
        assert queue.progress().second_opinions_wanted == len(wanted)


def test_leases_and_second_opinions_are_those_of_whoever_asked(url: str, clock: Clock) -> None:
    with (
        LabelQueue.open(url, lease_s=30.0, second_opinion_share=1.0, clock=clock) as asking,
        LabelQueue.open(url, lease_s=900.0, second_opinion_share=0.0, clock=clock) as serving,
    ):
        number = asking.add(new_request())
        lease = leased(serving, "ann")
        assert (lease.lease_s, lease.expires_at) == (30.0, clock() + 30.0)
        clock.now_s += 20.0
        renewed = serving.renew(number, lease.token)
        assert (renewed.lease_s, renewed.expires_at) == (30.0, clock() + 30.0)
        serving.answer(number, lease.token, mask_of(1), **HOW)
        assert serving.request(number).second_opinion_wanted


def test_equal_masks_agree_fully(url: str) -> None:
    with LabelQueue.open(url, second_opinion_share=1.0) as queue:
        number = queue.add(new_request())
        for name in ("ann", "bob"):
            queue.answer(number, leased(queue, name).token, mask_of(1), **HOW)
        apart = queue.disagreement(number)
        assert apart is not None
        assert (apart.kappa, apart.mean_dice) == (1.0, 1.0)


def test_a_withdrawn_request_is_not_answered(queue: LabelQueue) -> None:
    number, other = queue.add(new_request(0)), queue.add(new_request(1))
    lease = leased(queue, "ann")
    assert queue.supersede(number)
    with pytest.raises(LeaseExpired, match="withdrawn"):
        queue.answer(number, lease.token, mask_of(0), **HOW)
    queue.answer(other, leased(queue, "ann").token, mask_of(0), **HOW)
    assert not queue.supersede(other)
    assert [r.state for r in queue.requests()] == ["superseded", "answered"]


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((12, 15), np.uint8), "15 x 12 pixels, the frame is 16 x 12"),
        (np.zeros((12, 16, 1), np.uint8), "height x width uint8"),
        (np.zeros((12, 16), np.int64), "height x width uint8"),
        (np.full((12, 16), 3, np.uint8), "value 3, which is no class"),
    ],
)
def test_masks_that_do_not_fit_are_refused(queue: LabelQueue, mask: np.ndarray, message: str) -> None:
    number = queue.add(new_request())
    lease = leased(queue, "ann")
    with pytest.raises(MaskError, match=message):
        queue.answer(number, lease.token, mask, **HOW)
    assert queue.answers() == ()
    assert queue.request(number).state == "leased"


def test_requests_are_listed_in_pages(queue: LabelQueue) -> None:
    for field in range(5):
        queue.add(new_request(field))
    leased(queue, "ann")
    assert [r.field for r in queue.requests(limit=2)] == [0, 1]
    assert [r.field for r in queue.requests(limit=2, after=2)] == [2, 3]
    assert len(queue.requests("open")) == 4
    assert queue.requests(session="nobody's") == ()
    with pytest.raises(LabelError, match="no state"):
        queue.requests("done")  # type: ignore[arg-type]


def test_what_is_not_there_is_named(queue: LabelQueue) -> None:
    for look in (queue.request, queue.frame, queue.prediction, queue.uncertainty, queue.features):
        with pytest.raises(UnknownRequest, match="no request 99"):
            look(99)
    with pytest.raises(UnknownRequest):
        queue.answer(99, "token", mask_of(0), **HOW)
    with pytest.raises(LabelError, match="no answer 5"):
        queue.mask(5)
    queue.add(new_request())
    with pytest.raises(LeaseExpired, match="not leased under this token"):
        queue.release(1, "somebody's")


@pytest.mark.parametrize("name", ["", "  ", "a" * 101, "a\nb"])
def test_nobody_is_called_this(queue: LabelQueue, name: str) -> None:
    with pytest.raises(ExpertError):
        queue.lease(name)
    with pytest.raises(ExpertError):
        queue.register(name)
    assert queue.experts() == ()


def test_effects_come_back_in_order(queue: LabelQueue, clock: Clock) -> None:
    effect = Effect("s", "area_fraction", "pearlite", 3, (0.3, None, None), (0.25, 0.2, 0.3), "model", "few")
    queue.record_effect(effect)
    queue.record_effect(replace(effect, answers=12, covers="expert-corrected"))
    first, second = queue.effects("s")
    assert first == replace(effect, time_s=clock.now_s)
    assert second.covers == "expert-corrected"
    assert queue.effects("another") == ()


def test_a_second_process_finds_what_the_first_left(url: str) -> None:
    with LabelQueue.open(url) as queue:
        queue.add(new_request())
    with LabelQueue.open(url) as again:
        assert len(again.requests()) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"propensity": 0.0}, "propensity"),
        ({"score": float("nan")}, "score"),
        ({"prediction": mask_of(3)}, "value 3"),
        ({"prediction": np.zeros((3, 3), np.uint8)}, "3 x 3 pixels"),
        ({"uncertainty": np.full((12, 16), 1.5)}, "1.5"),
        ({"uncertainty": np.zeros((2, 2))}, "uncertainty"),
        ({"frame": np.zeros((12, 16))}, "8 or 16 bit"),
        ({"class_names": ("one",)}, "classes"),
    ],
)
def test_requests_that_make_no_sense_are_refused(
    queue: LabelQueue, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        queue.add(new_request(**changes))  # type: ignore[arg-type]
    assert queue.requests() == ()


def test_a_newer_queue_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'labels.db'}"
    LabelQueue.open(url).close()
    connection = sqlite3.connect(tmp_path / "labels.db")
    connection.execute("UPDATE autoscope_queue SET version = 3")
    connection.commit()
    connection.close()
    with pytest.raises(QueueError, match="version 3, this autoscope reads version 2: update autoscope"):
        LabelQueue.open(url)


def test_a_file_that_is_no_queue_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but long enough to look like one" * 20)
    with pytest.raises(QueueError, match="not a database"):
        LabelQueue.open(f"sqlite:///{tmp_path / 'text.db'}")
    connection = sqlite3.connect(tmp_path / "other.db")
    connection.execute("CREATE TABLE label_requests (id INTEGER)")
    connection.commit()
    connection.close()
    with pytest.raises(QueueError, match="not a label queue"):
        LabelQueue.open(f"sqlite:///{tmp_path / 'other.db'}")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("labels.db", "no database URL"),
        ("mysql://host/labels", "sqlite or postgresql"),
        ("sqlite:////nowhere/at/all/labels.db", "unable to open"),
        ("postgresql://me:secret@127.0.0.1:1/labels", "cannot be used"),
    ],
)
def test_a_queue_that_cannot_be_opened_says_why(url: str, message: str) -> None:
    with pytest.raises(QueueError, match=message) as caught:
        LabelQueue.open(url)
    assert "secret" not in str(caught.value)


def test_numbers_out_of_limits_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="lease of 0 s"):
        LabelQueue.open("sqlite://", lease_s=0)
    with pytest.raises(ConfigurationError, match="share"):
        LabelQueue.open("sqlite://", second_opinion_share=1.5)
