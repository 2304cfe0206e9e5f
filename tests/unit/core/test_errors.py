"""Errors carry their values and read as one sentence."""

from __future__ import annotations

import inspect

import pytest

from autoscope import core
from autoscope.core import AutoscopeError, BudgetError, ConfigurationError, KeepOutError, LimitError, nearest


def test_every_error_is_in_the_one_tree() -> None:
    errors = [
        value for value in vars(core).values() if inspect.isclass(value) and issubclass(value, Exception)
    ]
    assert len(errors) >= 13
    assert all(issubclass(error, AutoscopeError) for error in errors)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (LimitError("x_um", 12.5, 0.0, 10.0, "um"), "x_um = 12.5 um lies outside [0, 10] um"),
        (LimitError("z_um", float("nan"), None, 1.0, "um"), "z_um = nan um lies outside (-inf, 1] um"),
        (
            LimitError("dwell_us", 0.0, 0.0, None, "us", above_low=True),
            "dwell_us = 0 us lies outside (0, inf) us",
        ),
        (
            KeepOutError((0, 0, 5, 5), (-1, 2), (9, 2)),
            "the move from (-1, 2) to (9, 2) um crosses the keep-out zone [0, 0, 5, 5] um",
        ),
        (
            BudgetError("frames", 3.0, 2.0, "frames"),
            "budget frames: the next action would bring it to 3 frames, the limit is 2 frames",
        ),
        (ConfigurationError("one is wrong", "two as well"), "one is wrong; two as well"),
    ],
)
def test_sentences(error: AutoscopeError, sentence: str) -> None:
    assert str(error) == sentence


def test_every_problem_is_kept() -> None:
    assert ConfigurationError("a", "b").problems == ("a", "b")


@pytest.mark.parametrize(
    ("name", "hint"), [("dwel_us", " (did you mean 'dwell_us'?)"), ("qqq", ""), ("", "")]
)
def test_nearest(name: str, hint: str) -> None:
    assert nearest(name, ["dwell_us", "hfw_um"]) == hint
