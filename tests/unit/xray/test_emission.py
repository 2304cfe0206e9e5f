"""Spectra of bulk materials against the books: lines, resolution, ratios, ranges."""

from __future__ import annotations

import numpy as np
import pytest

from autoscope.core import ConfigurationError
from autoscope.xray import (
    Detector,
    EnergyAxis,
    Geometry,
    absorption,
    compound,
    continuum,
    electron_range_um,
    expected_rate,
    lines_of,
    main_family,
)

AXIS = EnergyAxis()


def window(rate: np.ndarray, low_ev: float, high_ev: float) -> float:
    energies = AXIS.energies_ev
    return float(rate[(energies >= low_ev) & (energies < high_ev)].sum())


@pytest.mark.parametrize(
    ("element", "family", "ev"),
    [("Al", "K", 1486.7), ("S", "K", 2307.9), ("Ca", "K", 3691.7), ("Mn", "K", 5898.8), ("Zr", "L", 2042.4)],
)
def test_the_strongest_line_is_where_the_tables_have_it(element: str, family: str, ev: float) -> None:
    strongest = max(lines_of(element, family), key=lambda line: line.weight)
    assert strongest.energy_ev == pytest.approx(ev, abs=3)
    assert sum(line.weight for line in lines_of(element, family)) == pytest.approx(1)


def test_elements_are_measured_by_the_hardest_family_below_ten_kev() -> None:
    assert [main_family(e) for e in ("O", "Fe", "Zn", "Mo", "Pb")] == ["K", "K", "K", "L", "M"]


def test_iron_k_beta_is_a_seventh_of_the_family() -> None:
    beta = sum(line.weight for line in lines_of("Fe", "K") if line.energy_ev > 7000)
    assert beta == pytest.approx(0.12, abs=0.02)  # K-beta : K-alpha = 0.135 (Scofield 1974)


def test_the_resolution_is_that_of_a_good_silicon_drift_detector() -> None:
    detector = Detector()
    assert detector.fwhm_ev(5898.8) == pytest.approx(129.0)
    assert detector.fwhm_ev(1486.7) == pytest.approx(80, abs=5)
    peak = detector.peak(EnergyAxis(20480, 1.0), lines_of("Mn", "K")[:1])
    assert 129 <= np.count_nonzero(peak >= peak.max() / 2) <= 131


def test_better_than_silicon_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="silicon cannot do better than 117 eV"):
        Detector(fwhm_mn_ka_ev=100)


def test_the_peak_to_background_of_iron_is_that_of_an_sem() -> None:
    rate = expected_rate({"Fe": 1.0})
    per_channel = window(rate, 5700, 5800) / 10
    assert 400 < window(rate, 6200, 6600) / per_channel < 1600
    assert 3e3 < rate.sum() < 1e5  # counts per second and nA at 10 msr


def test_the_continuum_is_kramers_and_ends_at_the_beam_energy() -> None:
    axis, geometry = EnergyAxis(2048, 10.0), Geometry(kv=10.0)
    photons = continuum({"Fe": 1.0}, axis, geometry)
    assert np.all(photons[axis.energies_ev >= 10_000] == 0)
    unabsorbed = photons / absorption({"Fe": 1.0}, np.maximum(axis.energies_ev, 200), None, geometry)
    assert unabsorbed[500] / unabsorbed[800] == pytest.approx((10 - 5) / 5 / ((10 - 8) / 8))


def test_absorption_has_edges() -> None:
    below, above = absorption({"Fe": 1.0}, np.array([7100.0, 7120.0]), None, Geometry())
    assert above < 0.9 * below


def test_soft_photons_are_absorbed_more_than_hard_ones_and_more_at_a_low_take_off() -> None:
    energies = np.array([525.0, 1487.0, 6404.0])
    low, high = (absorption({"Fe": 1.0}, energies, None, Geometry(take_off_deg=a)) for a in (20, 60))
    assert np.all((low > 0) & (low < high) & (high < 1))
    assert high[1] < high[2]


def test_the_window_lets_hard_photons_in_and_soft_ones_hardly() -> None:
    carbon, oxygen, iron = Detector().efficiency(np.array([277.0, 525.0, 6400.0]))
    assert 0.1 < carbon < oxygen < iron < 1
    assert Detector().efficiency(np.array([50.0]))[0] == 0


def test_a_compound_by_weight() -> None:
    alumina = compound({"Al": 2, "O": 3})
    assert alumina["Al"] == pytest.approx(0.5293, abs=3e-4)


def test_kanaya_and_okayama() -> None:
    assert electron_range_um({"Fe": 1.0}, 7.87, 20) == pytest.approx(1.61, abs=0.01)
    assert electron_range_um({"Al": 1.0}, 2.70, 20) == pytest.approx(4.19, abs=0.02)


@pytest.mark.parametrize("fractions", [{"Fe": 0.5}, {"Fe": 1.5, "C": -0.5}, {"Fe": float("nan")}, {}])
def test_fractions_that_are_none_are_refused(fractions: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="sum to 1"):
        expected_rate(fractions)


def test_an_unknown_element_is_named() -> None:
    with pytest.raises(ConfigurationError, match="'Xx' is no chemical element"):
        expected_rate({"Xx": 1.0})


def test_a_wrong_calibration_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="ev_per_channel = 0 eV"):
        EnergyAxis(1024, 0.0)
