"""What instruments do to a session: every failure has a name, ends in time, and leaves the beam blanked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from autoscope.core import ConfigurationError, ImagingSettings, InstrumentError, StagePosition
from autoscope.epics import (
    AlarmError,
    DisconnectedError,
    EpicsMicroscope,
    FrameError,
    FrameTimeoutError,
    ReadbackError,
    StageMissedError,
    StageStalledError,
)
from autoscope.epics.channels import Channels
from autoscope.microscope import Envelope

IMAGING = ImagingSettings(20.0, 64, 48, 1.0)
Make = Callable[..., EpicsMicroscope]
FAULTS = (
    "StallMove", "MissTarget", "LoseFrame", "RepeatFrame", "CorruptFrame", "ReadNaN", "LoseFocus", "Slow",
    "StageAlarm", "LoseSpectrum", "Disconnect", "Silent",
)  # fmt: skip


@pytest.fixture
def faults(quick: object) -> Iterator[Channels]:
    """The fault PVs and the instrument's health, as they were afterwards."""
    names = {name: f"Q:Fault:{name}" for name in FAULTS}
    names |= {"Valve": "Q:Health:Valve", "blank": "Q:Beam:Blank", "beat": "Q:Heartbeat"}
    channels = Channels(names)
    assert channels.wait_connected(20.0) == ()
    yield channels
    for name in FAULTS:
        channels[name].write(0)
    channels["Valve"].write(1)
    channels.close()


def go(microscope: EpicsMicroscope, x_um: float = 60.0) -> None:
    here = microscope.position()
    microscope.move_to(StagePosition(x_um if here.x_um != x_um else x_um + 20, 100.0, here.z_um))


@pytest.mark.parametrize(
    ("fault", "error"), [("StallMove", StageStalledError), ("MissTarget", StageMissedError)]
)
def test_a_move_that_goes_wrong_is_named_and_the_next_one_works(
    fault: str, error: type[Exception], make: Make, faults: Channels
) -> None:
    with make(margin_s=0.5) as microscope:
        go(microscope, 150.0)
        faults[fault].write(1)
        with pytest.raises(error, match=r"stage\.x\."):
            go(microscope, 130.0)
        assert not microscope.is_moving()
        go(microscope, 140.0)
        assert microscope.is_blanked()


@pytest.mark.parametrize(
    ("fault", "error"),
    [("LoseFrame", FrameTimeoutError), ("RepeatFrame", FrameTimeoutError), ("CorruptFrame", FrameError)],
)
def test_a_frame_that_goes_wrong_is_named_and_the_next_one_is_new(
    fault: str, error: type[Exception], make: Make, faults: Channels
) -> None:
    with make(margin_s=2.0) as microscope:
        go(microscope)
        before = microscope.acquire_image(IMAGING)
        faults[fault].write(1)
        with pytest.raises(error, match=r"image\."):
            microscope.acquire_image(IMAGING)
        assert microscope.is_blanked()
        go(microscope, 90.0)
        after = microscope.acquire_image(IMAGING)
        assert not np.array_equal(before.pixels, after.pixels)


def test_a_slow_scan_is_waited_for_within_the_margin(make: Make, faults: Channels) -> None:
    with make(margin_s=3.0) as microscope:
        go(microscope)
        faults["Slow"].write(1.0)
        assert microscope.acquire_image(IMAGING).pixels.shape == (48, 64)


def test_a_readback_that_is_no_number_is_refused(make: Make, faults: Channels) -> None:
    with make() as microscope:
        go(microscope)
        faults["ReadNaN"].write(1)
        with pytest.raises(ReadbackError, match=r"stage\.x\.readback .* reads nan"):
            go(microscope, 90.0)
        readback = microscope._channels["stage.x.readback"]
        assert microscope._channels.wait_until(lambda: readback.value == 90.0, 5.0)
        assert microscope.position().x_um == 90.0


def test_an_axis_in_alarm_is_not_moved(make: Make, faults: Channels) -> None:
    with make() as microscope:
        before = microscope.position()
        faults["StageAlarm"].write(1)
        time_limit = time.monotonic() + 5
        while microscope._channels["stage.x.readback"].severity == 0:
            assert time.monotonic() < time_limit
        with pytest.raises(AlarmError, match="major alarm"):
            go(microscope)
        assert microscope.position() == before


def test_a_closed_valve_is_a_matter_of_health(make: Make, faults: Channels) -> None:
    with make() as microscope:
        assert microscope.health().ok
        faults["Valve"].write(0)
        changed = microscope._channels.wait_until(lambda: not microscope.health().ok, 5.0)
        assert changed
        assert microscope.health().problems == ("the column valve is closed",)


def test_an_autofocus_that_finds_nothing_says_so(make: Make, faults: Channels) -> None:
    with make() as microscope:
        faults["LoseFocus"].write(1)
        with pytest.raises(InstrumentError, match="found no focus"):
            microscope.autofocus()
        assert microscope.is_blanked()


def test_a_spectrum_has_its_live_time_and_calibration_and_one_that_fails_says_so(
    make: Make, faults: Channels
) -> None:
    with make() as microscope:
        go(microscope)
        spectrum = microscope.acquire_spectrum(0.5)
        assert spectrum.counts.shape == (1024,)
        assert spectrum.counts.sum() > 0
        assert spectrum.live_s == pytest.approx(0.5)
        assert spectrum.ev_per_channel == 10.0
        faults["LoseSpectrum"].write(1)
        with pytest.raises(InstrumentError, match="could not make a spectrum"):
            microscope.acquire_spectrum(0.5)
        assert microscope.is_blanked()


def test_making_a_microscope_and_closing_it_writes_nothing(make: Make, faults: Channels) -> None:
    faults["blank"].write(0)
    with make() as microscope:
        assert not microscope.is_blanked()
    assert faults["blank"].number() == 0
    faults["blank"].write(1)


def test_a_prefix_that_nobody_serves_lists_every_pv(make: Make) -> None:
    began_s = time.monotonic()
    with pytest.raises(
        ConfigurationError, match=r"75 of 75 PVs did not connect within 1 s: stage\.x\.target"
    ):
        make(prefix="NOBODY:", connect_timeout_s=1.0)
    assert time.monotonic() - began_s < 3.0


def test_a_stage_in_mm_is_refused(make: Make) -> None:
    with pytest.raises(
        ConfigurationError, match=r"stage\.x\.unit \(Q:Test:Millimetre\) says the unit 'mm', um is needed"
    ):
        make(x_axis={"unit": "$(P)Test:Millimetre"})


def test_pixels_of_16_bit_keep_every_level(deep: Any, make: Make) -> None:
    with make(prefix=deep.prefix) as microscope:
        go(microscope)
        pixels = microscope.acquire_image(ImagingSettings(20.0, 100, 100, 1.0)).pixels
    assert pixels.dtype == np.uint16
    assert pixels.min() < 2**12
    assert pixels.max() > 2**16 - 2**12


def answers(microscope: Any) -> bool:
    try:
        microscope.position()
    except DisconnectedError:
        return False
    return True


@pytest.mark.parametrize("fault", ["Disconnect", "Silent"])
def test_a_line_that_fails_is_a_lost_connection_and_comes_back(
    fault: str, make: Make, faults: Channels
) -> None:
    with make() as microscope:
        go(microscope)
        faults[fault].write(4.0)  # longer than an answer is waited for
        with pytest.raises(DisconnectedError):
            while True:  # the line fails soon, not at once
                microscope.position()
        for channels in (microscope._channels, faults):
            assert channels.wait_until(lambda channels=channels: not channels.missing, 60.0)
        while not answers(microscope):  # each question waits for its answer
            pass
        go(microscope, 90.0)
        assert microscope.acquire_image(IMAGING).pixels.shape == (48, 64)


def test_the_server_keeps_the_extremes_of_what_was_commanded(make: Make, faults: Channels) -> None:
    names = {end: f"Q:Commanded:X:{end}" for end in ("Low", "High")}
    channels = Channels(names)
    assert channels.wait_connected(20.0) == ()
    with make() as microscope:
        for x_um in (3.0, 197.0):
            microscope.move_to(StagePosition(x_um, 100.0))
    assert (channels["Low"].number(), channels["High"].number()) == (3.0, 197.0)
    channels.close()


def test_limits_that_leave_no_place_are_refused(make: Make) -> None:
    with pytest.raises(ConfigurationError, match=r"stage\.x, \[0, 200\], and envelope\.x_um = \[500, 600\]"):
        make(Envelope(x_um=(500.0, 600.0)))


def test_the_motors_soft_limits_join_the_envelope(make: Make) -> None:
    with make(Envelope(x_um=(-50.0, 120.0))) as microscope:
        assert microscope.envelope.x_um == (0.0, 120.0)
        assert microscope.envelope.y_um == (0.0, 200.0)


def test_a_server_that_dies_in_the_middle_of_a_scan_is_a_lost_connection(own: Any, make: Make) -> None:
    microscope = make(prefix=own.prefix, connect_timeout_s=20.0)
    go(microscope)
    acquiring = microscope._channels["image.state"]
    killer = threading.Thread(
        target=lambda: microscope._channels.wait_until(lambda: acquiring.value == 1, 10.0) and own.kill()
    )
    killer.start()
    began_s = time.monotonic()
    with pytest.raises(DisconnectedError):
        microscope.acquire_image(ImagingSettings(20.0, 1000, 1000, 10.0))
    killer.join()
    with pytest.raises(DisconnectedError):
        microscope.close()
    assert time.monotonic() - began_s < 20.0


def test_a_server_that_dies_while_its_channels_are_taken_over_is_named(
    quick: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library then asks a channel that it counts as connected for a type that it does not have."""
    from autoscope.epics import channels as module

    library = module.channel_access()

    class Dying:
        ca = library.ca
        given_up: list[str] = []  # noqa: RUF012

        class PV:
            def __init__(self, name: str, **ignored: object) -> None:
                if name.endswith("second"):
                    raise TypeError("'>' not supported between instances of 'str' and 'int'")
                self.pvname = name

            def disconnect(self) -> None:
                Dying.given_up.append(self.pvname)

    monkeypatch.setattr(module, "channel_access", lambda: Dying)
    with pytest.raises(DisconnectedError, match=r"b \(Q:second\) was lost while it was being connected"):
        Channels({"a": "Q:first", "b": "Q:second"})
    assert Dying.given_up == ["Q:first"]
