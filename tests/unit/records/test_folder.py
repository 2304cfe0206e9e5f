import errno
import os
from pathlib import Path

import numpy as np
import pytest

from autoscope.core import ConfigurationError, RecordError
from autoscope.records import SessionWriter, open_session, replace_file


def test_a_new_session_is_whole(writer, folder):
    assert sorted(p.name for p in folder.iterdir()) == ["config.toml", "events.jsonl", "session.h5"]
    assert (folder / "config.toml").read_text() == "seed = 7\n"
    assert not [p for p in folder.parent.iterdir() if p != folder]


def test_an_empty_folder_and_missing_parents_will_do(tmp_path, fields):
    empty = tmp_path / "empty"
    empty.mkdir()
    for place in (empty, tmp_path / "a" / "b"):
        SessionWriter.create(place, "", fields).close()
        assert open_session(place).documents() == ()


def test_a_folder_with_anything_in_it_is_refused_untouched(tmp_path, fields):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigurationError, match="exists and is not a session"):
        SessionWriter.create(tmp_path, "", fields)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_folder_with_a_session_points_to_resume(writer, folder, fields):
    with pytest.raises(ConfigurationError, match="holds a session: use --resume"):
        SessionWriter.create(folder, "", fields)


def test_a_file_is_refused(tmp_path, fields):
    (tmp_path / "out").write_text("")
    with pytest.raises(ConfigurationError, match="not a folder"):
        SessionWriter.create(tmp_path / "out", "", fields)


def test_field_arrays_must_agree(tmp_path):
    with pytest.raises(ConfigurationError, match="differ in length"):
        SessionWriter.create(tmp_path / "s", "", {"x_um": np.zeros(3), "y_um": np.zeros(4)})


def test_a_full_disk_leaves_no_half_made_folder(tmp_path, fields, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError, match="No space left on device; choose another --out"):
        SessionWriter.create(tmp_path / "s", "", fields)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("present", "message"),
    [
        (None, "there is no session folder"),
        ([], "is not a session"),
        (["config.toml", "events.jsonl"], "session.h5 missing"),
        (["config.toml"], "events.jsonl and session.h5 missing"),
    ],
)
def test_what_is_not_a_session_is_named(tmp_path, present, message):
    folder = tmp_path / "s"
    if present is not None:
        folder.mkdir()
        for name in present:
            (folder / name).touch()
    for use in (open_session, SessionWriter.resume):
        with pytest.raises(RecordError, match=message):
            use(folder)


def test_a_damaged_pixel_file_is_named(writer, folder):
    writer.close()
    (folder / "session.h5").write_bytes(b"not HDF5")
    for use in (open_session, SessionWriter.resume):
        with pytest.raises(RecordError, match=r"session\.h5"):
            use(folder)
    with pytest.raises(RecordError, match=r"session\.h5"):  # not "another process": the lock was given back
        SessionWriter.resume(folder)


def test_replacing_is_all_or_nothing(tmp_path: Path, monkeypatch):
    path = tmp_path / "result.json"
    replace_file(path, "old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RecordError, match="No space left"):
        replace_file(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
