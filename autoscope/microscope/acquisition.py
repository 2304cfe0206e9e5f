"""What is checked of a request before an exposure, and of what a driver delivered after it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from autoscope.core import FrameError, ImagingSettings, LimitError, Rectangle, StagePosition


def footprint(position: StagePosition, imaging: ImagingSettings) -> Rectangle:
    """What a frame exposes."""
    half_x, half_y = imaging.hfw_um / 2, imaging.vfw_um / 2
    x, y = position.x_um, position.y_um
    return Rectangle(x - half_x, y - half_y, x + half_x, y + half_y)


def own(
    pixels: NDArray[np.uint8] | NDArray[np.uint16], imaging: ImagingSettings
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Checks what the driver delivered and makes it the frame's own, read-only."""
    expected = (imaging.height_px, imaging.width_px)
    if pixels.shape != expected:
        raise FrameError(f"the detector delivered {pixels.shape} pixels, {expected} were asked for")
    if pixels.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise FrameError(f"the detector delivered {pixels.dtype} pixels, not uint8 or uint16")
    owned = pixels if pixels.base is None and pixels.flags.owndata else pixels.copy()
    owned.flags.writeable = False
    return owned


def checked_looks(looks_s: Sequence[float], spot_um: tuple[float, float]) -> float:
    """The longest live time of a watched spectrum.

    Raises:
        LimitError: the live times are not positive and ascending, or the spot is not finite.
    """
    last_s = 0.0
    for look_s in looks_s:
        if not (np.isfinite(look_s) and look_s > last_s):
            raise LimitError("looks_s", look_s, last_s, None, "s", above_low=True)
        last_s = look_s
    if last_s == 0:
        raise LimitError("looks_s", 0.0, 0.0, None, "s", above_low=True)
    for value in spot_um:
        if not np.isfinite(value):
            raise LimitError("spot_um", value, None, None, "um")
    return last_s
