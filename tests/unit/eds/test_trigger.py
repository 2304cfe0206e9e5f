"""The trigger and its estimator: unbiased by enumeration of every outcome; hand-computed values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscope.core import EstimationError
from autoscope.eds import TriggerCosts, trigger_probabilities, visit_value

COSTS = TriggerCosts(visit_s=4.0, spectrum_s=3.0, between_visit_variance=0.5)
CLASSES = 3
TYPES = ([0, 2], [], [1], [0, 0, 1], [2])
"""True classes of the features in each of N = 5 fields."""


def expectation(
    classifier: list[np.ndarray], triggers: list[np.ndarray], propensities: np.ndarray
) -> np.ndarray:
    """E[Z] over the draw of a field and every combination of spectra in it."""
    mean = np.zeros(CLASSES)
    for field, q in enumerate(propensities):
        types, pi = np.array(TYPES[field], np.int64), triggers[field]
        for taken in itertools.product([False, True], repeat=len(types)):
            chance = np.prod([p if t else 1 - p for p, t in zip(pi, taken, strict=True)])
            observed = np.where(np.array(taken, bool), types, -1)
            mean += q * chance * visit_value(classifier[field], pi, observed, len(TYPES), q)
    return mean


def truth() -> np.ndarray:
    return np.array([sum(t.count(k) for t in TYPES) for k in range(CLASSES)]) / len(TYPES)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), concentration=st.sampled_from([0.05, 1.0, 20.0]))
def test_the_census_is_unbiased_whatever_the_classifier_and_the_draws(
    seed: int, concentration: float
) -> None:
    rng = np.random.default_rng(seed)
    classifier = [rng.dirichlet(np.full(CLASSES, concentration), len(t)).reshape(-1, CLASSES) for t in TYPES]
    propensities = 0.2 / 5 + 0.8 * rng.dirichlet(np.ones(len(TYPES)))
    triggers = [
        trigger_probabilities(p, len(TYPES), float(q), COSTS)
        for p, q in zip(classifier, propensities, strict=True)
    ]
    np.testing.assert_allclose(expectation(classifier, triggers, propensities), truth(), atol=1e-12)


def test_a_classifier_that_is_always_wrong_and_sure_of_it_does_not_bias() -> None:
    wrong = [np.array([np.eye(CLASSES)[(k + 1) % CLASSES] for k in t]).reshape(-1, CLASSES) for t in TYPES]
    propensities = np.full(5, 0.2)
    triggers = [trigger_probabilities(p, 5, 0.2, COSTS) for p in wrong]
    assert all(np.all(pi == 0.05) for pi in triggers)  # it is sure, so spectra are rare, but never none
    np.testing.assert_allclose(expectation(wrong, triggers, propensities), truth(), atol=1e-12)


def test_a_threshold_instead_of_the_probability_would_bias() -> None:
    """What the minimum probability is there for: believing a sure classifier is wrong."""
    wrong = [np.array([np.eye(CLASSES)[(k + 1) % CLASSES] for k in t]).reshape(-1, CLASSES) for t in TYPES]
    believed = sum(p.sum(axis=0) for p in wrong) / 5
    assert np.abs(believed - truth()).max() > 0.1


def test_hand_computed_probability() -> None:
    # W = 1 / (10 x 0.2) = 0.5; s² = 2 x 0.5 x 0.5 = 0.5; sqrt(C/(cA)) = sqrt(4 / (3 x 0.5)) = 1.63299
    pi = trigger_probabilities(np.array([[0.5, 0.5]]), 10, 0.2, COSTS)
    assert pi[0] == pytest.approx(0.5 * np.sqrt(0.5) * np.sqrt(4 / 1.5))


def test_hand_computed_value() -> None:
    p = np.array([[0.7, 0.3], [0.4, 0.6]])
    value = visit_value(p, np.array([0.5, 0.1]), np.array([1, -1]), 4, 0.5)
    # first feature: 0.7 + 2 (0 - 0.7) = -0.7 and 0.3 + 2 (1 - 0.3) = 1.7; second as believed; over N q = 2
    np.testing.assert_allclose(value, [(-0.7 + 0.4) / 2, (1.7 + 0.6) / 2])


def test_doubtful_features_of_rarely_drawn_fields_get_spectra() -> None:
    p = np.array([[0.999, 0.001], [0.5, 0.5]])
    sure, doubtful = trigger_probabilities(p, 100, 0.05, COSTS)
    assert sure < doubtful
    assert trigger_probabilities(p, 100, 0.005, COSTS)[1] == 1.0


def test_a_class_of_no_interest_asks_for_no_spectrum() -> None:
    p = np.array([[0.5, 0.5, 0.0]])
    pi = trigger_probabilities(p, 10, 0.2, COSTS, np.array([0.0, 0.0, 1.0]))
    assert pi[0] == 0.05


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trigger": np.array([0.0])}, r"must lie in \(0, 1\]"),
        ({"trigger": np.array([0.5, 0.5])}, "1 features need as many"),
        ({"observed": np.array([2])}, "classes must be -1"),
        ({"probabilities": np.array([[0.7, 0.7]])}, "sum to 1 by row"),
        ({"propensity": 0.0}, "propensity 0 from 4 is impossible"),
        ({"fields": 0}, "from 0 is impossible"),
    ],
)
def test_impossible_numbers_are_refused(change: dict[str, object], message: str) -> None:
    good = {
        "probabilities": np.array([[0.7, 0.3]]), "trigger": np.array([0.5]), "observed": np.array([0]),
        "fields": 4, "propensity": 0.5,
    }  # fmt: skip
    with pytest.raises(EstimationError, match=message):
        visit_value(**{**good, **change})  # type: ignore[arg-type]


def test_costs_must_be_positive() -> None:
    with pytest.raises(EstimationError, match="spectrum_s = 0"):
        TriggerCosts(1.0, 0.0, 1.0)
