"""Expert labels on a probability sample: exactly unbiased over everything that can happen."""

from itertools import permutations, product

import numpy as np
import pytest

from autoscope.core import EstimationError
from autoscope.estimation import (
    combine,
    corrected_pseudo_values,
    draw_weights,
    expert_corrected,
    pseudo_value,
)

A = np.array([0.2, 0.5, 0.3])
MODEL = np.array([0.1, 0.8, 0.4])
EXPERT = np.array([0.3, 0.5, 0.35])
THETA = float(A @ EXPERT)


def chances(remaining, labels):
    """Fields are chosen by what the experts said so far: allowed, for it is the past."""
    raw = np.array([1.0 + i + 5 * sum(labels) * (i % 2) for i in remaining])
    return raw / raw.sum()


def label_chance(field, labels):
    return 0.3 + 0.2 * field * MODEL[field] + 0.1 * len(labels)


def worlds(n):
    """Every order of n draws and every set of labels, with its probability and its columns."""
    for order, tossed in product(permutations(range(3), n), product([True, False], repeat=n)):
        probability, labels, columns = 1.0, [], []
        for t, (field, labelled) in enumerate(zip(order, tossed, strict=True)):
            remaining = [i for i in range(3) if i not in order[:t]]
            q = float(chances(remaining, labels)[remaining.index(field)])
            phi = label_chance(field, labels)
            f = 0.2 + 0.1 * np.arange(3) + 0.05 * len(labels)
            before = float(A[list(order[:t])] @ MODEL[list(order[:t])])
            z = pseudo_value(before, float(A[remaining] @ f[remaining]), A[field], MODEL[field], f[field], q)
            columns.append((z, A[field], q, MODEL[field], EXPERT[field] if labelled else np.nan, phi))
            probability *= q * (phi if labelled else 1 - phi)
            if labelled:
                labels.append(EXPERT[field])
        yield probability, np.array(columns).T


@pytest.mark.parametrize("n", [1, 2, 3])
def test_unbiased_for_what_experts_would_find(n):
    total, each = 0.0, np.zeros(n)
    for probability, columns in worlds(n):
        total += probability
        each += probability * corrected_pseudo_values(*columns)
    assert total == pytest.approx(1)
    np.testing.assert_allclose(each, THETA, rtol=1e-12)


def test_the_estimate_is_unbiased_and_without_correction_it_is_not():
    weights = draw_weights([3, 2])
    corrected = uncorrected = 0.0
    for probability, columns in worlds(2):
        z, *rest = columns
        corrected += probability * expert_corrected(z, weights, *rest).estimate
        uncorrected += probability * combine(z, weights).estimate
    assert corrected == pytest.approx(THETA, rel=1e-12)
    assert uncorrected == pytest.approx(float(A @ MODEL), rel=1e-12)
    assert abs(uncorrected - THETA) > 0.05


def test_by_hand():
    # labelled in the first draw: 0.1 * (0.6 - 0.5) / 0.5 = 0.02, over q = 0.25 in its own draw
    z = corrected_pseudo_values([0.4, 0.5], [0.1, 0.2], [0.25, 0.5], [0.5, 0.7], [0.6, np.nan], [0.5, 0.5])
    np.testing.assert_allclose(z, [0.4 + 0.02 / 0.25, 0.5 + 0.02])


def test_an_expert_who_agrees_changes_nothing():
    y = [0.2, 0.7, 0.1]
    z = corrected_pseudo_values([0.1, 0.2, 0.3], [0.1] * 3, [0.5] * 3, y, y, [0.2] * 3)
    np.testing.assert_array_equal(z, [0.1, 0.2, 0.3])


@pytest.mark.parametrize(("q", "phi", "message"), [(0.5, 0.0, "label propensity 0"), (1.2, 0.5, "1.2")])
def test_chances_that_are_none(q, phi, message):
    with pytest.raises(EstimationError, match=f"draw 1 has .*{message}"):
        corrected_pseudo_values([0.1], [0.1], [q], [0.2], [np.nan], [phi])


def test_arrays_of_different_lengths():
    with pytest.raises(EstimationError, match="one entry for each draw"):
        corrected_pseudo_values([0.1, 0.2], [0.1], [0.5], [0.2], [np.nan], [0.5])
