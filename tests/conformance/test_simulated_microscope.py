"""The simulated microscope keeps every promise: perfect, imperfect, and running in real time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from autoscope.core import ImagingSettings, Rectangle
from autoscope.microscope import Budget, Envelope
from autoscope.testing import Check, Site, microscope_checks
from autoscope.xray import EnergyAxis
from autoscope_simulators import (
    ClassSpectrum,
    SimulatedMicroscope,
    SpecimenData,
    SpecimenFile,
    write_specimen,
)

PIXEL_NM = 200.0
SITE = Site(
    area=Rectangle(20.0, 20.0, 180.0, 180.0),
    imaging=ImagingSettings(hfw_um=20.0, width_px=64, height_px=48, dwell_us=1.0),
)


@pytest.fixture(scope="module")
def specimen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SpecimenFile]:
    """200 x 200 um of noise with a flat X-ray spectrum: every place looks different from every other."""
    grey = np.random.default_rng(0).integers(0, 256, (1000, 1000), np.uint8)
    spectrum = ClassSpectrum(np.full(1024, 20.0), EnergyAxis(), kv=20.0)
    data = SpecimenData(
        name="noise", pixel_nm=PIXEL_NM, synthetic=True, source="a test", licence="CC0",
        detectors={"bse": grey, "se": 255 - grey}, classes=np.zeros((1000, 1000), np.uint8),
        class_names=("noise",), spectra={"noise": spectrum},
    )  # fmt: skip
    path = tmp_path_factory.mktemp("specimen") / "noise.h5"
    write_specimen(data, path)
    with SpecimenFile(path) as file:
        yield file


Make = Callable[[Envelope, Budget], SimulatedMicroscope]


@pytest.mark.parametrize("check", microscope_checks(SITE), ids=str)
def test_simulated_microscope(check: Check, specimen: SpecimenFile) -> None:
    check(lambda envelope, budget: SimulatedMicroscope(specimen, envelope=envelope, budget=budget, seed=5))


@pytest.mark.parametrize("check", microscope_checks(SITE), ids=str)
def test_simulated_microscope_whose_time_takes_real_time(check: Check, specimen: SpecimenFile) -> None:
    def make(envelope: Envelope, budget: Budget) -> SimulatedMicroscope:
        return SimulatedMicroscope(specimen, envelope=envelope, budget=budget, seed=5, time_scale=0.002)

    check(make)


def test_the_specimen_file_is_closed_by_nobody_but_its_owner(specimen: SpecimenFile, tmp_path: Path) -> None:
    with SimulatedMicroscope(specimen, seed=1) as microscope:
        microscope.move_to(SITE.point(0.5, 0.5))
    assert specimen.shape == (1000, 1000)
