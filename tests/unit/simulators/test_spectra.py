"""Spectra from the simulated microscope: class spectra, stored maps, budget, time, and bad input."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from autoscope.core import BeamSettings, BudgetError, InstrumentError, SpecimenError, StagePosition
from autoscope.microscope import Budget
from autoscope.xray import EnergyAxis
from autoscope_simulators import (
    ClassSpectrum,
    Imperfections,
    SimulatedMicroscope,
    SpecimenData,
    SpecimenFile,
    SpectrumImage,
    write_specimen,
)

AXIS = EnergyAxis(64, 100.0, -200.0)


def flat(channel: int) -> ClassSpectrum:
    rate = np.zeros(64)
    rate[channel] = 4000.0
    return ClassSpectrum(rate, AXIS, kv=20.0, range_um=1.0, material=f"channel {channel}")


def classes_data() -> SpecimenData:
    """40 x 40 um of matrix with a disc of 6 um radius in its middle; 200 nm pixels."""
    rows, columns = (np.indices((200, 200)) + 0.5) * 0.2 - 20
    disc = (rows**2 + columns**2 < 36).astype(np.uint8)
    return SpecimenData(
        name="disc", pixel_nm=200.0, synthetic=True, source="a test", licence="CC0",
        detectors={"bse": 100 + 50 * disc}, classes=disc, class_names=("matrix", "oxide"),
        spectra={"matrix": flat(20), "oxide": flat(40)},
    )  # fmt: skip


def cube_data(live_s: float = 2.0, beam_current_pa: float | None = None) -> SpecimenData:
    counts = np.random.default_rng(3).integers(0, 9, (4, 5, 64), np.uint8)
    return SpecimenData(
        name="map", pixel_nm=1000.0, synthetic=False, source="a test", licence="CC0",
        detectors={"bse": np.full((4, 5), 7, np.uint8)},
        cube=SpectrumImage(counts, AXIS, 1000.0, live_s, 20.0, beam_current_pa),
    )  # fmt: skip


@pytest.fixture
def open_on(tmp_path: Path) -> Iterator[object]:
    opened: list[SimulatedMicroscope] = []

    def make(data: SpecimenData, budget: Budget | None = None, seed: int = 1) -> SimulatedMicroscope:
        path = tmp_path / f"{len(opened)}.h5"
        write_specimen(data, path)
        known = Imperfections.ideal()
        opened.append(SimulatedMicroscope(SpecimenFile(path), budget=budget, seed=seed, imperfections=known))
        return opened[-1]

    yield make
    for microscope in opened:
        microscope.close()


def test_the_beam_sees_what_it_stands_on(open_on) -> None:
    microscope = open_on(classes_data())
    microscope.move_to(StagePosition(20, 20))
    inside = microscope.acquire_spectrum(1.0)
    microscope.move_to(StagePosition(4, 4))
    outside = microscope.acquire_spectrum(1.0)
    assert inside.counts[40] == pytest.approx(2000, abs=250)  # 4000 per nA at 500 pA
    assert inside.counts[20] == 0
    assert outside.counts[20] == pytest.approx(2000, abs=250)
    assert (inside.ev_per_channel, inside.offset_ev) == (100.0, -200.0)


def test_at_the_border_the_matrix_shines_through(open_on) -> None:
    microscope = open_on(classes_data())
    microscope.move_to(StagePosition(25.5, 20))
    counts = microscope.acquire_spectrum(5.0).counts
    assert 0.2 < counts[40] / (counts[40] + counts[20]) < 0.95


def test_current_and_live_time_make_counts(open_on) -> None:
    microscope = open_on(classes_data())
    microscope.move_to(StagePosition(4, 4))
    microscope.set_beam(BeamSettings(kv=20.0, current_pa=2000.0))
    spectrum = microscope.acquire_spectrum(3.0)
    assert spectrum.counts.sum() == pytest.approx(24_000, abs=800)
    assert spectrum.real_s == pytest.approx(3.0 * np.exp(8000e-6))


def test_time_and_live_time_are_booked_and_predicted(open_on) -> None:
    microscope = open_on(classes_data(), budget=Budget(eds_live_s=1.5))
    predicted_s, began_s = microscope.predict_spectrum_s(1.0), microscope.clock.now_s()
    microscope.acquire_spectrum(1.0)
    assert microscope.clock.now_s() - began_s == pytest.approx(predicted_s)
    assert (microscope.spent.eds_live_s, microscope.spent.spectra) == (1.0, 1)
    with pytest.raises(BudgetError, match="eds_live_s"):
        microscope.acquire_spectrum(1.0)
    assert microscope.spent.spectra == 1


def test_the_seed_and_the_number_make_the_counts(open_on) -> None:
    def spectra(seed: int) -> list[np.ndarray]:
        microscope = open_on(classes_data(), seed=seed)
        return [microscope.acquire_spectrum(0.5).counts for _ in range(2)]

    first, second = spectra(1)
    np.testing.assert_array_equal(spectra(1)[1], second)
    assert not np.array_equal(first, second)
    assert not np.array_equal(spectra(2)[0], first)


def test_another_voltage_is_refused(open_on) -> None:
    microscope = open_on(classes_data())
    microscope.set_beam(BeamSettings(kv=15.0))
    with pytest.raises(InstrumentError, match="hold for 20 kV, the beam is at 15 kV"):
        microscope.acquire_spectrum(1.0)
    assert microscope.spent.spectra == 0


def test_a_class_without_a_spectrum_is_named(open_on) -> None:
    data = classes_data()
    microscope = open_on(replace(data, spectra={"matrix": data.spectra["matrix"]}))
    microscope.move_to(StagePosition(20, 20))
    with pytest.raises(InstrumentError, match="no spectrum of the class oxide"):
        microscope.acquire_spectrum(1.0)


def test_slices_of_a_stored_map_add_up_to_it(open_on) -> None:
    data = cube_data()
    microscope = open_on(data)
    microscope.move_to(StagePosition(2.5, 1.5))
    slices = [microscope.acquire_spectrum(0.5).counts for _ in range(4)]
    np.testing.assert_array_equal(sum(slices), data.cube.counts[1, 2])
    assert min(s.sum() for s in slices) > 0
    with pytest.raises(InstrumentError, match="holds 2 s of live time at a place for 500 pA; 2 s are used"):
        microscope.acquire_spectrum(0.5)
    microscope.move_to(StagePosition(3.5, 1.5))
    assert microscope.acquire_spectrum(2.0).counts.sum() == data.cube.counts[1, 3].sum()


def test_a_thinned_map_has_the_right_mean_and_spread(open_on) -> None:
    data = cube_data()
    stored = int(data.cube.counts[1, 2].sum())
    totals = []
    for seed in range(60):
        microscope = open_on(data, seed=seed)
        microscope.move_to(StagePosition(2.5, 1.5))
        totals.append(int(microscope.acquire_spectrum(0.5).counts.sum()))
    spread = np.sqrt(stored * 0.25 * 0.75)
    assert np.mean(totals) == pytest.approx(stored / 4, abs=4 * spread / np.sqrt(60))
    assert np.std(totals) == pytest.approx(spread, rel=0.35)


def test_a_map_taken_with_more_current_lasts_longer(open_on) -> None:
    microscope = open_on(cube_data(beam_current_pa=5000.0))
    assert microscope.acquire_spectrum(10.0).counts.sum() < 64 * 9
    with pytest.raises(InstrumentError, match="holds 20 s of live time"):
        microscope.acquire_spectrum(11.0)


def test_a_spectrum_needs_its_class_and_its_calibration(tmp_path: Path) -> None:
    data = classes_data()
    with pytest.raises(SpecimenError, match="the spectrum 'slag' belongs to none of the classes"):
        replace(data, spectra={"slag": flat(3)})
    with pytest.raises(SpecimenError, match="negative or not finite"):
        replace(data, spectra={"oxide": replace(flat(3), rate=np.full(64, -1.0))})
    path = tmp_path / "s.h5"
    write_specimen(data, path)
    with h5py.File(path, "a") as file:
        del file["/truth/spectra/oxide"].attrs["ev_per_channel"]
    with (
        SpecimenFile(path) as specimen,
        pytest.raises(SpecimenError, match="/truth/spectra/oxide lacks ev_per"),
    ):
        _ = specimen.class_spectra


def test_a_map_needs_unsigned_counts_and_a_time() -> None:
    cube = cube_data().cube
    with pytest.raises(SpecimenError, match="live_s = 0 s"):
        replace(cube_data(), cube=replace(cube, live_s=0.0))
    with pytest.raises(SpecimenError, match="float64, not height x width x channels"):
        replace(cube_data(), cube=replace(cube, counts=cube.counts.astype(float)))
