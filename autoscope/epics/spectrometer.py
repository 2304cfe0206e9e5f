"""The EDS detector, with the meanings of the mca record."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from autoscope.core import InstrumentError
from autoscope.epics.channels import MAJOR, Channels
from autoscope.epics.errors import FrameTimeoutError

CountsTest = Callable[[NDArray[np.int64], float, float], bool]
"""Looks at counts, live time and real time so far and says whether they are enough."""


class EpicsSpectrometer:
    """Collects spectra for a preset live time.

    Args:
        channels: the instrument's PVs.
        margin_s: how much longer than predicted a spectrum may take, real seconds.
    """

    def __init__(self, channels: Channels, margin_s: float) -> None:
        self._channels, self._margin_s = channels, margin_s

    @property
    def can_stop(self) -> bool:
        """Whether an acquisition can be ended before its preset live time."""
        return "spectrum.stop" in self._channels

    def place(self, spot_um: tuple[float, float]) -> None:
        """Says where the beam rests while counting.

        Raises:
            InstrumentError: it cannot be placed off the field's centre.
        """
        if "scan.spot_x" in self._channels and "scan.spot_y" in self._channels:
            self._channels["scan.spot_x"].write(spot_um[0])
            self._channels["scan.spot_y"].write(spot_um[1])
        elif spot_um != (0.0, 0.0):
            raise InstrumentError(
                "no PV places the beam on a spot of the field: map scan.spot_x and scan.spot_y, or set"
                " eds.enabled = false"
            )

    def collect(self, live_s: float, lasts_s: float) -> tuple[NDArray[np.int64], float, float]:
        """Counts per channel, live time and real time, s.

        Args:
            live_s: preset live time.
            lasts_s: how long it should take, real seconds.

        Raises:
            FrameTimeoutError: the acquisition did not end in time; it was told to end.
            InstrumentError: the detector says that it could not make a spectrum.
            DisconnectedError: a PV lost its connection.
        """
        return self.watch((live_s,), lasts_s, lambda counts, live, real: False)

    def watch(
        self, looks_s: tuple[float, ...], lasts_s: float, enough: CountsTest
    ) -> tuple[NDArray[np.int64], float, float]:
        """As :meth:`collect`, asking at live times on the way whether the counts so far are enough.

        Args:
            looks_s: live times to look at, the last being the preset.
            lasts_s: how long it should take at most, real seconds.
            enough: asked with counts, live time and real time; True stops the detector.

        Raises:
            InstrumentError: as :meth:`collect`.
        """
        acquiring, elapsed = self._channels["spectrum.acquiring"], self._channels["spectrum.elapsed_live"]
        self._channels["spectrum.preset_live"].write(looks_s[-1])
        falls, erased, stale = acquiring.falls, elapsed.falls, bool(elapsed.value)
        self._channels["spectrum.start"].write(1, wait=False)
        limit_s = 2 * lasts_s + self._margin_s
        if not self._channels.wait_until(
            lambda: acquiring.value == 1 or acquiring.falls > falls, limit_s, "spectrum.acquiring"
        ):
            raise FrameTimeoutError(f"{acquiring} did not begin within {limit_s:.3g} s: no spectrum was made")
        for look_s in looks_s[:-1]:

            def due(look_s: float = look_s) -> bool:
                fresh = not stale or elapsed.falls > erased  # not the live time of the spectrum before
                return acquiring.falls > falls or (fresh and bool(elapsed.value) and elapsed.value >= look_s)

            if not self._channels.wait_until(due, limit_s, "spectrum.acquiring", "spectrum.elapsed_live"):
                raise FrameTimeoutError(f"{elapsed} did not reach {look_s:.3g} s within {limit_s:.3g} s")
            if acquiring.falls > falls:
                break
            if enough(*self._read()):
                self._channels["spectrum.stop"].write(1, wait=False)
                break
        if not self._channels.wait_until(lambda: acquiring.falls > falls, limit_s, "spectrum.acquiring"):
            raise FrameTimeoutError(f"{acquiring} did not end within {limit_s:.3g} s: no spectrum was made")
        if acquiring.severity > MAJOR:
            raise InstrumentError(f"{acquiring} is invalid: the EDS detector could not make a spectrum")
        return self._read()

    def _read(self) -> tuple[NDArray[np.int64], float, float]:
        counts = np.asarray(self._channels["spectrum.counts"].read()).astype(np.int64)
        live, real = (self._channels[f"spectrum.elapsed_{kind}"].number() for kind in ("live", "real"))
        return counts, live, real

    def calibration(self) -> tuple[float, float]:
        """Width of a channel and energy of the centre of channel 0, eV."""
        return self._channels["spectrum.slope"].number(), self._channels["spectrum.offset"].number()
