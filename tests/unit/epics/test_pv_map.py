"""The PV map: complete, one PV for each signal, misspelt keys named."""

import tomllib
from pathlib import Path

import pytest

from autoscope.app.loading import validated
from autoscope.core import ConfigurationError
from autoscope.epics import PVMap, default_pvs


def shipped() -> dict[str, dict[str, str]]:
    return tomllib.loads(default_pvs())


def test_the_shipped_map_is_whole_and_takes_the_prefix() -> None:
    names = PVMap.model_validate(shipped()).names("SEM1:")
    assert names["stage.x.target"] == "SEM1:Stage:X.VAL"
    assert names["image.unique_id"] == "SEM1:image1:UniqueId_RBV"
    assert len(set(names.values())) == len(names) == 75


def test_the_example_for_a_vendors_interface_is_a_valid_map() -> None:
    path = Path(__file__).parents[3] / "configs/pv-maps/vendor-soft-ioc.toml"
    names = validated(PVMap, tomllib.loads(path.read_text()), name=str(path)).names("SEM1:")
    assert names["stage.x.target"] == "SEM1:Stage:XSet"
    assert "stage.z.target" not in names
    assert not any(key.startswith(("spectrum", "simulation")) for key in names)


def test_all_problems_are_said_at_once() -> None:
    document = shipped()
    del document["beam"]["blank"]
    document["scan"]["dwel"] = document["scan"].pop("dwell")
    with pytest.raises(ConfigurationError) as raised:
        validated(PVMap, document, name="sem.toml")
    said = "\n".join(raised.value.problems)
    assert "beam.blank is missing" in said
    assert "scan.dwell is missing" in said
    assert "unknown key scan.dwel (did you mean 'dwell'?)" in said


def test_a_pv_that_two_signals_share_is_refused() -> None:
    document = shipped()
    document["image"]["width"] = document["image"]["height"]
    with pytest.raises(ConfigurationError, match=r"SizeY is given to image\.width and image\.height"):
        validated(PVMap, document, name="sem.toml")


@pytest.mark.parametrize("name", ["", "SEM: X"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    document = shipped()
    document["beam"]["blank"] = name
    with pytest.raises(ConfigurationError, match=r"beam\.blank"):
        validated(PVMap, document, name="sem.toml")


def test_what_may_be_left_out_may_be_left_out() -> None:
    document = shipped()
    for key in ("name", "heartbeat", "focus", "spectrum", "health", "simulation"):
        del document[key]
    names = PVMap.model_validate(document).names("")
    assert not any(key.startswith(("focus", "spectrum", "health", "simulation")) for key in names)


def test_what_spectra_need_is_named() -> None:
    document = shipped()
    assert PVMap.model_validate(document).missing_for_spectra == ()
    del document["spectrum"], document["scan"]["spot_y"]
    assert PVMap.model_validate(document).missing_for_spectra == ("spectrum", "scan.spot_y")
