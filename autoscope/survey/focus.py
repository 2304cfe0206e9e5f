"""Keeping the frames sharp: a focal plane learnt from autofocus runs, refocusing on time and on blur."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from numpy.typing import NDArray

WINDOW = 8
"""Frames over which sharpness is compared."""
PLANE_RIDGE_UM2 = 1.0e4
"""Ridge of the plane's slopes, um²: points closer than about 100 um say nothing about a tilt."""


def sharpness(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> float:
    """Gradient energy of a 2 x 2 binned frame over its variance (after Tenengrad, Krotkov 1988).

    Dividing by the variance takes brightness and contrast out; binning takes out half of the noise.

    Args:
        pixels: ``height x width``.
    """
    rows, columns = (n // 2 * 2 for n in pixels.shape)
    image = pixels[:rows, :columns].astype(np.float32)
    if min(rows, columns) < 4:
        return 0.0
    binned = image.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))
    variance = float(binned.var())
    if variance == 0:
        return 0.0
    energy = float((np.diff(binned, axis=0) ** 2).mean() + (np.diff(binned, axis=1) ** 2).mean())
    return energy / variance


@dataclass(slots=True)
class FocusKeeper:
    """Decides when to refocus and which working distance to set where.

    Args:
        every_s: longest time between two autofocus runs.
        sharpness_drop: relative drop of the median sharpness that asks for one.
    """

    every_s: float
    sharpness_drop: float
    _points: list[tuple[float, float, float]] = field(default_factory=list)
    _last_s: float | None = None
    _first: list[float] = field(default_factory=list)
    _recent: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _sharp: float = 0.0  # median of the first frames
    _now: float | None = None  # that of the last ones; None before there are as many

    def focused(self, x_um: float, y_um: float, working_distance_mm: float, clock_s: float) -> None:
        """Learns from an autofocus run."""
        self._points.append((x_um, y_um, working_distance_mm))
        self._begin_anew(clock_s)

    def failed(self, clock_s: float) -> None:
        """An autofocus run found nothing to focus on; the next is tried when it is due again."""
        self._begin_anew(clock_s)

    def _begin_anew(self, clock_s: float) -> None:
        self._last_s, self._now = clock_s, None
        self._first.clear()
        self._recent.clear()

    def lost(self) -> None:
        """The focus is not to be relied on: the next frame is focused first."""
        self._last_s = None

    def saw(self, value: float) -> None:
        """Learns the sharpness of a frame."""
        if len(self._first) < WINDOW:
            self._first.append(value)
            return
        if not self._recent:
            self._sharp = median(self._first)
        self._recent.append(value)
        self._now = median(self._recent) if len(self._recent) == WINDOW else None

    @property
    def relative(self) -> float:
        """Median sharpness of the last frames over that of the first ones after focusing; 1 before both."""
        return 1.0 if self._now is None or not self._sharp > 0 else self._now / self._sharp

    def age_s(self, clock_s: float) -> float:
        """Seconds since the last autofocus run; 0 before the first."""
        return 0.0 if self._last_s is None else clock_s - self._last_s

    def due(self, clock_s: float) -> bool:
        """Whether to refocus before the next frame."""
        if self._last_s is None or clock_s - self._last_s >= self.every_s:
            return True
        return self._now is not None and self._now < (1 - self.sharpness_drop) * self._sharp

    def working_distance_mm(self, x_um: float, y_um: float) -> float | None:
        """Focus to set at a place: the last one found plus the plane's slope; None before the first."""
        if not self._points:
            return None
        last_x, last_y, last = self._points[-1]
        slope_x, slope_y = self._slopes()
        return last + slope_x * (x_um - last_x) + slope_y * (y_um - last_y)

    def _slopes(self) -> tuple[float, float]:
        """Ridge least squares of the plane's slopes, mm per um; level with fewer than three points."""
        if len(self._points) < 3:
            return 0.0, 0.0
        points = np.asarray(self._points)
        centred = points - points.mean(axis=0)
        normal = centred[:, :2].T @ centred[:, :2] + PLANE_RIDGE_UM2 * np.eye(2)
        slope_x, slope_y = np.linalg.solve(normal, centred[:, :2].T @ centred[:, 2])
        return float(slope_x), float(slope_y)
