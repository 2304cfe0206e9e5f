"""The envelope: nothing is clipped, and no path touches a keep-out zone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscope.core import BeamSettings, ImagingSettings, KeepOutError, LimitError, Rectangle, StagePosition
from autoscope.microscope import Envelope

ZONE = Rectangle(10.0, 10.0, 20.0, 20.0)
AROUND = Envelope(keep_out=(ZONE,))


def at(x_um: float, y_um: float) -> StagePosition:
    return StagePosition(x_um, y_um)


@pytest.mark.parametrize(
    ("start", "end", "refused"),
    [
        ((0, 15), (30, 15), True),  # straight through
        ((0, 0), (30, 30), True),  # along the diagonal
        ((0, 10), (30, 10), True),  # along an edge, which belongs to the zone
        ((0, 20), (20, 0), True),  # by (10, 10), a corner
        ((0, 40), (40, 0), True),  # by (20, 20), the other one
        ((0, 9.999), (30, 9.999), False),  # just beside it
        ((0, 19.99), (19.99, 0), False),
        ((0, 40.001), (40.001, 0), False),
        ((0, 15), (9.999, 15), False),  # ends before it
        ((0, 15), (10, 15), True),  # ends on its edge
        ((25, 15), (30, 15), False),  # leads away from it
        ((15, 15), (30, 15), True),  # begins in it
        ((15, 15), (15, 15), True),  # stands in it
        ((5, 5), (5, 5), False),
        ((15, 0), (15, 9), False),
        ((15, 0), (15, 30), True),
    ],
)
def test_paths(start: tuple[float, float], end: tuple[float, float], refused: bool) -> None:
    for one, two in ((start, end), (end, start)):
        if refused:
            with pytest.raises(KeepOutError):
                AROUND.check_move(at(*one), at(*two))
        else:
            AROUND.check_move(at(*one), at(*two))


COORDINATE = st.floats(0, 30).map(lambda value: round(value, 2))


@given(COORDINATE, COORDINATE, COORDINATE, COORDINATE)
def test_a_path_with_a_point_in_the_zone_is_refused(x0: float, y0: float, x1: float, y1: float) -> None:
    along = np.linspace(0, 1, 301)
    x, y = x0 + along * (x1 - x0), y0 + along * (y1 - y0)
    inside = (x > 10.01) & (x < 19.99) & (y > 10.01) & (y < 19.99)
    if inside.any():
        with pytest.raises(KeepOutError):
            AROUND.check_move(at(x0, y0), at(x1, y1))
    else:
        nearby = (x > 9.8) & (x < 20.2) & (y > 9.8) & (y < 20.2)
        if not nearby.any():
            AROUND.check_move(at(x0, y0), at(x1, y1))


@pytest.mark.parametrize("name", ["x_um", "y_um", "z_um", "tilt_deg"])
@pytest.mark.parametrize("value", [-1.001, 2.001, math.nan, math.inf, -math.inf])
def test_axes_are_refused_with_their_limits(name: str, value: float) -> None:
    envelope = Envelope(x_um=(-1, 2), y_um=(-1, 2), z_um=(-1, 2), tilt_deg=(-1, 2))
    with pytest.raises(LimitError) as caught:
        envelope.check_position(replace(at(0, 0), **{name: value}))
    assert (caught.value.name, caught.value.low, caught.value.high) == (name, -1, 2)
    for allowed in (-1.0, 2.0):
        envelope.check_position(replace(at(0, 0), **{name: allowed}))


def test_not_a_number_is_refused_without_limits() -> None:
    with pytest.raises(LimitError):
        Envelope().check_position(at(math.nan, 0))


@pytest.mark.parametrize(
    ("name", "value"),
    [("kv", 0.0), ("kv", 31.0), ("current_pa", -1.0), ("current_pa", math.nan), ("working_distance_mm", 0.0)],
)
def test_beams(name: str, value: float) -> None:
    envelope = Envelope(kv=(1, 30))
    envelope.check_beam(BeamSettings())
    with pytest.raises(LimitError) as caught:
        envelope.check_beam(replace(BeamSettings(), **{name: value}))
    assert caught.value.name == name


@pytest.mark.parametrize(
    ("name", "value"),
    [("hfw_um", 0.0), ("hfw_um", 501.0), ("dwell_us", math.inf), ("width_px", 0), ("height_px", 70000)],
)
def test_scans(name: str, value: float) -> None:
    envelope, imaging = Envelope(hfw_um=(5, 500)), ImagingSettings(50.0, 512, 512, 3.0)
    envelope.check_imaging(imaging)
    with pytest.raises(LimitError) as caught:
        envelope.check_imaging(replace(imaging, **{name: value}))
    assert caught.value.name == name


def test_allows_asks_about_x_and_y_only() -> None:
    envelope = Envelope(x_um=(0, 30), y_um=(0, 30), z_um=(5, 6), keep_out=(ZONE,))
    assert envelope.allows(5, 5)
    assert not envelope.allows(15, 15)
    assert not envelope.allows(31, 5)


# -- routes -------------------------------------------------------------------------------------------


def test_a_free_way_is_the_target_alone() -> None:
    assert AROUND.route(at(0, 0), at(30, 0)) == (at(30, 0),)


def test_the_shortest_way_around_a_zone() -> None:
    way = AROUND.route(at(0, 15), at(30, 15))
    length = sum(a.distance_um(b) for a, b in zip((at(0, 15), *way), way, strict=False))
    assert length == pytest.approx(2 * math.hypot(10, 5) + 10, rel=1e-3)


def test_no_way_out_of_walls() -> None:
    low, high = Rectangle(0, 0, 30, 2), Rectangle(0, 28, 30, 30)
    left, right = Rectangle(0, 0, 2, 30), Rectangle(28, 0, 30, 30)
    with pytest.raises(KeepOutError):
        Envelope(keep_out=(low, high, left, right)).route(at(15, 15), at(50, 15))


def test_no_way_where_the_stage_ends() -> None:
    across = Envelope(y_um=(0, 30), keep_out=(Rectangle(10, -5, 20, 35),))
    with pytest.raises(KeepOutError):
        across.route(at(0, 15), at(30, 15))


def test_a_way_out_of_a_zone_is_refused() -> None:
    with pytest.raises(KeepOutError):
        AROUND.route(at(15, 15), at(30, 15))


@st.composite
def zones(draw: st.DrawFn) -> tuple[Rectangle, ...]:
    corners = draw(st.lists(st.tuples(*[st.integers(0, 24)] * 2, *[st.integers(1, 9)] * 2), max_size=5))
    return tuple(Rectangle(x, y, x + width, y + height) for x, y, width, height in corners)


@settings(max_examples=200, deadline=None)
@given(zones(), *[st.floats(0, 30)] * 4)
def test_every_leg_of_every_route_passes_the_check(
    keep_out: tuple[Rectangle, ...], x0: float, y0: float, x1: float, y1: float
) -> None:
    envelope, start, target = Envelope(keep_out=keep_out), at(x0, y0), at(x1, y1)
    ends_are_free = envelope.allows(x0, y0) and envelope.allows(x1, y1)
    try:
        way = envelope.route(start, target)
    except KeepOutError:
        assert keep_out
        return
    assert ends_are_free
    assert way[-1] == target
    here = start
    for there in way:
        envelope.check_move(here, there)
        here = there
    direct = start.distance_um(target)
    assert sum(a.distance_um(b) for a, b in zip((start, *way), way, strict=False)) >= direct * (1 - 1e-9)


@settings(max_examples=100, deadline=None)
@given(zones(), *[st.floats(-5, 40)] * 4)
def test_separate_zones_never_leave_a_free_stage_stuck(
    keep_out: tuple[Rectangle, ...], x0: float, y0: float, x1: float, y1: float
) -> None:
    apart = all(
        a is b or a.x1_um < b.x0_um or b.x1_um < a.x0_um or a.y1_um < b.y0_um or b.y1_um < a.y0_um
        for a in keep_out for b in keep_out
    )  # fmt: skip
    envelope = Envelope(keep_out=keep_out)
    if apart and envelope.allows(x0, y0) and envelope.allows(x1, y1):
        assert envelope.route(at(x0, y0), at(x1, y1))[-1] == at(x1, y1)
