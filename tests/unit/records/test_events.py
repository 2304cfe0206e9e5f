import errno
import json
import math
import os
from datetime import datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from autoscope.core import RecordError
from autoscope.records import (
    DecisionDocument,
    DocumentTail,
    ObservationDocument,
    QuantityResult,
    SessionWriter,
    StateDocument,
    TargetRecord,
    WarningDocument,
    open_session,
)


def observation(step: int, value: float | None = 0.25) -> ObservationDocument:
    return ObservationDocument(
        step=step, field=step, quantity="area_fraction", class_name="pearlite", value=value, predicted=0.2
    )


def test_lines_have_type_seq_time_and_the_keys_of_the_contract(writer, folder):
    writer.append(observation(1), WarningDocument(message="dust"))
    writer.append(
        DecisionDocument(
            step=2, draw=2, field=3, x_um=1.0, y_um=2.0, propensity=0.5, candidates=2, reason="likely",
            predicted=(0.3,), predicted_cost_s=4.0, policy_sha256="ab",
        )
    )  # fmt: skip
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    assert [line["seq"] for line in lines] == [0, 1, 2]
    assert [line["type"] for line in lines] == ["observation", "warning", "decision"]
    assert all(datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0) for line in lines)
    assert {"field", "quantity", "class", "value", "predicted"} <= lines[0].keys()
    assert {
        "field", "x_um", "y_um", "preset", "propensity", "candidates", "reason",
        "predicted_cost_s", "policy_sha256",
    } <= lines[2].keys()  # fmt: skip


def test_documents_come_back_as_they_were_returned(writer, folder, started, make_frame_document):
    written = writer.append(started, make_frame_document(0)) + writer.append(observation(1, None))
    assert open_session(folder).documents() == written


def test_numpy_scalars_are_numbers_and_nan_is_no_value():
    document = ObservationDocument(
        step=np.int64(3),
        field=np.intp(1),
        quantity="q",
        class_name="c",
        value=np.float64(0.5),
        predicted=math.nan,
    )
    assert (document.step, document.value, document.predicted) == (3, 0.5, None)
    assert "NaN" not in QuantityResult(quantity="q", class_name="c", estimate=math.nan).model_dump_json()


def test_wrong_documents_are_refused():
    with pytest.raises(ValidationError, match="halfwidth"):
        TargetRecord.model_validate({"quantity": "q", "class": "c", "halfwidth": 0.1})
    with pytest.raises(ValidationError, match="finite"):
        observation(1, math.inf)
    for propensity in (0.0, 1.1):
        with pytest.raises(ValidationError, match="propensity"):
            DecisionDocument(
                step=1, draw=1, field=0, x_um=0, y_um=0, propensity=propensity, candidates=1, reason="",
                predicted_cost_s=1,
            )  # fmt: skip


def test_a_torn_last_line_is_dropped(writer, folder):
    writer.append(observation(1))
    writer.append(observation(2))
    writer.close()
    path = folder / "events.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert [d.step for d in open_session(folder).documents()] == [1]
    writer, documents = SessionWriter.resume(folder)
    with writer:
        assert [d.step for d in documents] == [1]
        (new,) = writer.append(observation(3))
        assert new.seq == 1
    assert [d.step for d in open_session(folder).documents()] == [1, 3]


def test_a_step_counts_whole_or_not_at_all(writer, folder):
    writer.append(observation(1))
    writer.append(observation(2), observation(2), observation(2))
    writer.close()
    path = folder / "events.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    for kept in (2, 3):
        path.write_bytes(b"".join(lines[:kept]))
        assert [d.step for d in open_session(folder).documents()] == [1]
    writer, documents = SessionWriter.resume(folder)
    writer.close()
    assert len(documents) == 1
    assert path.read_bytes() == lines[0]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=5), cut=st.floats(0, 1))
def test_cut_anywhere_whole_steps_remain(tmp_path_factory, fields, sizes, cut):
    folder = tmp_path_factory.mktemp("cut") / "s"
    ends = [0]
    with SessionWriter.create(folder, "", fields) as writer:
        for step, size in enumerate(sizes):
            writer.append(*[observation(step)] * size)
            ends.append((folder / "events.jsonl").stat().st_size)
    path = folder / "events.jsonl"
    at = round(cut * ends[-1])
    path.write_bytes(path.read_bytes()[:at])
    whole = sum(end <= at for end in ends) - 1
    writer, documents = SessionWriter.resume(folder)
    writer.close()
    assert len(documents) == sum(sizes[:whole])
    assert path.stat().st_size == ends[whole]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda lines: [lines[0], b'{"type": "obs\n', lines[2]], "line 2 is damaged"),
        (lambda lines: [lines[0], lines[2]], "line 2: seq is 2 where 1 must be"),
        (lambda lines: [lines[0].replace(b'"observation"', b'"rumour"'), *lines[1:]], "line 1 is damaged"),
        (lambda lines: [*lines[:2], b"{}\n"], "line 3 is damaged"),
    ],
)
def test_damage_elsewhere_is_an_error_that_names_the_line(writer, folder, damage, message):
    for step in range(3):
        writer.append(observation(step))
    writer.close()
    path = folder / "events.jsonl"
    path.write_bytes(b"".join(damage(path.read_bytes().splitlines(keepends=True))))
    before = path.read_bytes()
    for use in (SessionWriter.resume, lambda folder: open_session(folder).documents()):
        with pytest.raises(RecordError, match=message):
            use(folder)
    assert path.read_bytes() == before


@pytest.mark.parametrize("bytes_that_fit", [0, 30])
def test_a_full_disk_appends_nothing(writer, folder, monkeypatch, bytes_that_fit):
    writer.append(observation(1))
    real, room = os.write, [bytes_that_fit]

    def write(descriptor, data):
        if not room[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        n, room[0] = real(descriptor, data[: room[0]]), 0
        return n

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        with pytest.raises(RecordError, match=rf"{folder.name}: No space left on device.*--resume"):
            writer.append(observation(2), observation(2))
    assert [d.step for d in open_session(folder).documents()] == [1]
    writer.append(observation(3))  # there is room again
    assert [(d.step, d.seq) for d in open_session(folder).documents()] == [(1, 0), (3, 1)]


def test_a_failed_append_that_could_not_be_undone_is_undone_later(writer, folder, monkeypatch):
    real = os.write

    def write(descriptor, data):
        real(descriptor, data[:10])
        raise OSError(errno.EIO, "Input/output error")

    def no_truncate(descriptor, size):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", write)
        patch.setattr(os, "ftruncate", no_truncate)
        with pytest.raises(RecordError, match="Input/output"):
            writer.append(StateDocument(state="measuring"))
    writer.append(StateDocument(state="done"))
    assert [d.state for d in open_session(folder).documents()] == ["done"]


def test_two_writers_are_refused_and_a_closed_one_is_no_obstacle(writer, folder):
    assert open_session(folder).running
    with pytest.raises(RecordError, match="another process is writing"):
        SessionWriter.resume(folder)
    writer.append(observation(1))
    writer.close()
    writer.close()
    assert not open_session(folder).running
    with pytest.raises(RecordError, match="is closed"):
        writer.append(observation(2))
    SessionWriter.resume(folder)[0].close()


def test_a_tail_gives_every_whole_step_once(writer, folder):
    tail = DocumentTail(folder)
    assert tail.read() == ()
    first = writer.append(observation(1), WarningDocument(message="dust"))
    assert tail.read() == first
    assert tail.read() == ()
    with (folder / "events.jsonl").open("ab") as file:
        file.write(b'{"type": "warning", "mess')  # being written now
    assert tail.read() == ()
    second = writer.append(observation(2))
    assert tail.read() == second


def test_a_tail_names_the_line_that_is_damaged(writer, folder):
    tail = DocumentTail(folder)
    writer.append(observation(1))
    tail.read()
    with (folder / "events.jsonl").open("ab") as file:
        file.write(b"nonsense\n")
    with pytest.raises(RecordError, match="line 2 is damaged"):
        tail.read()
