"""Elements, net intensities and compositions of spectra whose composition is known."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscope.core import ConfigurationError, InstrumentError
from autoscope.eds import Identifier, calibrate, quantify
from autoscope.eds.fitting import fit
from autoscope.xray import Detector, EnergyAxis, compound, expected_rate

AXIS = EnergyAxis()
MATERIALS = (
    ({"Al": 2, "O": 3}, {"Al", "O"}),
    ({"Mn": 1, "S": 1}, {"Mn", "S"}),
    ({"Mn": 3, "Al": 2, "Si": 3, "O": 12}, {"Mn", "Al", "Si", "O"}),
    ({"Ca": 1, "S": 1}, {"Ca", "S"}),
    ({"Ti": 1, "N": 1}, {"Ti", "N"}),
    ({"Fe": 97, "Mn": 3}, {"Fe", "Mn"}),
    ({"Fe": 70, "Cr": 20, "Ni": 10}, {"Fe", "Cr", "Ni"}),
)


def spectrum(atoms: dict[str, float], live_s: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(expected_rate(compound(atoms), AXIS) * live_s)


@pytest.mark.parametrize(("atoms", "elements"), MATERIALS, ids=lambda v: "".join(sorted(v)))
def test_the_elements_are_found_and_no_strong_others(
    identifier: Identifier, atoms: dict[str, float], elements: set[str]
) -> None:
    found = identifier.identify(spectrum(atoms, 4.0))
    assert elements <= found.elements
    for signal in found.signals:
        if signal.element not in elements:
            assert signal.significance < 5, signal


def test_manganese_is_told_from_chromiums_k_beta(identifier: Identifier) -> None:
    """Cr K-beta (5947 eV) and Mn K-alpha (5899 eV) are one peak; K-alpha of Cr tells how much is whose."""
    signals = {s.element: s for s in identifier.identify(spectrum({"Fe": 80, "Cr": 20}, 20.0)).signals}
    assert signals["Cr"].counts > 10_000
    assert signals["Mn"].counts < 0.02 * signals["Cr"].counts


def test_net_counts_are_right_within_their_errors(identifier: Identifier) -> None:
    """Net counts of one element, beside what was put in: 60 spectra, of which most lie within two errors."""
    rate = expected_rate(compound({"Mn": 1, "S": 1}), AXIS)
    whole = {s.element: s for s in identifier.identify(rate * 1000).signals}
    rng, off = np.random.default_rng(4), []
    for _ in range(60):
        signals = {s.element: s for s in identifier.identify(rng.poisson(rate * 0.2)).signals}
        off.append((signals["S"].counts - whole["S"].counts * 2e-4) / signals["S"].standard_error)
    assert np.mean(np.abs(off) < 2) > 0.85
    assert abs(np.mean(off)) < 0.6


def test_elements_that_are_not_there_are_rarely_found(identifier: Identifier) -> None:
    rng, rate = np.random.default_rng(2), expected_rate({"Fe": 1.0}, AXIS)
    absent = ["Mg", "Al", "Si", "P", "S", "Cl", "K", "Ca", "Ti", "Cr", "Zn"]
    found = [identifier.identify(rng.poisson(rate * 0.1)).elements for _ in range(50)]
    assert np.mean([element in f for f in found for element in absent]) < 0.01


def test_an_empty_spectrum_shows_nothing(identifier: Identifier) -> None:
    found = identifier.identify(np.zeros(1024, np.int64))
    assert found.elements == frozenset()
    with pytest.raises(ConfigurationError, match="no element is present"):
        quantify(found.signals)


@pytest.mark.parametrize("atoms", [MATERIALS[0][0], MATERIALS[1][0], MATERIALS[2][0]])
def test_compositions_come_out_within_their_errors(identifier: Identifier, atoms: dict[str, float]) -> None:
    true = compound(atoms)
    results = quantify(identifier.identify(spectrum(atoms, 10.0)).signals)
    assert sum(q.mass_fraction for q in results) == pytest.approx(1)
    for q in results:
        assert abs(q.mass_fraction - true.get(q.element, 0.0)) < max(2 * q.standard_error, 0.01)


def test_the_background_runs_under_the_peaks(identifier: Identifier) -> None:
    counts = spectrum({"Fe": 1}, 20.0)
    found = identifier.identify(counts)
    assert 0 < found.background[640] < 0.05 * counts[640]
    assert found.expected[:15].sum() == 0
    assert found.expected.sum() == pytest.approx(counts[20:].sum(), rel=0.02)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (np.full(1024, -1), "channel 0 of the spectrum holds -1 counts"),
        (np.full(1024, np.nan), "not finite"),
        (np.zeros((2, 1024)), "one row of channels"),
        (np.zeros(0), "one row of channels"),
    ],
)
def test_what_is_no_spectrum_is_refused(identifier: Identifier, counts: np.ndarray, message: str) -> None:
    with pytest.raises(InstrumentError, match=message):
        identifier.identify(counts)


def test_a_saturated_channel_does_not_break_the_fit(identifier: Identifier) -> None:
    counts = spectrum({"Mn": 1, "S": 1}, 1.0)
    counts[500] = 10**7
    assert np.isfinite(identifier.identify(counts).expected).all()


def test_wrong_axes_are_refused(identifier: Identifier) -> None:
    with pytest.raises(ConfigurationError, match="a spectrum of 512 channels does not fit an axis of 1024"):
        identifier.identify(np.zeros(512))
    with pytest.raises(ConfigurationError, match="check the calibration"):
        Identifier(EnergyAxis(1024, 10.0, offset_ev=20_000.0))
    with pytest.raises(ConfigurationError, match="no line of Fe lies on the spectrum's axis"):
        Identifier(EnergyAxis(500, 10.0), ["Al", "Fe"])
    with pytest.raises(ConfigurationError, match="named twice"):
        Identifier(AXIS, ["Al", "Al"])


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), scale=st.floats(0.01, 1e4))
def test_the_fit_finds_what_was_put_in(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    shapes = rng.dirichlet(np.ones(50), 4).T
    amplitudes = scale * np.array([5.0, 0.0, 2.0, 9.0])
    fitted = fit(shapes @ amplitudes, shapes)
    np.testing.assert_allclose(fitted.amplitudes, amplitudes, atol=1e-3 * scale)


def test_one_shape_alone_gives_poisson_errors() -> None:
    shape = np.full((100, 1), 0.01)
    fitted = fit(np.full(100, 4.0), shape)
    assert fitted.amplitudes[0] == pytest.approx(400)
    assert fitted.standard_errors[0] == pytest.approx(20)


def test_a_shifted_axis_is_found() -> None:
    elements, truth = ["O", "Al", "Si", "Mn", "Fe"], EnergyAxis(1024, 10.05, 12.0)
    detector = Detector(fwhm_mn_ka_ev=133.0)
    rate = expected_rate(compound({"Mn": 3, "Al": 2, "Si": 3, "O": 12, "Fe": 2}), truth, detector)
    counts = np.random.default_rng(0).poisson(rate * 20)
    found = calibrate(counts, AXIS, elements)
    assert found.axis.energies_ev[174] == pytest.approx(truth.energies_ev[174], abs=2)
    assert found.axis.energies_ev[640] == pytest.approx(truth.energies_ev[640], abs=6)
    assert found.detector.fwhm_mn_ka_ev == pytest.approx(133, abs=3)


def test_too_few_counts_do_not_calibrate() -> None:
    with pytest.raises(InstrumentError, match="100 counts are too few to calibrate from"):
        calibrate(np.r_[100, np.zeros(1023)], AXIS, ["O", "Al", "Fe"])


@pytest.mark.slow
def test_a_spectrum_takes_milliseconds(identifier: Identifier) -> None:
    counts = spectrum({"Mn": 1, "S": 1}, 0.5)
    times = []
    for _ in range(40):
        began = time.perf_counter()
        identifier.identify(counts)
        times.append(time.perf_counter() - began)
    assert np.quantile(times, 0.25) < 0.02  # 4 ms on a quiet core
