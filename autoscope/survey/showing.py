"""What a survey shows a policy: made piece by piece, when a policy asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.estimation import Goal, Reading
from autoscope.estimation.growing import GrowingTable
from autoscope.survey.protocols import Past, SurveyView

Seconds = Callable[[NDArray[np.intp]], NDArray[np.float64]]
"""Predicted seconds to travel to and image each of some fields."""


class ShownView(SurveyView):
    """A view of which some attributes are worked out when they are first looked at, and kept.

    Policies that choose between slots look at few of them, and each costs a pass over the fields or several
    small arrays. What they are worked out from must not change any more: a view that is looked at later says
    what it would have said at first.
    """

    __slots__ = ("_later", "_seconds")
    _later: Mapping[str, Callable[[], object]] | None
    _seconds: Seconds | None

    def __getattr__(self, name: str) -> Any:
        """Makes an attribute; Python asks here for those that are not there yet."""
        if name in ShownView.__slots__:  # a copy has all that was shown, and nothing to make it from
            return None
        if self._later is None or name not in self._later:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        value = self._later[name]()
        object.__setattr__(self, name, value)
        return value

    def seconds_to(self, places: NDArray[np.intp]) -> NDArray[np.float64]:
        """Of some of the remaining fields alone."""
        if self._seconds is None:
            return super().seconds_to(places)
        return self._seconds(self.remaining[places])


def shown(
    now: Mapping[str, object], later: Mapping[str, Callable[[], object]], seconds: Seconds
) -> SurveyView:
    """A view that makes some of its attributes later.

    Args:
        now: attributes that are there.
        later: what makes each of the others, but for ``cost_s``.
        seconds: what makes ``cost_s``, for any fields.
    """
    view = object.__new__(ShownView)
    say = object.__setattr__
    for name, value in now.items():
        say(view, name, value)
    say(view, "_later", {**later, "cost_s": lambda: read_only(seconds(view.remaining))})
    say(view, "_seconds", seconds)
    return view


def standing(
    goals: tuple[Goal, ...], readings: list[Reading], came_back: GrowingTable
) -> dict[str, Callable[[], object]]:
    """What makes the attributes of a view that tell how far the survey is.

    Args:
        goals: what is asked of each target.
        readings: where each stands.
        came_back: a row for each field: its index, propensity, predicted and measured values.
    """
    return {
        "half_width": lambda: read_only(np.array([reading.half_width for reading in readings])),
        "wanted": lambda: read_only(
            np.array([goal.wanted(r.estimate) for goal, r in zip(goals, readings, strict=True)])
        ),
        "past": partial(_past, came_back, len(came_back)),
    }


def _past(came_back: GrowingTable, count: int) -> Past:
    """The first fields that came back."""
    columns = came_back.rows[:count].T
    columns.flags.writeable = False
    values = 2 + (len(columns) - 2) // 2
    return Past(columns[0].astype(np.intp), columns[1], columns[2:values], columns[values:])


def with_features(
    seconds: Seconds, feature_s: float, features: NDArray[np.float64], fields: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Seconds of fields with those of the features that are expected on them."""
    return seconds(fields) + feature_s * features.take(fields)


def read_only(values: NDArray[Any]) -> NDArray[Any]:
    """The same array, which cannot be written to any more."""
    values.flags.writeable = False
    return values
