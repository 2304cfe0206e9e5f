import pytest

from autoscope.app.benchmarking.episode import Answer, Episode
from autoscope.app.benchmarking.ledger import EPISODES, Ledger
from autoscope.core import RecordError


def episode(number, cell="a", fields=50):
    return Episode(cell, number, fields, 120.5, (Answer(0.1 + number / 3, None, 0.5, met=True),))


def test_what_was_added_is_there_for_the_next_one(tmp_path):
    Ledger(tmp_path / "out").add([episode(0), episode(2)])
    again = Ledger(tmp_path / "out")
    again.add([episode(1, cell="b")])
    assert Ledger(tmp_path / "out").of("a", 5) == {0: episode(0), 2: episode(2)}
    assert again.of("a", 2) == {0: episode(0)}
    assert again.of("c", 5) == {}


@pytest.mark.parametrize("cut", [1, 10, 60])
def test_a_torn_last_line_is_dropped_and_written_anew(tmp_path, cut):
    Ledger(tmp_path).add([episode(0), episode(1)])
    path = tmp_path / EPISODES
    path.write_bytes(path.read_bytes()[:-cut])
    ledger = Ledger(tmp_path)
    assert ledger.of("a", 5) == {0: episode(0)}
    ledger.add([episode(1)])
    assert Ledger(tmp_path).of("a", 5) == {0: episode(0), 1: episode(1)}


@pytest.mark.parametrize("line", ["nonsense\n", '{"cell": "a"}\n', "[]\n"])
def test_a_damaged_file_is_named_with_its_line(tmp_path, line):
    Ledger(tmp_path).add([episode(0)])
    with (tmp_path / EPISODES).open("a") as file:
        file.write(line)
    with pytest.raises(RecordError, match=r"episodes\.jsonl, line 2"):
        Ledger(tmp_path)
