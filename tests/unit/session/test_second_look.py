"""What is made of one look or two, with an instrument and a measurer that only say what the case wants."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autoscope.core import BudgetError, InstrumentError, Rectangle
from autoscope.perception.look import Look
from autoscope.session import FieldMap
from autoscope.session.measurer import Measurement
from autoscope.session.second_look import Again, SecondLook

FAMILIAR = Look("familiar", 0.4)
DEFOCUSED = Look("suspicious", 1.3, "defocus")
CHARGED = Look("foreign", 5.0, "charging")
ALLOY = Look("foreign", 3.0, "other material")
DECISION = SimpleNamespace(step=4, field=17)
PLACE = SimpleNamespace()


@dataclass
class Stage:
    """Stands in for the imaging: counts what it was asked for."""

    failure: Exception | None = None
    went_back: int = 0
    refocused: list[bool] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def journal(self) -> Any:
        return SimpleNamespace(warn=self.warnings.append)

    @property
    def recovery(self) -> Any:
        return SimpleNamespace(attempt=lambda what, first, again: first())

    def go_back(self, place: Any) -> None:
        self.went_back += 1

    def arrive(self) -> None:
        if self.failure is not None:
            raise self.failure

    def take_again(self, number: int, *, refocus: bool) -> tuple[str, int]:
        self.refocused.append(refocus)
        return "second", 31


@dataclass
class Looks:
    """Says of the first and of the second frame what it was told to say."""

    first: Look | None
    second: Look | None = None

    def measure(self, frame: str, number: int) -> Measurement:
        first = frame == "first"
        value = np.array([0.1 if first else 0.2])
        seen = FieldMap(np.zeros((2, 2), np.uint8), ("steel",), 100.0, None, Rectangle(0, 0, 1, 1), 1.0)
        return Measurement(seen, value, look=self.first if first else self.second)


def settle(stage: Stage, looks: Looks, unfamiliar: str = "worst_case", again: Again | None = None) -> Any:
    second = SecondLook(stage, looks, unfamiliar)  # type: ignore[arg-type]
    return second.settle(DECISION, "first", 30, again, lambda: PLACE)  # type: ignore[arg-type]


@pytest.mark.parametrize("look", [None, FAMILIAR])
def test_a_familiar_frame_costs_nothing_and_leaves_no_trace(look: Look | None) -> None:
    stage = Stage()
    found = settle(stage, Looks(look))
    assert (found.best.index, found.worst_case, found.went_back, found.documents) == (30, False, False, ())
    assert found.note == ""
    assert stage.went_back == 0


def test_a_defocused_field_is_focused_taken_again_and_measured() -> None:
    stage = Stage()
    found = settle(stage, Looks(DEFOCUSED, FAMILIAR))
    assert stage.refocused == [True]
    assert found.went_back
    assert found.best.measurement.value == pytest.approx([0.2])
    assert [(d.frame, d.level, d.action) for d in found.documents] == [
        (30, "suspicious", "taken again"),
        (31, "familiar", "measured"),
    ]


def test_a_charging_field_is_not_focused_on() -> None:
    stage = Stage()
    settle(stage, Looks(CHARGED, CHARGED))
    assert stage.refocused == [False]


def test_a_field_is_lost_only_where_both_looks_are_foreign() -> None:
    both = settle(Stage(), Looks(ALLOY, ALLOY))
    assert both.worst_case
    assert both.note == "foreign: other material"
    assert both.documents[0].action == "worst case"  # the better of two equal looks is the first
    one = settle(Stage(), Looks(ALLOY, DEFOCUSED))
    assert not one.worst_case
    assert one.best.index == 31


def test_the_look_that_is_more_familiar_counts() -> None:
    found = settle(Stage(), Looks(DEFOCUSED, CHARGED))
    assert found.best.index == 30
    assert [d.action for d in found.documents] == ["measured", "set aside"]


def test_a_warning_is_enough_where_that_is_asked_and_off_asks_nothing() -> None:
    warned = settle(Stage(), Looks(ALLOY, ALLOY), "warn")
    assert not warned.worst_case
    assert [d.action for d in warned.documents] == ["measured", "set aside"]
    stage = Stage()
    off = settle(stage, Looks(ALLOY, ALLOY), "off")
    assert (off.documents, stage.went_back) == ((), 0)


def test_without_budget_the_first_look_decides() -> None:
    stage = Stage(failure=BudgetError("beam_time_s", 10.0, 9.0, "s"))
    assert settle(stage, Looks(ALLOY)).worst_case
    assert not settle(stage, Looks(DEFOCUSED)).worst_case
    assert stage.warnings == []


def test_a_second_look_that_fails_is_told_of() -> None:
    stage = Stage(failure=InstrumentError("no beam"))
    assert settle(stage, Looks(DEFOCUSED)).best.index == 30
    assert stage.warnings == ["field 17 looked unfamiliar and could not be taken again: no beam"]


def test_nothing_is_taken_again_when_the_session_ends() -> None:
    stage = Stage()
    second = SecondLook(stage, Looks(ALLOY, FAMILIAR), "worst_case")  # type: ignore[arg-type]
    second.end()
    found = second.settle(DECISION, "first", 30, None, PLACE)  # type: ignore[arg-type]
    assert found.worst_case
    assert stage.went_back == 0


def test_an_interrupted_second_look_goes_on_where_it_was() -> None:
    focused, taken = Stage(), Stage()
    settle(focused, Looks(DEFOCUSED, FAMILIAR), again=Again(None, None))
    assert focused.refocused == [False]
    found = settle(taken, Looks(DEFOCUSED, FAMILIAR), again=Again("second", 31))  # type: ignore[arg-type]
    assert taken.went_back == 0
    assert found.best.index == 31
