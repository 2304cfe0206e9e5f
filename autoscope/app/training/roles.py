"""What the numbers and options of autoscope's environments are called, and the rules that play them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from autoscope.survey import rule_action
from autoscope_envs import eds_trigger, field_selection
from autoscope_policies.learned import Choice, Layout, design_layout
from autoscope_policies.training import Chooser


@dataclass(frozen=True, slots=True)
class Role:
    """An environment's part in training.

    Attributes:
        layout: the names.
        rules: hand-written policies, the best one first.
    """

    layout: Layout
    rules: Mapping[str, Chooser] = field(default_factory=dict)


def _uniform(observation: NDArray[np.floating], masks: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """The first slot: slots are drawn uniformly, and in no order of merit."""
    return np.zeros(1, np.int64)


def _trade(observation: NDArray[np.floating], masks: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """The level that is closest to the shipped rule's probability, which the agent is shown."""
    rule = float(observation[eds_trigger.OBSERVATIONS.index("rule")])
    return np.array([int(np.argmin(np.abs(np.log10(eds_trigger.LEVELS) - rule)))], np.int64)


def _active(observation: NDArray[np.floating], masks: NDArray[np.bool_] | None) -> NDArray[np.int64]:
    """The design of ``policy.kind = "active"``."""
    return rule_action(observation)


ROLES: Mapping[str, Role] = {
    "autoscope/Survey-v0": Role(design_layout(), {"active": _active}),
    "autoscope/FieldSelection-v0": Role(
        Layout(
            field_selection.OBSERVATIONS,
            (Choice("slot", tuple(map(str, range(field_selection.SLOTS)))),),
        ),
        {"uniform": _uniform},
    ),
    "autoscope/EDSTrigger-v0": Role(
        Layout(
            eds_trigger.OBSERVATIONS,
            (Choice("probability of a spectrum", tuple(f"{level:g}" for level in eds_trigger.LEVELS)),),
        ),
        {"trade": _trade},
    ),
}
"""By the environment's id."""
