"""What the trigger learns and trades: fields and spectra that are done, seconds, a price."""

from __future__ import annotations

import numpy as np
import pytest

from autoscope.core import EstimationError
from autoscope.eds import ImageClasses, Looked, Trade, scarcity_price

NAMES = ("alumina", "MnS", "CaS", "unknown")
GROUPS = {"oxide": ("alumina",), "sulphide": ("MnS", "CaS")}


def test_image_classes_learn_what_they_are_made_of() -> None:
    image = ImageClasses(GROUPS, NAMES)
    before = image.prior({"oxide": 0.0, "sulphide": 1.0})
    assert before.sum() == pytest.approx(1.0)
    assert before[1] == before[2] > before[0] > 0
    for _ in range(30):
        image.learn({"oxide": 0.0, "sulphide": 1.0}, "CaS", 0.5)
    after = image.prior({"oxide": 0.0, "sulphide": 1.0})
    assert after[2] > 0.9
    np.testing.assert_allclose(
        image.prior({"oxide": 1.0, "sulphide": 0.0}),
        ImageClasses(GROUPS, NAMES).prior({"oxide": 1.0, "sulphide": 0.0}),
    )


def test_spectra_go_where_the_class_is_unsure_and_matters() -> None:
    trade = Trade(np.array([100.0]), 4.0, 2.0, 1.0, 0.05)
    sizes = np.array([[100.0, 100.0, 0.0, 200.0]])
    prior = np.array([[0.5, 0.999, 0.5, 0.5]])
    pi = trade.probabilities(sizes, prior, 1.0)
    # W s sqrt(C_f / (c A)) by hand: 100 sqrt(0.25) / 100 * sqrt(4 / 3) = 0.577
    np.testing.assert_allclose(pi, [0.57735, 0.05, 0.05, 1.0], atol=1e-5)
    cheap = Trade(np.array([100.0]), 4.0, 0.0, 1.0, 0.05)
    assert cheap.probabilities(sizes, prior, 1.0)[0] == pytest.approx(1.0)


def test_the_trade_learns_from_fields_and_spectra() -> None:
    trade = Trade(np.array([1.0]), 4.0, 2.0, 1.0, 0.05)
    for _ in range(200):
        trade.visited(1.0, np.array([10.0]), 8.0)
        trade.counted(3.0)
    assert trade.spectrum_s == pytest.approx(5.0, abs=0.1)
    assert trade.visit_s == pytest.approx((5 * 4 + 200 * 8) / 205)
    pi = trade.probabilities(np.array([[10.0]]), np.array([[0.5]]), 1.0)
    assert pi[0] == pytest.approx(
        0.5 * np.sqrt(trade.visit_s / trade.spectrum_s) * 10 / np.sqrt((5 + 200 * 100) / 205), rel=1e-6
    )


def test_a_price_makes_spectra_as_rare_as_a_longer_one_would() -> None:
    sizes, prior = np.array([[100.0, 100.0, 400.0]]), np.array([[0.5, 0.999, 0.5]])
    trade = Trade(np.array([100.0]), 4.0, 2.0, 1.0, 0.05)
    dear = trade.probabilities(sizes, prior, 1.0, price=4.0)
    slow = Trade(np.array([100.0]), 4.0, 11.0, 1.0, 0.05).probabilities(sizes, prior, 1.0)
    np.testing.assert_allclose(dear, slow)  # 4 x (2 + 1) s is 11 + 1 s
    np.testing.assert_allclose(dear, [0.5 * np.sqrt(4 / 12), 0.05, 1.0], atol=1e-12)  # by hand
    np.testing.assert_allclose(
        trade.probabilities(sizes, prior, 1.0), trade.probabilities(sizes, prior, 1.0, 1.0)
    )
    assert (trade.probabilities(sizes, prior, 1.0, price=1e9) == 0.05).all()  # never below the least


@pytest.mark.parametrize("price", [0.0, -1.0, float("inf"), float("nan")])
def test_impossible_prices_are_refused(price: float) -> None:
    trade = Trade(np.array([100.0]), 4.0, 2.0, 1.0, 0.05)
    with pytest.raises(EstimationError, match="the price of a spectrum is"):
        trade.probabilities(np.array([[1.0]]), np.array([[0.5]]), 1.0, price)


def test_live_time_becomes_dear_as_its_budget_runs_out() -> None:
    assert scarcity_price(1e6, None, 5.0) == 1.0
    # 100 s, of which the last 10 allow no further spectrum; from 50 s left on: (50 / left)^2
    spent_s = np.array([0.0, 40.0, 65.0, 80.0, 85.0, 90.0, 99.0])
    price = [scarcity_price(s, 100.0, 10.0) for s in spent_s.tolist()]
    np.testing.assert_allclose(price[:5], [1.0, 1.0, 4.0, 25.0, 100.0])
    assert np.isfinite(price).all() and price[5] == price[6] > 1e9


def test_a_session_that_spends_in_proportion_to_what_is_left_never_spends_it_all() -> None:
    """However many features there are: the sum of the probabilities, no floor, stays below the budget."""
    trade, spent_s = Trade(np.array([100.0]), 4.0, 0.0, 1.0, 1e-9), 0.0
    for _ in range(2000):
        price = scarcity_price(spent_s, 20.0, 2.0)
        spent_s += float(trade.probabilities(np.array([[100.0]]), np.array([[0.5]]), 1.0, price)[0])
    assert spent_s == pytest.approx(18.0, abs=0.1)  # 20 s but the 2 s in which no spectrum fits


def test_the_probability_is_the_one_at_which_variance_times_seconds_is_least() -> None:
    """One target; A is the variance of what the image alone leaves; checked against a grid."""
    rng = np.random.default_rng(0)
    number = rng.poisson(2.0, 4000)
    p, size, visit_s, spectrum_s = 0.4, 1.0, 9.0, 2.0
    by_image = size * p * number
    trade = Trade(np.array([1.0]), visit_s, 0.0, spectrum_s, 0.01)
    for value in by_image - by_image.mean():
        trade.visited(1.0, np.array([value]), visit_s)
    chosen = float(trade.probabilities(np.array([[size]]), np.array([[p]]), 1.0)[0])
    pi = np.linspace(0.02, 1.0, 491)
    variance = by_image.var() + size**2 * p * (1 - p) * number.mean() / pi
    best = pi[np.argmin(variance * (visit_s + spectrum_s * number.mean() * pi))]
    assert chosen == pytest.approx(best, abs=0.02)


def _unlooked(prior: np.ndarray) -> Looked:
    """Features of size 1 without spectra."""
    count, none = len(prior), np.zeros((1, len(prior)), bool)
    return Looked(np.ones((1, count)), prior[None], np.ones(count), none[0], none)


def test_features_at_the_bounds_are_part_of_what_visits_take_and_leave() -> None:
    """Some always get a spectrum, some hardly ever: variance times seconds is least at what comes out."""
    rng = np.random.default_rng(1)
    visit_s, spectrum_s, fields, least = 5.0, 2.0, 3000, 0.05
    p = rng.choice([0.4, 0.06, 1e-4], (fields, 3), p=[0.3, 0.4, 0.3])
    departure = rng.normal(0.0, 0.7, fields)
    trade = Trade(np.array([1.0]), visit_s, 0.0, spectrum_s, least)
    for row, away in zip(p, departure, strict=True):
        trade.visited(1.0, np.array([away]), visit_s, 1.0, _unlooked(row))
    chosen = trade.probabilities(np.ones((1, 3)), np.array([[0.4, 0.06, 1e-4]]), 1.0)
    assert chosen[0] == 1 and least < chosen[1] < 1 and chosen[2] == least
    unsure = (p * (1 - p)).ravel()

    def cost(scale: float) -> float:
        pi = np.clip(scale * np.sqrt(unsure), least, 1.0)
        variance = (departure**2).mean() + (unsure / pi).sum() / fields
        return float(variance * (visit_s + spectrum_s * pi.sum() / fields))

    best = min(cost(scale) for scale in np.geomspace(0.1, 20, 200).tolist())
    assert cost(float(chosen[1] / np.sqrt(0.06 * 0.94))) == pytest.approx(best, rel=2e-3)


def test_a_finite_population_does_not_change_what_is_best() -> None:
    """Seconds to a wanted variance from a brute-force search over n and pi, with and without replacement."""
    between, unsure, visit_s, spectrum_s = 0.6, 0.5, 5.0, 6.0
    pi = np.linspace(0.05, 1.0, 951)
    best = []
    for population in (1e9, 400.0, 150.0):
        wanted = 0.005 if population > 1e6 else 0.005 - (between + unsure) / 1000
        fields = (between + unsure / pi) / (wanted + (between + unsure) / population)
        seconds = np.where(fields <= population, fields * (visit_s + spectrum_s * pi), np.inf)
        best.append(float(pi[np.argmin(seconds)]))
    by_hand = np.sqrt(unsure * visit_s / (spectrum_s * between))
    np.testing.assert_allclose(best[:2], by_hand, atol=1e-3)
    trade = Trade(np.array([np.sqrt(between)]), visit_s, 0.0, spectrum_s, 0.05)
    size, p = np.array([[np.sqrt(2.0)]]), np.array([[0.5]])  # size² p (1 - p) = 0.5
    assert trade.probabilities(size, p, 1.0)[0] == pytest.approx(by_hand, abs=1e-3)


def test_what_a_visit_weighs_scales_the_chances_of_its_features() -> None:
    trade = Trade(np.array([10.0]), 4.0, 2.0, 1.0, 0.01)
    sizes, prior = np.array([[1.0, 2.0]]), np.array([[0.5, 0.5]])
    np.testing.assert_allclose(
        trade.probabilities(sizes, prior, 3.0), 3 * trade.probabilities(sizes, prior, 1.0)
    )
