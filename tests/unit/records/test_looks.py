from __future__ import annotations

from autoscope.records import LookDocument
from autoscope.records.looks import final_looks, look_warnings


def look(step: int, level: str, action: str, guess: str = "") -> LookDocument:
    return LookDocument.model_validate(
        {"step": step, "field": 10 * step, "frame": step, "level": level, "guess": guess, "score": 1.5,
         "action": action}
    )  # fmt: skip


def test_every_ending_is_told_of_once() -> None:
    documents = [
        look(1, "suspicious", "taken again", "defocus"), look(1, "familiar", "measured"),
        look(2, "foreign", "taken again", "empty"), look(2, "foreign", "worst case", "other material"),
        look(3, "suspicious", "measured", "charging"), look(3, "foreign", "set aside", "charging"),
    ]  # fmt: skip
    assert [d.step for d in final_looks(documents)] == [1, 2, 3]
    lost, doubtful, helped = look_warnings(documents)
    assert lost.startswith("1 field (20) looked not like anything")
    assert "other material 1" in lost
    assert "worst case" in lost
    assert doubtful.startswith("1 field (30) looked unlike")
    assert "charging 1" in doubtful
    assert helped.startswith("1 field looked unfamiliar at first")


def test_a_session_of_familiar_fields_has_nothing_to_tell() -> None:
    assert look_warnings([]) == ()


def test_a_long_list_is_cut() -> None:
    (lost,) = look_warnings([look(n, "foreign", "worst case", "empty") for n in range(1, 21)])
    assert "and 8 more" in lost
    assert "empty 20" in lost
