"""Which failure is followed by what: again, with a new focus, left out, or the end."""

from __future__ import annotations

from typing import Literal

import pytest

from autoscope.app.build import recovery_of
from autoscope.app.config import RecoveryConfig
from autoscope.core import FocusError, FrameError, InstrumentError, StageError
from autoscope.session import FaultPolicy


def test_what_a_kind_leaves_open_is_the_general_rule() -> None:
    policy = recovery_of(
        RecoveryConfig.model_validate(
            {
                "retries": 2,
                "on_failure": "skip",
                "stage": {"retries": 0, "on_failure": "stop"},
                "frame": {"refocus": True},
            }
        )
    )
    assert policy.of(StageError("stalled")) == FaultPolicy(0, "stop")
    assert policy.of(FrameError("late")) == FaultPolicy(2, "skip", refocus=True)
    assert policy.of(FocusError("nothing")) == FaultPolicy(2, "skip")
    assert policy.of(InstrumentError("else")) == FaultPolicy(2, "skip")


@pytest.mark.parametrize("then", ["stop", "skip"])
def test_a_lost_focus_may_end_the_session(then: Literal["stop", "skip"]) -> None:
    policy = recovery_of(RecoveryConfig.model_validate({"autofocus": {"retries": 3, "on_failure": then}}))
    assert policy.of(FocusError("nothing")) == FaultPolicy(3, then)
