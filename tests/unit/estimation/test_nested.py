"""Nested magnification: unbiased with replacement, biased without, both seen exactly with three fields."""

from itertools import permutations, product

import numpy as np
import pytest

from autoscope.core import EstimationError
from autoscope.estimation import allocation, nested_value, pseudo_value, tiles_per_visit

A = np.array([0.5, 0.3, 0.2])
TILES = np.array([[0.2, 0.4], [0.9, 0.5], [0.0, 0.3]])  # reference values of two tiles of each field
REFERENCE = TILES.mean(axis=1)
MIDDLE_TILES = TILES + np.array([[0.1, 0.1], [-0.2, 0.05], [0.3, 0.1]])  # the middle magnification is wrong
MIDDLE = MIDDLE_TILES.mean(axis=1)
THETA = float(A @ REFERENCE)
PI = 0.4


def predicted(seen):
    return np.array([0.3, 0.6, 0.1]) + 0.1 * sum(seen)


def outcomes(field):
    """Coin and tile of a visit: (probability, differences of the tiles taken or None)."""
    yield 1 - PI, None
    for tile in range(2):
        yield PI / 2, TILES[field, tile : tile + 1] - MIDDLE_TILES[field, tile : tile + 1]


def test_unbiased_with_replacement_whatever_the_past():
    expectation = np.zeros(2)
    for first, second in product(range(3), repeat=2):
        f, q = predicted([]), np.array([0.5, 0.2, 0.3])
        for p1, tiles1 in outcomes(first):
            z1 = nested_value(
                float(A @ f), A[first], q[first], f[first], MIDDLE[first],
                tile_differences=tiles1, tile_propensity=PI,
            )  # fmt: skip
            g, raw = predicted([MIDDLE[first]]), 1 + 3 * abs(z1) * np.arange(3)
            r = raw / raw.sum()
            for p2, tiles2 in outcomes(second):
                z2 = nested_value(
                    float(A @ g), A[second], r[second], g[second], MIDDLE[second],
                    tile_differences=tiles2, tile_propensity=PI,
                )  # fmt: skip
                expectation += q[first] * p1 * r[second] * p2 * np.array([z1, z2])
    np.testing.assert_allclose(expectation, THETA, rtol=1e-12)


def test_biased_without_replacement_as_soon_as_there_is_a_past():
    """The sum over fields already drawn holds their middle values, which no tile corrects."""
    f, expectation = predicted([]), np.zeros(2)
    for first, second in permutations(range(3), 2):
        rest = [i for i in range(3) if i != first]
        mean = REFERENCE - MIDDLE  # of the tile term, coin and tiles averaged over exactly
        z1 = pseudo_value(0.0, float(A @ f), A[first], MIDDLE[first] + mean[first], f[first], 1 / 3)
        z2 = pseudo_value(
            A[first] * MIDDLE[first], float(A[rest] @ f[rest]),
            A[second], MIDDLE[second] + mean[second], f[second], 1 / 2,
        )  # fmt: skip
        expectation += np.array([z1, z2]) / 6
    assert expectation[0] == pytest.approx(THETA, rel=1e-12)
    assert abs(expectation[1] - THETA) > 0.01


def test_by_hand():
    z = nested_value(0.3, 0.1, 0.2, 0.25, 0.35, tile_differences=[0.04, -0.02], tile_propensity=0.5)
    assert z == pytest.approx(0.3 + 0.5 * (0.1 + 0.01 / 0.5))


@pytest.mark.parametrize(
    ("q", "pi", "tiles", "message"),
    [(0.0, 0.5, None, "propensity 0"), (0.5, 1.5, None, "tile propensity 1.5"), (0.5, 0.5, [], "none came")],
)
def test_visits_that_say_nothing(q, pi, tiles, message):
    with pytest.raises(EstimationError, match=message):
        nested_value(0.3, 0.1, q, 0.2, 0.3, tile_differences=tiles, tile_propensity=pi)


def test_tiles_per_visit_is_the_best_number():
    visit, tile, within, between = 10.0, 1.0, 0.9, 0.1
    best = tiles_per_visit(visit, tile, within, between)
    assert best == pytest.approx(np.sqrt(90))
    m = np.linspace(1, 40, 3901)
    cost_of_precision = (between + within / m) * (visit + m * tile)
    assert abs(m[np.argmin(cost_of_precision)] - best) <= 0.01
    assert tiles_per_visit(1.0, 10.0, 0.1, 1.0) == 1.0
    assert tiles_per_visit(1.0, 1.0, 0.1, 0.0) == np.inf


def test_allocation_is_the_best_share():
    share = allocation([4.0, 1.0], [1.0, 4.0])
    np.testing.assert_allclose(share, [0.8, 0.2])
    costs, variances = np.array([1.0, 4.0]), np.array([4.0, 1.0])

    def price(s):
        n = np.array([s, 1 - s])
        return (variances / n).sum() * (costs * n).sum()

    assert price(0.8) < min(price(0.78), price(0.82))
