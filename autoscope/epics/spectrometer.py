"""The EDS detector, with the meanings of the mca record."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from autoscope.core import InstrumentError
from autoscope.epics.channels import MAJOR, Channels
from autoscope.epics.errors import FrameTimeoutError


class EpicsSpectrometer:
    """Collects spectra for a preset live time.

    Args:
        channels: the instrument's PVs.
        margin_s: how much longer than predicted a spectrum may take, real seconds.
    """

    def __init__(self, channels: Channels, margin_s: float) -> None:
        self._channels, self._margin_s = channels, margin_s

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
        acquiring = self._channels["spectrum.acquiring"]
        self._channels["spectrum.preset_live"].write(live_s)
        falls = acquiring.falls
        self._channels["spectrum.start"].write(1, wait=False)
        limit_s = 2 * lasts_s + self._margin_s
        if not self._channels.wait_until(lambda: acquiring.falls > falls, limit_s, "spectrum.acquiring"):
            raise FrameTimeoutError(f"{acquiring} did not end within {limit_s:.3g} s: no spectrum was made")
        if acquiring.severity > MAJOR:
            raise InstrumentError(f"{acquiring} is invalid: the EDS detector could not make a spectrum")
        counts = np.asarray(self._channels["spectrum.counts"].read()).astype(np.int64)
        elapsed = (self._channels[f"spectrum.elapsed_{kind}"].number() for kind in ("live", "real"))
        live, real = elapsed
        return counts, live, real

    def calibration(self) -> tuple[float, float]:
        """Width of a channel and energy of the centre of channel 0, eV."""
        return self._channels["spectrum.slope"].number(), self._channels["spectrum.offset"].number()
