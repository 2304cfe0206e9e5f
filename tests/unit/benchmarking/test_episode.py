from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autoscope.app.benchmarking.config import PolicyEntry
from autoscope.app.benchmarking.episode import Cell, run_episodes
from autoscope.app.benchmarking.table import load_table, save_table
from autoscope.core import AutoscopeError, RecordError

SIDE = 16


@pytest.fixture
def cell(tmp_path, make_table, make_entry):
    rng = np.random.default_rng(0)
    values = rng.beta(2, 6, SIDE**2)
    features = np.column_stack([values + 0.02 * rng.standard_normal(SIDE**2), rng.standard_normal(SIDE**2)])
    path = tmp_path / "table.npz"
    save_table(make_table(values, side=SIDE, features=features), path)
    policy = PolicyEntry(name="uniform", kind="uniform")
    return Cell("k", "steel", make_entry(half_width=0.02), 0, path, policy, "standard", 0.2, 7)


def test_a_table_is_read_back_the_same(cell, tmp_path):
    table = load_table(cell.table)
    again = tmp_path / "again.npz"
    save_table(table, again)
    read = load_table(again)
    np.testing.assert_array_equal(read.values, table.values)
    assert len(read.groups) == 3
    for mine, its in zip(read.groups, table.groups, strict=True):
        np.testing.assert_array_equal(mine, its)
    np.testing.assert_array_equal(read.grid.weight, table.grid.weight)
    assert (read.costs, read.grid.hfw_um, read.sha256) == (table.costs, 10.0, "ab" * 32)
    assert table.truth == pytest.approx(table.values.mean())


@pytest.mark.parametrize("content", [b"", b"no table", b"PK\x03\x04"])
def test_a_damaged_table_is_named(tmp_path, content):
    path = tmp_path / "table.npz"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"table\.npz is not a table"):
        load_table(path)


def test_the_same_number_gives_the_same_episode_in_any_order(cell):
    first = run_episodes(cell, (3, 4))
    assert run_episodes(cell, (4, 3)) == first[::-1]
    assert first[0].answers != first[1].answers
    assert all(e.answers[0].met for e in first)


def test_beam_time_is_overview_travel_frames_and_focus(cell):
    (episode,) = run_episodes(cell, (0,))
    costs = load_table(cell.table).costs
    least = costs.overview_s + episode.fields * (costs.visit_s + costs.timing.stage_settle_s)
    assert least < episode.beam_time_s < least + episode.fields * float(costs.timing.travel_s(230.0))
    assert costs.beam_time_s(100.0) == 130.0
    assert costs.beam_time_s(570.0) == 612.0  # the clock passes 600 s: one autofocus
    assert replace(costs, overview_s=650.0).beam_time_s(100.0) == 750.0


def test_common_random_numbers_between_policies_that_agree(cell):
    # with all predictions alike, proportional draws as uniform does: the same fields, the same answer
    flat = PolicyEntry(name="flat", kind="proportional", predictor="none")
    plain = PolicyEntry(name="plain", kind="uniform", predictor="none")
    assert run_episodes(replace(cell, policy=flat), (0, 1)) == run_episodes(
        replace(cell, policy=plain), (0, 1)
    )


def test_what_a_predictor_reads_matters(cell):
    def fields(predictor):
        policy = PolicyEntry(name="p", kind="uniform", predictor=predictor)
        return np.mean([e.fields for e in run_episodes(replace(cell, policy=policy), tuple(range(6)))])

    assert fields("trained") < 0.7 * fields("none")
    assert fields("junk") > 0.8 * fields("none")


def test_a_failed_episode_is_named(cell):
    bad = replace(cell, exploration=0.0)
    with pytest.raises(AutoscopeError, match=r"specimen steel, policy uniform, tier standard, episode 5:"):
        run_episodes(bad, (5,))


def test_a_table_that_is_gone_is_named(cell):
    with pytest.raises(RecordError, match=r"gone\.npz"):
        run_episodes(replace(cell, table=Path("gone.npz")), (0,))
