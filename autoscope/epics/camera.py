"""The image, with the meanings of areaDetector: the new frame by its unique number, never the last one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.core import FrameError, ImagingSettings
from autoscope.epics.channels import Channels
from autoscope.epics.errors import FrameTimeoutError, SettingError

IDLE, FAULT = 0, 6
"""Values of areaDetector's DetectorState_RBV."""

IDLE_S = 5.0
"""How long a detector that is still at work may take to become idle before a new frame."""


class EpicsCamera:
    """Sets the scan, starts it, and fetches the frame that it made.

    Args:
        channels: the instrument's PVs.
        margin_s: how much longer than predicted a frame may take, real seconds.
    """

    def __init__(self, channels: Channels, margin_s: float) -> None:
        self._channels, self._margin_s = channels, margin_s

    def prepare(self, imaging: ImagingSettings) -> None:
        """Writes what differs from the scan that is set; the detector is idle afterwards.

        Raises:
            SettingError: a value does not read back, as where the instrument rounds or refuses it.
            FrameTimeoutError: the detector does not become idle.
        """
        self._make_idle()
        wanted = {
            "image.width": imaging.width_px, "image.height": imaging.height_px,
            "scan.field_width": imaging.hfw_um, "scan.dwell": imaging.dwell_us,
        }  # fmt: skip
        now = self._channels.numbers(*wanted)
        changed = [item for item, set_now in zip(wanted.items(), now, strict=True) if item[1] != set_now]
        for key, value in changed:
            channel = self._channels[key]
            channel.write(value)
            read = channel.number()
            if abs(read - value) > 1e-6 * abs(value):
                raise SettingError(f"{channel} was set to {value:g} and reads {read:g}")

    def scan(self, imaging: ImagingSettings, lasts_s: float) -> NDArray[Any]:
        """Scans one frame and returns ``height x width`` pixels, uint8 or uint16.

        Args:
            imaging: what was prepared.
            lasts_s: how long it should take, real seconds.

        Raises:
            FrameTimeoutError: no new frame came in time; the scan was told to end.
            FrameError: the frame has another size, or was replaced while it was read.
            DisconnectedError: a PV lost its connection.
        """
        unique = self._channels["image.unique_id"]
        before = int(unique.number())
        limit_s = 2 * lasts_s + self._margin_s
        self._channels["image.acquire"].write(1, wait=False)
        keys = ("image.unique_id", "image.acquire")
        if not self._channels.wait_until(lambda: self._came(before), limit_s, *keys):
            self._channels["image.acquire"].write(0, wait=False)
            raise FrameTimeoutError(
                f"{unique} stayed at {before}: no new frame came within {limit_s:.3g} s,"
                f" {lasts_s:.3g} s were expected"
            )
        return self.fetch(imaging)

    def _came(self, before: int) -> bool:
        state = self._channels.get("image.state")
        if state is not None and state.value == FAULT:
            raise FrameError(f"{state} says that the detector is in error")
        return int(self._channels["image.unique_id"].value) != before

    def fetch(self, imaging: ImagingSettings) -> NDArray[Any]:
        """The frame that is there, ``height x width`` pixels.

        All is asked for at once. A server answers the requests of one connection in their order, so a number
        that was asked for after the pixels says whether they were replaced meanwhile.

        Raises:
            FrameError: it has another size, or was replaced while it was read.
            DisconnectedError: a PV lost its connection.
        """
        pixels = self._channels["image.data"]
        number = int(self._channels["image.unique_id"].value)
        pixels.ask()
        facts = self._channels.numbers("image.data_height", "image.data_width", "image.unique_id")
        *shape, number_after = (int(fact) for fact in facts)
        data = np.asarray(pixels.read(asked=True)).ravel()
        if shape != [imaging.height_px, imaging.width_px]:
            raise FrameError(
                f"{self._channels['image.data']} has {shape[1]} x {shape[0]} px,"
                f" {imaging.width_px} x {imaging.height_px} px were asked for"
            )
        if data.size < shape[0] * shape[1]:
            raise FrameError(
                f"{self._channels['image.data']} has {data.size} pixels, not {shape[1]} x {shape[0]}"
            )
        if number_after != number:
            raise FrameError(
                f"another frame came while number {number} was read: something else acquires too"
            )
        return _unsigned(data[: shape[0] * shape[1]]).reshape(shape)

    def _make_idle(self) -> None:
        acquire = self._channels["image.acquire"]
        if not acquire.value:
            return
        acquire.write(0)
        if not self._channels.wait_until(lambda: not acquire.value, IDLE_S, "image.acquire"):
            raise FrameTimeoutError(f"{acquire} stayed at 1 though it was set to 0: the detector is not idle")


def _unsigned(data: NDArray[Any]) -> NDArray[Any]:
    """Channel Access has no unsigned 16 bit: the same bits come as signed, or the values as 32 bit.

    Raises:
        FrameError: the pixels are no grey levels of 8 or 16 bit.
    """
    if data.dtype in (np.dtype(np.uint8), np.dtype(np.uint16)):
        return data.copy()
    if data.dtype in (np.dtype(np.int8), np.dtype(np.int16)):
        return data.view(np.dtype(f"u{data.dtype.itemsize}")).copy()
    if data.dtype == np.dtype(np.int32) and data.size and data.min() >= 0 and data.max() < 2**16:
        return data.astype(np.uint16)
    raise FrameError(f"the pixels are {data.dtype}, not grey levels of 8 or 16 bit")
