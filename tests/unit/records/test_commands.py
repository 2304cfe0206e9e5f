"""Commands by the session's folder: every whole one arrives once, in order."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from autoscope.core import RecordError
from autoscope.records import CommandTail, send_command
from autoscope.records.commands import COMMANDS


def test_commands_arrive_once_and_in_order(tmp_path):
    tail = CommandTail(tmp_path)
    assert tail.read() == ()
    sent = tuple(send_command(tmp_path, name, by="anna") for name in ("pause", "resume"))
    assert tail.read() == sent
    assert tail.read() == ()
    third = send_command(tmp_path, "stop")
    assert tail.read() == (third,)


def test_who_takes_up_a_session_passes_over_old_commands(tmp_path):
    send_command(tmp_path, "stop")
    tail = CommandTail(tmp_path, skip_old=True)
    new = send_command(tmp_path, "pause")
    assert tail.read() == (new,)


def test_a_torn_line_hides_no_other(tmp_path):
    tail = CommandTail(tmp_path)
    first = send_command(tmp_path, "pause")
    with (tmp_path / COMMANDS).open("ab") as file:
        file.write(b'{"id": "x", "comm')  # its writer was killed
    assert tail.read() == (first,)
    second = send_command(tmp_path, "resume")
    assert tail.read() == (second,)


def test_a_foreign_line_is_passed_over(tmp_path):
    tail = CommandTail(tmp_path)
    (tmp_path / COMMANDS).write_text('{"command": "explode"}\nnot json\n')
    sent = send_command(tmp_path, "skip")
    assert tail.read() == (sent,)


def test_many_writers_at_once_lose_nothing(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        sent = set(pool.map(lambda _: send_command(tmp_path, "skip").id, range(64)))
    assert {command.id for command in CommandTail(tmp_path).read()} == sent
    assert len(sent) == 64


def test_a_folder_that_is_gone(tmp_path):
    with pytest.raises(RecordError, match="send it again"):
        send_command(tmp_path / "gone", "pause")
