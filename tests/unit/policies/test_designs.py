"""The designs on grids small enough to see what they must do."""

import numpy as np
import pytest

from autoscope.core import ConfigurationError, Prediction, Rectangle
from autoscope.survey import SurveyView, Target, lay_grid
from autoscope_policies import POLICIES, make_policy


def make_grid(n_columns, n_rows, **options):
    box = Rectangle(0, 0, 10.0 * n_columns, 10.0 * n_rows)
    return lay_grid(box, [box], 10.0, 10.0, **options)


def make_view(grid, *, drawn=(), value=None, at=(0.0, 0.0)):
    remaining = np.setdiff1d(np.arange(len(grid)), np.array(drawn, int))
    values = np.full((1, len(grid)), 0.2) if value is None else np.atleast_2d(value)
    cost_s = np.hypot(grid.x_um[remaining] - at[0], grid.y_um[remaining] - at[1]) / 100 + 2
    target = Target("area_fraction", "phase", 0.01, None, 0.95)
    prediction = Prediction(values, np.full(values.shape, 0.1))
    targets = (target,) * len(values)
    return SurveyView(grid, remaining, prediction, cost_s, len(drawn), targets, np.full(len(targets), np.inf))


def raster_order(grid, at):
    policy, drawn = make_policy("raster"), []
    while len(drawn) < len(grid):
        view = make_view(grid, drawn=drawn, at=at)
        proposal = policy.propose(view)
        assert sorted(proposal.probability)[-1] == 1 and proposal.probability.sum() == 1
        drawn.append(int(view.remaining[proposal.probability.argmax()]))
        at = (grid.x_um[drawn[-1]], grid.y_um[drawn[-1]])
    return drawn


@pytest.mark.parametrize(
    ("at", "order"),
    [
        ((0, 0), [0, 1, 2, 5, 4, 3, 6, 7, 8]),
        ((30, 0), [2, 1, 0, 3, 4, 5, 8, 7, 6]),
        ((0, 30), [6, 7, 8, 5, 4, 3, 0, 1, 2]),
        ((30, 30), [8, 7, 6, 3, 4, 5, 2, 1, 0]),
    ],
)
def test_raster_winds_from_the_nearest_corner(at, order):
    assert raster_order(make_grid(3, 3), at) == order


def test_raster_on_a_region_with_holes_visits_everything_once():
    grid = make_grid(6, 5, valid_fraction=lambda box: float((box.x0_um + box.y0_um) % 40 != 0))
    assert sorted(raster_order(grid, (60.0, 50.0))) == list(range(len(grid)))


def test_uniform():
    proposal = make_policy("uniform").propose(make_view(make_grid(4, 2), drawn=[0, 5]))
    np.testing.assert_allclose(proposal.probability, np.full(6, 1 / 6))


def test_proportional_to_weight_and_prediction():
    grid = make_grid(4, 1, valid_fraction=lambda box: 0.5 if box.x0_um == 0 else 1.0)
    proposal = make_policy("proportional").propose(make_view(grid, value=[0.4, 0.1, 0.3, 0.0]))
    np.testing.assert_allclose(proposal.probability, np.array([0.2, 0.1, 0.3, 0.0]) / 0.6)


def test_proportional_gives_every_target_the_same_say():
    grid = make_grid(2, 1)
    common, rare = np.array([0.6, 0.2]), np.array([0.001, 0.003])
    proposal = make_policy("proportional").propose(make_view(grid, value=np.stack([common, rare])))
    np.testing.assert_allclose(proposal.probability, [0.5, 0.5])


@pytest.mark.parametrize("value", [np.full(6, 0.3), np.zeros(6)])
def test_proportional_is_uniform_while_nothing_is_known(value):
    proposal = make_policy("proportional").propose(make_view(make_grid(6, 1), value=value))
    np.testing.assert_allclose(proposal.probability, np.full(6, 1 / 6))
    assert "does not distinguish" in proposal.reason


def test_systematic_grids_are_lattices_that_partition_the_fields():
    grid = make_grid(30, 30)
    view = make_view(grid)
    proposal = make_policy("systematic").propose(view)
    np.testing.assert_array_equal(np.sort(np.concatenate(proposal.groups)), view.remaining)
    sizes = [len(group) for group in proposal.groups]
    assert len(sizes) == 81
    assert min(sizes) >= 9 and max(sizes) <= 16
    np.testing.assert_allclose(proposal.probability, 1 / 81)
    assert proposal.inclusion == 1 / 81
    for group in proposal.groups:
        assert len(np.unique(grid.row[group] % 9)) == len(np.unique(grid.column[group] % 9)) == 1


def test_systematic_stays_with_its_lattice_and_its_inclusion_probability():
    grid = make_grid(30, 30)
    first = make_policy("systematic").propose(make_view(grid))
    drawn = first.groups[7]
    second = make_policy("systematic").propose(make_view(grid, drawn=drawn))
    assert len(second.groups) == 80 and second.inclusion == 1 / 81
    as_sets = {tuple(sorted(group)) for group in first.groups} - {tuple(sorted(drawn))}
    assert {tuple(sorted(group)) for group in second.groups} == as_sets


def test_systematic_paths_wind():
    proposal = make_policy("systematic", fields_per_grid=16).propose(make_view(make_grid(12, 12)))
    grid = make_grid(12, 12)
    path = proposal.groups[0]
    steps = np.hypot(np.diff(grid.x_um[path]), np.diff(grid.y_um[path]))
    assert steps.max() == steps.min() == 30.0


@pytest.mark.parametrize(("n_fields", "step"), [(1, 3), (20, 3), (90, 3), (1000, 10), (4096, 20)])
def test_systematic_keeps_at_least_eight_starts(n_fields, step):
    assert make_policy("systematic").step(n_fields) == step


@pytest.mark.parametrize("kind", POLICIES)
def test_policies_depend_on_the_view_alone(kind):
    grid = make_grid(9, 7)
    value = np.linspace(0, 1, 63)
    policy = make_policy(kind)
    view = make_view(grid, drawn=[0, 1, 2], value=value, at=(25, 5))
    first = policy.propose(view)
    policy.propose(make_view(make_grid(3, 3)))
    again = policy.propose(view)
    np.testing.assert_array_equal(first.probability, again.probability)
    assert first.probability.sum() == pytest.approx(1)
    assert policy.name == kind


def test_hashes_tell_policies_and_parameters_apart():
    made = [*map(make_policy, POLICIES), make_policy("systematic", fields_per_grid=20)]
    assert len({policy.sha256 for policy in made}) == len(made)
    assert make_policy("uniform").sha256 == make_policy("uniform").sha256


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("unifrom", {}, "did you mean 'uniform'"),
        ("learned", {}, "'learned' needs policy.weights"),
        ("systematic", {"field_per_grid": 3}, "did you mean 'fields_per_grid'"),
        ("systematic", {"fields_per_grid": 0}, "policy.options.fields_per_grid = 0 must be 1 or more"),
    ],
)
def test_what_cannot_be_made(kind, options, message):
    with pytest.raises(ConfigurationError, match=message):
        make_policy(kind, **options)
