"""Values against numbers worked out by hand."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscope.core import ELECTRONS_PER_PA_US, Estimate, ImagingSettings, StagePosition


def test_a_picoampere_for_a_microsecond() -> None:
    assert pytest.approx(1e-12 * 1e-6 / 1.602176634e-19, rel=1e-9) == ELECTRONS_PER_PA_US


def test_dose_of_the_reference_frame() -> None:
    # 500 pA x 3 us = 1.5e-15 C = 9362.26 electrons on a pixel of 97.65625 nm edge, 9536.74 nm2.
    imaging = ImagingSettings(hfw_um=50.0, width_px=512, height_px=512, dwell_us=3.0)
    assert imaging.pixel_nm == 97.65625
    assert imaging.dose_e_per_nm2(500.0) == pytest.approx(0.98170, rel=1e-5)
    assert imaging.scan_s == pytest.approx(0.786432)


def test_frames_that_are_not_square() -> None:
    imaging = ImagingSettings(hfw_um=60.0, width_px=1536, height_px=1024, dwell_us=1.0)
    assert imaging.vfw_um == 40.0
    assert imaging.pixel_nm == 39.0625


@given(st.floats(1, 1000), st.floats(0.1, 100), st.integers(8, 4096))
def test_dose_times_area_is_charge(hfw_um: float, dwell_us: float, width_px: int) -> None:
    imaging = ImagingSettings(hfw_um, width_px, width_px, dwell_us)
    electrons = imaging.dose_e_per_nm2(100.0) * (hfw_um * 1e3) ** 2
    assert electrons == pytest.approx(100.0 * ELECTRONS_PER_PA_US * imaging.scan_s * 1e6, rel=1e-9)


def test_distance_counts_z_and_not_tilt() -> None:
    assert StagePosition(0, 0, 0, 5).distance_um(StagePosition(2, 3, 6, -5)) == 7.0


def test_relative_accuracy_of_astm_e562() -> None:
    estimate = Estimate(0.20, 0.19, 0.21, 0.95, 30, "uniform")
    assert estimate.half_width == pytest.approx(0.01)
    assert estimate.relative_accuracy_percent == pytest.approx(5.0)


@pytest.mark.parametrize("estimate", [
    Estimate(0.2, None, None, 0.95, 3, "raster"),
    Estimate(0.0, 0.0, 0.01, 0.95, 30, "uniform"),
])  # fmt: skip
def test_no_relative_accuracy_without_interval_or_at_zero(estimate: Estimate) -> None:
    assert estimate.relative_accuracy_percent is None


def test_values_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        StagePosition(0, 0).x_um = 1.0  # type: ignore[misc]
