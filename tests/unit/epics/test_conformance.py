"""The driver keeps every promise of a microscope, against the simulated one over Channel Access."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from autoscope.core import ImagingSettings, Rectangle
from autoscope.epics import EpicsMicroscope
from autoscope.testing import Check, Site, microscope_checks

SITE = Site(
    area=Rectangle(20.0, 20.0, 180.0, 180.0),
    imaging=ImagingSettings(hfw_um=20.0, width_px=64, height_px=48, dwell_us=1.0),
    cost_tolerance=1.0,
)


@pytest.mark.slow
@pytest.mark.parametrize("check", microscope_checks(SITE), ids=str)
def test_epics_microscope(check: Check, make: Callable[..., EpicsMicroscope]) -> None:
    check(make)
