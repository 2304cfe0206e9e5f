from dataclasses import replace

import h5py
import numpy as np
import pytest

from autoscope.core import RecordError
from autoscope.records import SessionWriter, open_session


def add(writer, frame, document, labels=None):
    index = writer.add_frame(frame, purpose=document.purpose, field=document.field)
    writer.append(document.model_copy(update={"frame": index}))
    if labels is not None:
        writer.add_labels(index, labels)
    return index


def assert_same(got, expected):
    assert got.pixels.dtype == expected.pixels.dtype
    np.testing.assert_array_equal(got.pixels, expected.pixels)
    assert replace(got, pixels=expected.pixels) == expected


def test_frames_of_both_purposes_come_back_byte_exact(writer, folder, make_frame, make_frame_document):
    frames = [make_frame(0, 8, 8, "u2"), make_frame(1, 8, 8, "u2"), make_frame(2), make_frame(3)]
    purposes = ["overview", "overview", "field", "field"]
    for i, (frame, purpose) in enumerate(zip(frames, purposes, strict=True)):
        assert add(writer, frame, make_frame_document(i, purpose)) == i
    view = open_session(folder)
    assert view.frame_count == 4
    for i, frame in enumerate(frames):
        assert_same(view.frame(i), frame)
        assert not view.frame(i).pixels.flags.writeable
        assert view.labels(i) is None
    with pytest.raises(RecordError, match="no frame 4"):
        view.frame(4)


def test_the_field_table_comes_back(writer, folder, fields):
    got = open_session(folder).fields
    assert got.keys() == fields.keys()
    for name, values in fields.items():
        np.testing.assert_array_equal(got[name], values)


def test_class_maps_of_any_shape_are_added_late_and_replaced(writer, folder, make_frame, make_frame_document):
    maps = {}
    for i, shape in enumerate([(16, 24), (15, 25), (16, 24), (40, 8)]):
        index = add(writer, make_frame(i), make_frame_document(i))
        if i != 1:
            maps[index] = np.random.default_rng(i).integers(0, 3, shape, dtype=np.uint8)
            writer.add_labels(index, maps[index])
    maps[0] = np.ones((3, 5), np.uint8)
    writer.add_labels(0, maps[0])
    view = open_session(folder)
    assert view.labels(1) is None
    for index, labels in maps.items():
        np.testing.assert_array_equal(view.labels(index), labels)
    writer.close()
    SessionWriter.resume(folder)[0].close()
    assert view.labels(1) is None
    for index, labels in maps.items():
        np.testing.assert_array_equal(view.labels(index), labels)


@pytest.mark.parametrize("labels", [np.zeros((2, 2), int), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8)])
def test_what_is_no_class_map_is_refused(writer, make_frame, make_frame_document, labels):
    add(writer, make_frame(0), make_frame_document(0))
    with pytest.raises(RecordError, match="class map of frame 0"):
        writer.add_labels(0, labels)


def test_a_frame_of_another_shape_is_refused_and_the_session_goes_on(
    writer, folder, make_frame, make_frame_document
):
    add(writer, make_frame(0), make_frame_document(0))
    with pytest.raises(RecordError, match=r"8 x 8 pixels of uint8.*24 x 16 pixels of uint8"):
        writer.add_frame(make_frame(1, 8, 8), purpose="field", field=1)
    with pytest.raises(RecordError, match="detector is 40 bytes long, the limit is 32"):
        frame = make_frame(1)
        writer.add_frame(
            replace(frame, beam=replace(frame.beam, detector="x" * 40)), purpose="field", field=1
        )
    assert add(writer, make_frame(1), make_frame_document(1)) == 1
    assert_same(open_session(folder).frame(1), make_frame(1))


def test_unacknowledged_frames_are_dropped(writer, folder, make_frame, make_frame_document):
    add(writer, make_frame(0), make_frame_document(0), np.ones((2, 2), np.uint8))
    writer.add_frame(make_frame(1), purpose="field", field=1)
    writer.add_labels(1, np.full((2, 2), 2, np.uint8))
    assert open_session(folder).frame_count == 1
    writer.close()
    writer, documents = SessionWriter.resume(folder)
    with writer:
        assert writer.dropped_frames == 1
        assert len(documents) == 1
        assert add(writer, make_frame(5), make_frame_document(1)) == 1
        assert_same(open_session(folder).frame(1), make_frame(5))
        assert open_session(folder).labels(1) is None
    writer, _ = SessionWriter.resume(folder)
    writer.close()
    assert writer.dropped_frames == 0


def test_a_pixel_file_without_an_acknowledged_frame_is_refused_untouched(
    writer, folder, make_frame, make_frame_document
):
    add(writer, make_frame(0), make_frame_document(0))
    writer.append(make_frame_document(1))
    writer.close()
    before = (folder / "session.h5").read_bytes()
    with pytest.raises(RecordError, match=r"lacks 1 frames .*frame 1"):
        SessionWriter.resume(folder)
    assert (folder / "session.h5").read_bytes() == before


def test_other_programs_can_read_while_it_runs(writer, folder, make_frame, make_frame_document):
    add(writer, make_frame(0), make_frame_document(0))
    with h5py.File(folder / "session.h5", "r", swmr=True, locking=False) as file:
        assert file.attrs["schema"] == "autoscope.session/1"
        assert file["frames/field/pixels"].shape == (1, 16, 24)
        assert file["frames/field/table"]["dwell_us"][0] == 3.0


def test_a_closed_writer_takes_no_frames(writer, make_frame):
    writer.close()
    with pytest.raises(RecordError, match="is closed"):
        writer.add_frame(make_frame(0), purpose="field", field=0)


def test_an_incomplete_copy_is_named_and_left_as_it_is(writer, folder, make_frame, make_frame_document):
    for i in range(3):
        add(writer, make_frame(i), make_frame_document(i))
    writer.close()
    pixels = folder / "session.h5"
    whole = pixels.read_bytes()
    says = int.from_bytes(whole[28:36], "little")
    pixels.write_bytes(whole[: says - 1])
    with pytest.raises(RecordError, match=rf"session\.h5 has {says - 1} bytes of {says}: its end is missing"):
        open_session(folder).frame(0)
    assert pixels.read_bytes() == whole[: says - 1]
    pixels.write_bytes(whole[:says])
    assert_same(open_session(folder).frame(2), make_frame(2))
