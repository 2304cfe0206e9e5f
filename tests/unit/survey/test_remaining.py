"""What is kept from draw to draw is what would be worked out anew."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscope.core import Prediction
from autoscope.survey import Design, Designed, TableSource, step
from autoscope.survey.allocation import best_shape
from autoscope.survey.remaining import APART, Left, RunningSums


@given(n=st.integers(1, 4 * APART), looks=st.sets(st.integers(0, 4 * APART)), seed=st.integers(0, 99))
def test_what_is_left_is_what_was_not_taken_whenever_it_is_looked_at(n, looks, seed):
    rng, left, seen = np.random.default_rng(seed), Left(np.arange(n)), []
    order = rng.permutation(n).tolist()
    for taken in range(n):
        expected = np.array(sorted(order[taken:]))
        places = rng.permutation(n - taken)[:5]
        assert len(left) == n - taken
        np.testing.assert_array_equal(left.at(places), expected[places])
        if taken in looks:
            np.testing.assert_array_equal(left.fields, expected)
        seen.append((left, expected))
        left = left.without(order[taken])
    assert len(left) == 0
    assert all(np.array_equal(before.fields, expected) for before, expected in seen)  # as it was


@given(n=st.integers(1, 50), taken=st.integers(0, 49), seed=st.integers(0, 99))
def test_running_sums_are_the_sums_over_what_remains(n, taken, seed):
    rng = np.random.default_rng(seed)
    weight = rng.dirichlet(np.full(n, 2.0))
    prediction = Prediction(rng.random((2, n)), rng.uniform(0.01, 1, (2, n)))
    order = rng.permutation(n)
    gone, left = order[: min(taken, n - 1)], np.sort(order[min(taken, n - 1) :])
    sums = RunningSums(weight, prediction, np.arange(n))
    for field in gone.tolist():
        sums.take(field)
    a = weight[left]
    np.testing.assert_allclose(sums.rest, prediction.value[:, left] @ a, atol=1e-12)
    np.testing.assert_allclose(sums.squares, prediction.spread[:, left] ** 2 @ a**2, atol=1e-12)
    assert sums.largest_weight == a.max()


def test_sums_of_which_little_is_left_are_worn():
    spread = np.array([[1.0, 1.0, 1e-9]])
    sums = RunningSums(np.full(3, 1 / 3), Prediction(np.zeros((1, 3)), spread), np.arange(3))
    sums.take(0)
    assert not sums.worn
    sums.take(1)
    assert sums.worn


@pytest.mark.parametrize("batch", [1, 4])
def test_views_and_choices_of_shapes_do_not_depend_on_what_was_kept(build, batch):
    """Every view of a survey against one that has to work everything out anew."""
    rng, grid, seen = np.random.default_rng(0), build.grid(20, 20), []
    prediction = Prediction(rng.random((1, 400)), rng.uniform(0.05, 0.3, (1, 400)))

    class Fixed:
        def predict(self):
            return prediction

        def update(self, field, value):
            """Learns nothing."""

    def controller(view):
        seen.append((view, best_shape(view, 30) if len(view.past) > 30 else None))
        return Design(batch=batch)

    survey = build.survey(
        grid, Designed("designed", "", controller), predictor=Fixed(), targets=(build.target(1e-9),)
    )
    source, pending, drawn = TableSource(rng.random(400)), None, []
    for _ in range(80):
        before = len(seen)
        pending = step(survey, source, pending)
        if len(seen) > before:
            view, kept = seen[-1]
            assert view.remaining.tolist() == np.setdiff1d(np.arange(400), drawn).tolist()
            if kept is not None:
                anew = best_shape(replace(view, kept={}), 30)
                assert (anew.shape.name, anew.level) == (kept.shape.name, kept.level)
                np.testing.assert_array_equal(anew.shape.size, kept.shape.size)
        drawn.append(pending.field)
    assert sum(kept is not None for _, kept in seen) > 5


@given(columns=st.integers(1, 9), rows=st.integers(1, 9), seed=st.integers(0, 99))
def test_the_path_through_some_fields_is_the_path_through_all_less_the_others(columns, rows, seed):
    from autoscope.core import Rectangle
    from autoscope.survey import lay_grid

    box = Rectangle(0, 0, 10.0 * columns, 10.0 * rows)
    grid, rng = lay_grid(box, [box], 10.0, 10.0), np.random.default_rng(seed)
    fields = np.flatnonzero(rng.random(len(grid)) < 0.6)
    wanted = [field for field in grid.path.tolist() if field in set(fields.tolist())]
    assert fields[grid.path_through(fields)].tolist() == wanted
