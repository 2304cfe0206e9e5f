"""Rows from a handful of episodes whose figures are worked out by hand."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscope.app.benchmarking.scoring import clopper_pearson, covers, fields_by_error, score
from autoscope.app.benchmarking.summary import summarise


def rows_of(make_scored, fields, estimates, **options):
    scored = [
        make_scored(policy=name, fields=fields[name], estimates=estimates.get(name), **options)
        for name in fields
    ]
    return {row.policy: row for row in score(scored, "uniform")}


def test_a_row_by_hand(make_scored):
    # truth 0.25; estimates 0.23, 0.27, 0.26, 0.24 with half-width 0.015: the first two miss
    rows = rows_of(
        make_scored,
        {"uniform": (40, 60, 50, 50), "active": (10, 20, 30, 40), "oracle": (10, 10, 20, 20)},
        {"active": (0.23, 0.27, 0.26, 0.24)},
    )
    row = rows["active"]
    assert row.truth == pytest.approx(0.25)
    assert (row.episodes, row.fields_mean, row.fields_in_region) == (4, 25, 4)
    assert row.fields_mean_se == pytest.approx(math.sqrt(500 / 3) / 2)
    assert row.fields_p90 == pytest.approx(37)
    assert row.bias == pytest.approx(0)
    assert row.rmse == pytest.approx(math.sqrt((2 * 0.02**2 + 2 * 0.01**2) / 4))
    assert (row.coverage, row.coverage_se) == (0.5, 0.25)
    assert row.coverage_low < 0.5 < row.coverage_high
    assert row.fewer_fields == pytest.approx(2)
    assert row.less_beam_time == pytest.approx(2)
    assert row.oracle_share == pytest.approx(15 / 25)
    assert row.regret_fields == pytest.approx(10)  # 0, 10, 10, 20
    assert row.regret_fields_se == pytest.approx(math.sqrt(200 / 3) / 2)
    assert (rows["uniform"].fewer_fields, rows["oracle"].regret_fields) == (1, 0)


def test_without_an_oracle_nothing_is_said_of_it(make_scored):
    row = rows_of(make_scored, {"uniform": (5, 6), "active": (3, 4)}, {})["active"]
    assert (row.oracle_share, row.regret_fields, row.regret_fields_se) == (None, None, None)


def test_a_relative_target_is_scored_at_its_width_on_the_truth(make_scored):
    row = rows_of(make_scored, {"uniform": (5, 6)}, {}, half_width=None, relative=0.2)["uniform"]
    assert row.half_width == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("low", "high", "held"),
    [
        (0.2, 0.3, True),
        (0.25, 0.25, True),
        (0.26, 0.3, False),
        (None, None, False),
        (0.25 + 1e-15, 0.3, True),
    ],
)
def test_covers(low, high, held):
    assert covers(low, high, 0.25) is held


def test_clopper_pearson_against_its_definition():
    low, high = clopper_pearson(9, 10, 0.95)
    assert (low, high) == (pytest.approx(0.5550, abs=1e-4), pytest.approx(0.9975, abs=1e-4))
    assert clopper_pearson(0, 20, 0.95) == (0.0, pytest.approx(1 - 0.025 ** (1 / 20)))
    assert clopper_pearson(20, 20, 0.95) == (pytest.approx(0.025 ** (1 / 20)), 1.0)


@given(fields=st.floats(10, 900), half_width=st.floats(0.001, 0.1), spread=st.floats(0.01, 0.5))
def test_fields_by_error_gives_back_the_size_whose_error_it_was(fields, half_width, spread):
    n_fields, z = 1000, 1.959963984540054
    rmse = spread * math.sqrt(1 / fields - 1 / n_fields)
    wanted = fields_by_error(rmse, fields, n_fields, half_width, 0.95)
    assert z * spread * math.sqrt(1 / wanted - 1 / n_fields) == pytest.approx(half_width, rel=1e-6)


def test_fields_by_error_at_its_ends():
    assert fields_by_error(0.0, 1000.0, 1000, 0.01, 0.95) == 1000
    assert fields_by_error(0.0, 100.0, 1000, 0.01, 0.95) == 1


def test_the_summary_judges_gains_where_the_baseline_needs_many_fields(make_scored):
    rows = []
    for specimen, uniform, active in (("small", (90, 110), (50, 50)), ("large", (700, 900), (100, 100))):
        rows += score(
            [
                make_scored(specimen=specimen, policy="uniform", fields=uniform),
                make_scored(specimen=specimen, policy="active", fields=active),
            ],
            "uniform",
        )
    line = {s.policy: s for s in summarise(rows)}["active"]
    assert line.fewer_fields == pytest.approx(math.sqrt(2 * 8))
    assert (line.large_rows, line.rows) == (1, 2)
    assert line.fewer_fields_large == pytest.approx(8)
    assert line.oracle_share is None
