"""What a survey shows a policy: made piece by piece, when a policy asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoscope.estimation import Goal, Reading
from autoscope.estimation.growing import GrowingTable
from autoscope.survey.protocols import Past, SurveyView
from autoscope.survey.remaining import Left

Seconds = Callable[[NDArray[np.intp]], NDArray[np.float64]]
"""Predicted seconds to travel to and image each of some fields."""


class Standing(NamedTuple):
    """How far a survey is, at one moment.

    Attributes:
        goals: what is asked of each target.
        readings: where each stands.
        came_back: a row for each field: its index, propensity, predicted and measured values; it grows.
        visits: how many of its rows there are at this moment.
        left: the fields that remain.
    """

    goals: tuple[Goal, ...]
    readings: list[Reading]
    came_back: GrowingTable
    visits: int
    left: Left

    def half_width(self) -> NDArray[np.float64]:
        """``targets``, present half-widths."""
        return np.array([reading.half_width for reading in self.readings])

    def wanted(self) -> NDArray[np.float64]:
        """``targets``, half-widths that are wanted."""
        stand = zip(self.goals, self.readings, strict=True)
        return np.array([goal.wanted(reading.estimate) for goal, reading in stand])

    def past(self) -> Past:
        """The fields that came back."""
        columns = read_only(self.came_back.rows[: self.visits].T)
        values = 2 + (len(columns) - 2) // 2
        return Past(columns[0].astype(np.intp), columns[1], columns[2:values], columns[values:])


class ShownView(SurveyView):
    """A view of which some attributes are worked out when they are first looked at, and kept.

    Policies that choose between slots look at few of them, and each costs a pass over the fields or several
    small arrays. What they are worked out from must not change any more: a view that is looked at later says
    what it would have said at first.
    """

    __slots__ = ("_seconds", "_standing")
    _seconds: Seconds | None
    _standing: Standing | None

    def __getattr__(self, name: str) -> Any:
        """Makes an attribute; Python asks here for those that are not there yet."""
        if name in ShownView.__slots__:  # a copy has all that was shown, and nothing to make it from
            return None
        value = self._made(name)
        object.__setattr__(self, name, value)
        return value

    def _made(self, name: str) -> object:
        standing, seconds = self._standing, self._seconds
        if standing is not None and seconds is not None:
            if name == "remaining":
                return read_only(standing.left.fields)
            if name == "cost_s":
                return read_only(seconds(standing.left.fields))
            if name in ("half_width", "wanted"):
                return read_only(standing.half_width() if name == "half_width" else standing.wanted())
            if name == "past":
                return standing.past()
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")

    def seconds_to(self, fields: NDArray[np.intp]) -> NDArray[np.float64]:
        """Of some of the remaining fields alone."""
        return super().seconds_to(fields) if self._seconds is None else self._seconds(fields)


def shown(now: Mapping[str, object], standing: Standing, seconds: Seconds) -> SurveyView:
    """A view that makes some of its attributes later.

    Args:
        now: the other attributes.
        standing: what they are made from.
        seconds: what makes ``cost_s``, for any fields.
    """
    view = object.__new__(ShownView)
    say = object.__setattr__
    for name, value in now.items():
        say(view, name, value)
    say(view, "_standing", standing)
    say(view, "_seconds", seconds)
    return view


def with_features(
    seconds: Seconds, feature_s: float, features: NDArray[np.float64], fields: NDArray[np.intp]
) -> NDArray[np.float64]:
    """Seconds of fields with those of the features that are expected on them."""
    return seconds(fields) + feature_s * features.take(fields)


def read_only(values: NDArray[Any]) -> NDArray[Any]:
    """The same array, which cannot be written to any more."""
    values.flags.writeable = False
    return values
