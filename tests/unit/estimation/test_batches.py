"""The variance of a batch, by enumeration of everything that could have been drawn."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autoscope.core import EstimationError
from autoscope.estimation import batch_variance

A = np.full(4, 0.25)
RESIDUAL = np.array([0.1, -0.3, 0.4, 0.05])
Q = np.array([0.1, 0.2, 0.4, 0.3])


@pytest.mark.parametrize("k", [2, 3])
def test_exactly_unbiased_for_draws_with_replacement(k):
    first = second = estimated = 0.0
    for drawn in product(range(4), repeat=k):
        i = list(drawn)
        probability = float(Q[i].prod())
        total = float((A[i] * RESIDUAL[i] / (k * Q[i])).sum())
        first, second = first + probability * total, second + probability * total**2
        estimated += probability * batch_variance(A[i], RESIDUAL[i], k * Q[i])
    assert first == pytest.approx(float(A @ RESIDUAL))
    assert estimated == pytest.approx(second - first**2)


@given(slope=st.floats(0.01, 2), noise=arrays(float, 20, elements=st.floats(-0.005, 0.005)))
def test_conservative_where_neighbours_on_the_path_are_alike(slope, noise):
    residual, a = slope * np.linspace(-1, 1, 20) + noise, np.full(20, 0.05)
    totals, estimated = [], []
    for start in range(5):  # every fifth field: inclusion 1/5
        i = np.arange(start, 20, 5)
        totals.append((a[i] * residual[i] * 5).sum())
        estimated.append(batch_variance(a[i], residual[i], np.full(4, 0.2)))
    assert np.mean(estimated) >= np.var(totals)


def test_one_field_says_nothing():
    with pytest.raises(EstimationError, match="one field alone"):
        batch_variance([0.1], [0.2], [0.5])
