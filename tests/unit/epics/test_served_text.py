"""String PVs of the IOC."""

from __future__ import annotations

import pytest

from autoscope.core import ConfigurationError
from autoscope.epics.ioc.served import LONGEST_TEXT, PVs


def test_a_text_is_served_as_it_is() -> None:
    pvs = PVs("SEM:")
    pvs.text("Name", "n" * LONGEST_TEXT)
    assert pvs["Name"].value == "n" * LONGEST_TEXT


def test_a_text_too_long_for_channel_access_is_refused_and_not_cut() -> None:
    with pytest.raises(ConfigurationError, match=r"SEM:Beam:Detectors would be .* at most 39 characters"):
        PVs("SEM:").text("Beam:Detectors", "n" * (LONGEST_TEXT + 1))
