"""Rectangles and polygons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscope.core import ConfigurationError, Polygon, Rectangle, bounds

COORDINATE = st.floats(-100, 100).map(lambda value: round(value, 3))


@st.composite
def rectangles(draw: st.DrawFn) -> Rectangle:
    x0, y0 = draw(COORDINATE), draw(COORDINATE)
    return Rectangle(x0, y0, x0 + draw(st.floats(0.01, 100)), y0 + draw(st.floats(0.01, 100)))


def test_rectangle_by_hand() -> None:
    box = Rectangle(1.0, 2.0, 5.0, 5.0)
    assert (box.width_um, box.height_um, box.area_um2, box.centre) == (4.0, 3.0, 12.0, (3.0, 3.5))
    assert box.contains(1.0, 5.0)
    assert not box.contains(0.999, 3.0)
    assert box.intersection(Rectangle(4.0, 0.0, 9.0, 3.0)) == Rectangle(4.0, 2.0, 5.0, 3.0)
    assert box.intersection(Rectangle(5.0, 2.0, 6.0, 5.0)) is None  # they only touch
    assert bounds(box) is box


@pytest.mark.parametrize(
    "corners", [(0, 0, 0, 1), (0, 1, 1, 1), (2, 0, 1, 1), (0, 0, float("nan"), 1), (0, 0, float("inf"), 1)]
)
def test_empty_rectangles_are_refused(corners: tuple[float, float, float, float]) -> None:
    with pytest.raises(ConfigurationError, match="rectangle"):
        Rectangle(*corners)


@given(rectangles(), rectangles())
def test_an_intersection_lies_in_both(one: Rectangle, two: Rectangle) -> None:
    common = one.intersection(two)
    assert common == two.intersection(one)
    if common is None:
        return
    for corner in ((common.x0_um, common.y0_um), (common.x1_um, common.y1_um)):
        assert one.contains(*corner)
        assert two.contains(*corner)


def test_polygon_by_hand() -> None:
    ell = Polygon(((0, 0), (10, 0), (10, 5), (5, 5), (5, 10), (0, 10)))
    x = np.array([2.0, 7.0, 7.0, 2.0, -1.0, 11.0])
    y = np.array([2.0, 2.0, 7.0, 7.0, 5.0, 2.0])
    assert ell.contains(x, y).tolist() == [True, True, False, True, False, False]
    assert ell.bounds == Rectangle(0, 0, 10, 10)
    assert bounds(ell) == ell.bounds


@given(rectangles(), st.integers(0, 2**32 - 1))
def test_a_rectangular_polygon_contains_what_the_rectangle_contains(box: Rectangle, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.uniform(box.x0_um - box.width_um, box.x1_um + box.width_um, 50)
    y = rng.uniform(box.y0_um - box.height_um, box.y1_um + box.height_um, 50)
    corners = ((box.x0_um, box.y0_um), (box.x1_um, box.y0_um), (box.x1_um, box.y1_um), (box.x0_um, box.y1_um))
    expected = [box.contains(*point) for point in zip(x, y, strict=True)]
    for vertices in (corners, corners[::-1], corners[2:] + corners[:2]):
        assert Polygon(vertices).contains(x, y).tolist() == expected


@pytest.mark.parametrize("vertices", [((0, 0), (1, 1)), ((0, 0), (1, 0), (float("nan"), 1))])
def test_bad_polygons_are_refused(vertices: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ConfigurationError, match="polygon"):
        Polygon(vertices)
