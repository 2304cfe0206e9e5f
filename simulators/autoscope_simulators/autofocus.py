"""Autofocus and stigmation by the sharpness of frames, as an instrument does it: no look at the truth."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autoscope.core import InstrumentError
from autoscope.microscope import FocusResult

STEPS = np.arange(-5, 6)
"""Settings tried in one sweep, in steps around the last best one."""

BLUR_PER_STEP = 0.7
"""Standard deviation of the blur, in pixels of the frame, that one step away from focus makes."""

SIGNIFICANT = 0.05
"""Relative rise of the sharpness over a sweep below which the sweep says nothing."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of the objective and the stigmator.

    Attributes:
        focus_um: change of the working distance.
        stigmator: x and y, um of focus difference.
    """

    focus_um: float
    stigmator: tuple[float, float]


Scan = Callable[[Setting, int], NDArray[np.uint8] | NDArray[np.uint16] | None]
"""Takes a frame with a setting and a number of native pixels per frame pixel; None: out of reach."""


def sharpness(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> float:
    """Mean squared difference of neighbours (Tenenbaum gradient, 2 x 1) over the squared mean grey value."""
    grey = pixels.astype(np.float32)
    energy = np.square(np.diff(grey, axis=0)).mean() + np.square(np.diff(grey, axis=1)).mean()
    return float(energy / max(float(grey.mean()) ** 2, 1.0))


def find_focus(
    scan: Scan, start: Setting, step_um: float, zooms: tuple[int, ...], *, stigmate: bool
) -> tuple[Setting, float]:
    """Climbs to the sharpest setting from coarse pixels (a wide search) to fine ones (a precise one).

    Args:
        scan: takes a frame.
        start: where to begin.
        step_um: change of focus that blurs by :data:`BLUR_PER_STEP` native pixels.
        zooms: native pixels per frame pixel, falling.
        stigmate: whether to search the stigmator too.

    Returns:
        The best setting and its sharpness.

    Raises:
        InstrumentError: no sweep of the focus changed the sharpness: there is nothing to focus on.
    """
    best, found = start, False
    for zoom in zooms:
        settings = [Setting(best.focus_um + float(n) * step_um * zoom, best.stigmator) for n in STEPS]
        focused = _sharpest(scan, settings, zoom)
        if focused is None:
            continue
        best, found = focused, True
        for axis in (0, 1) if stigmate else ():
            settings = [_stigmated(best, axis, float(n) * step_um * zoom) for n in STEPS]
            best = _sharpest(scan, settings, zoom) or best
    if not found:
        raise InstrumentError(
            "the autofocus found no focus: frames are equally sharp at every working distance it tried;"
            " move to a place with more contrast"
        )
    return best, sharpness_at(scan, best, zooms[-1])


def sharpness_at(scan: Scan, setting: Setting, zoom: int) -> float:
    """Sharpness of the frame that a setting gives; NaN where the setting is out of reach."""
    frame = scan(setting, zoom)
    return math.nan if frame is None else sharpness(frame)


def as_result(setting: Setting, sharpness_reached: float, working_distance_mm: float) -> FocusResult:
    """What the microscope reports about a setting around a working distance."""
    return FocusResult(working_distance_mm + setting.focus_um / 1000, setting.stigmator, sharpness_reached)


def _sharpest(scan: Scan, settings: list[Setting], zoom: int) -> Setting | None:
    """The top of the parabola through the sharpest of equally spaced settings and its neighbours."""
    values = np.array([sharpness_at(scan, setting, zoom) for setting in settings])
    if np.nanmax(values) <= np.nanmin(values) * (1 + SIGNIFICANT):
        return None
    top = int(np.nanargmax(values))
    if top in (0, len(settings) - 1) or np.isnan(values[top - 1 : top + 2]).any():
        return settings[top]
    before, here, after = values[top - 1 : top + 2]
    shift = float(0.5 * (before - after) / (before - 2 * here + after))
    near, step = settings[top], settings[top + (1 if shift > 0 else -1)]
    return _between(near, step, abs(shift))


def _between(a: Setting, b: Setting, share: float) -> Setting:
    def mix(u: float, v: float) -> float:
        return u + share * (v - u)

    (ax, ay), (bx, by) = a.stigmator, b.stigmator
    return Setting(mix(a.focus_um, b.focus_um), (mix(ax, bx), mix(ay, by)))


def _stigmated(setting: Setting, axis: int, change_um: float) -> Setting:
    x, y = setting.stigmator
    return replace(setting, stigmator=(x + change_um, y) if axis == 0 else (x, y + change_um))
