"""Grain size: patterns whose intercepts are known, and the numbers of the standard's table."""

import math

import numpy as np
import pytest

from autoscope.core import EstimationError
from autoscope.estimation import (
    Crossings,
    boundary_crossings,
    grain_crossings,
    grain_size,
    grain_size_number,
)


def squares(edge, count):
    index = np.arange(edge * count) // edge
    return (index[:, None] * count + index[None] + 1).astype(np.uint32)


@pytest.mark.parametrize(("edge", "count"), [(5, 4), (8, 3)])
def test_square_grains(edge, count):
    found = grain_crossings(squares(edge, count))
    lines, length = 2 * edge * count, edge * count - 1
    assert found == Crossings(lines * (count - 1), lines * length)


def test_fields_cut_from_a_larger_pattern_have_its_intercept_on_average():
    pattern = squares(5, 8)
    cut = [grain_crossings(pattern[y : y + 12, x : x + 12]) for y in range(5) for x in range(5)]
    assert sum(c.length_px for c in cut) / sum(c.count for c in cut) == pytest.approx(5.0)


def test_boundary_maps_cut_into_fields_have_the_intercept_of_the_whole():
    edge = np.arange(240) % 8 < 2  # boundaries of 2 pixels, every 8
    boundary = edge[:, None] | edge[None]
    lines = [slice(start, start + 30) for start in range(4, 204, 25)]  # every phase of the pattern
    cut = [boundary_crossings(boundary[r, c]) for r in lines for c in lines]
    assert sum(c.count for c in cut) / sum(c.length_px for c in cut) == pytest.approx(0.75 / 8, rel=1e-9)


def test_directions_are_averaged():
    stripes = np.repeat(np.arange(1, 11, dtype=np.uint32), 4)[None].repeat(40, axis=0)
    found = grain_crossings(stripes)
    assert found.count == 40 * 9, "lines along the stripes cross nothing"
    assert found.length_px == 2 * 40 * 39


def test_line_spacing_takes_every_nth_line():
    found = grain_crossings(squares(5, 4), line_spacing_px=10)
    assert found == Crossings(2 * 2 * 3, 2 * 2 * 19)


def test_unlabelled_pixels_between_grains_are_one_boundary_and_inside_a_grain_none():
    row = np.array([[0, 1, 1, 0, 0, 2, 2, 0, 2, 2, 0]], np.uint32)
    assert grain_crossings(row.repeat(3, axis=0), line_spacing_px=1).count == 3


def test_lines_end_where_the_specimen_ends():
    row = np.array([[1, 1, 1, 2, 2, 2]], np.uint32).repeat(2, axis=0)
    valid = np.ones((2, 6), bool)
    valid[:, 2:4] = False
    found = grain_crossings(row, valid=valid)
    assert found == Crossings(0.0, 2 * (1 + 1) + 4 * 1)


def test_boundary_maps_count_runs_and_half_runs():
    row = np.zeros((2, 10), bool)
    row[:, 0:2] = row[:, 5] = True  # one run reaches the end of the line, one does not
    along = boundary_crossings(row)
    # horizontal: 1/2 + 1 on each of 2 lines; vertical: runs over the whole line, without an open end
    assert along == Crossings(3.0, 2 * 9 + 10 * 1)


def test_boundary_and_label_maps_agree():
    labels = squares(9, 5)
    boundary = np.zeros(labels.shape, bool)
    boundary[9::9] = boundary[:, 9::9] = True
    by_label = grain_crossings(labels, line_spacing_px=9)
    by_boundary = boundary_crossings(boundary, line_spacing_px=9)
    assert by_label == by_boundary


def test_a_poisson_line_pattern_has_the_intercept_of_theory():
    """Points along a line at random: P_L equals their density."""
    rng = np.random.default_rng(1)
    row = np.cumsum(rng.random(200_000) < 0.02).astype(np.uint32)[None] + 1
    grains = row.reshape(100, 2000)
    horizontal = grain_crossings(np.ascontiguousarray(grains), line_spacing_px=2000)
    along = sum(np.count_nonzero(np.diff(line)) for line in grains.astype(int)) / grains.size
    assert along == pytest.approx(0.02, rel=0.05)
    assert horizontal.count > 0


@pytest.mark.parametrize(("number", "intercept_um"), [(0.0, 320.0), (4.0, 80.0), (8.0, 20.0), (10.0, 10.0)])
def test_the_table_of_e112(number, intercept_um):
    assert grain_size_number(intercept_um) == pytest.approx(number, abs=0.01)


def test_the_interval_is_turned_over():
    found = grain_size(0.05, 0.04, 0.0625)
    assert (found.intercept_um, found.low_um, found.high_um) == pytest.approx((20.0, 16.0, 25.0))
    assert found.number_low < found.number < found.number_high
    assert found.number_high == pytest.approx(grain_size_number(16.0))


def test_no_boundary_at_all():
    found = grain_size(0.0, 0.0, 0.01)
    assert (found.intercept_um, found.high_um, found.number_low) == (math.inf, math.inf, -math.inf)
    assert grain_size_number(0.0) == math.inf


def test_per_um():
    assert Crossings(10, 500).per_um(200.0) == pytest.approx(0.1)
    with pytest.raises(EstimationError, match="grain size is undefined"):
        Crossings(0, 0).per_um(100.0)


@pytest.mark.parametrize("ends", [(0.06, 0.07), (-0.1, 0.07), (0.01, 0.02)])
def test_ends_out_of_order(ends):
    with pytest.raises(EstimationError, match="ascending"):
        grain_size(0.05, *ends)
