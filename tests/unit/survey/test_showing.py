"""What a survey shows is made when it is looked at, and says what it would have said at first."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from autoscope.survey import Proposal, TableSource, step

SHOWN = ("cost_s", "half_width", "wanted", "drawn", "remaining")


class Keeping:
    """Draws uniformly; keeps its views, and what every second of them says when it is shown."""

    name, sha256, floored = "keeping", "7" * 64, True

    def __init__(self):
        self.views, self.said = [], []

    def propose(self, view):
        self.views.append(view)
        self.said.append(None if view.drawn % 2 else told(view))
        return Proposal(np.full(len(view.remaining), 1 / len(view.remaining)), "all alike")


def told(view):
    past = (view.past.fields, view.past.propensity, view.past.predicted, view.past.measured)
    return [np.copy(values).tolist() for values in (*(getattr(view, name) for name in SHOWN), *past)]


def surveyed(build):
    """The policy of a survey of 40 fields, after 25 steps."""
    grid, policy = build.grid(10, 4), Keeping()
    survey, pending = build.survey(grid, policy, seed=3), None
    source = TableSource(np.random.default_rng(0).random((1, len(grid))))
    for _ in range(25):
        pending = step(survey, source, pending)
    return policy


def test_a_view_that_is_looked_at_later_says_what_it_said_when_it_was_shown(build):
    policy = surveyed(build)
    for view, said in zip(policy.views, policy.said, strict=True):
        fresh = told(view)
        assert said is None or said == fresh
        assert len(view.past) <= view.drawn
        assert view.cost_s.shape == view.remaining.shape
    steps = [len(view.past) for view in policy.views]
    assert steps == [0, 0, *range(1, 24)]  # one frame is in flight at each decision but the first


def test_the_seconds_to_some_fields_are_those_of_all(build):
    view = surveyed(build).views[7]
    places = np.array([3, 0, 11])
    some = view.seconds_to(view.remaining[places])
    np.testing.assert_array_equal(some, view.cost_s[places])
    for copy in (replace(view, kept={}), replace(view, cost_s=view.cost_s.copy())):
        np.testing.assert_array_equal(copy.seconds_to(view.remaining[places]), some)


def test_views_are_read_only_and_can_be_copied(build):
    view = surveyed(build).views[9]
    for name in ("cost_s", "half_width", "wanted", "remaining"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(view, name)[0] = 1
    assert {item.name for item in fields(view)} >= {*SHOWN, "past", "kept"}
    assert told(replace(view)) == told(view)
    with pytest.raises(AttributeError, match="has no attribute 'colour'"):
        _ = view.colour
