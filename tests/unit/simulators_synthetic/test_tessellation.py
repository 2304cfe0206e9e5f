import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from autoscope.core import component_rng
from autoscope_simulators.synthetic.canvas import Canvas, Window
from autoscope_simulators.synthetic.tessellation import Discs, Tessellation, packed_discs


def power(discs: Discs, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    distance = (x[..., None] - discs.x_px) ** 2 + (y[..., None] - discs.y_px) ** 2
    return np.asarray(distance - discs.radius_px**2)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(1, 60),
    spread=st.floats(0.0, 1.2),
    bend=st.floats(0.0, 6.0),
    row=st.integers(-10, 10),
)
def test_every_pixel_belongs_to_the_disc_of_least_power(
    seed: int, count: int, spread: float, bend: float, row: int
) -> None:
    rng = np.random.default_rng(seed)
    discs = Discs(
        rng.uniform(-50, 130, count),
        rng.uniform(-50, 130, count),
        8 * np.exp(spread * rng.normal(size=count)),
    )
    window = Window(row * 16, -16, 64, 80)
    shift = tuple(rng.normal(0, bend, (64, 80)).astype(np.float32) for _ in "xy")
    labels = Tessellation(discs).labels(window, (shift[0], shift[1]))
    y, x = np.meshgrid(window.rows, window.columns, indexing="ij")
    powers = power(discs, (x + shift[0]).astype(float), (y + shift[1]).astype(float))
    chosen = np.take_along_axis(powers, labels[..., None].astype(np.intp), axis=-1)[..., 0]
    np.testing.assert_allclose(chosen, powers.min(axis=-1), atol=0.05)


def test_owner_agrees_with_the_labels() -> None:
    canvas = Canvas(128, 128, 100.0)
    tessellation = Tessellation(packed_discs(component_rng(0, "t"), canvas, 15.0, 0.4))
    labels = tessellation.labels(Window(0, 0, 128, 128))
    y, x = np.mgrid[:128, :128].reshape(2, -1).astype(float)
    assert (tessellation.owner(x, y) == labels.ravel()).mean() > 0.999


def test_packed_discs_have_the_cell_size_and_spread_asked_for() -> None:
    canvas = Canvas(1024, 1024, 100.0)
    discs = packed_discs(component_rng(1, "t"), canvas, 30.0, 0.3)
    labels = Tessellation(discs).labels(Window(0, 0, 1024, 1024))
    inside = np.unique(labels[64:-64, 64:-64])
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    area = np.bincount(labels.ravel())[np.setdiff1d(inside, border)]
    assert math.sqrt(4 * area.mean() / math.pi) == pytest.approx(30.0, rel=0.06)
    assert np.log(area).std() / 2 == pytest.approx(0.3, abs=0.08)
    # packing: far less overlap than of discs thrown at random, which overlap with about every neighbour
    gap = np.hypot(discs.x_px[:, None] - discs.x_px, discs.y_px[:, None] - discs.y_px)
    overlap = np.triu(discs.radius_px[:, None] + discs.radius_px - gap, 1)
    assert (overlap > 0.3 * discs.radius_px.mean()).sum() < 0.25 * len(discs)
