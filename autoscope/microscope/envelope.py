"""What the instrument may do: stage limits, keep-out zones, beam ranges. Refused, never clipped."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from autoscope.core import (
    BeamSettings,
    ImagingSettings,
    KeepOutError,
    LimitError,
    Rectangle,
    StagePosition,
)

Range = tuple[float, float]


def _within(value: float, limits: Range | None) -> bool:
    return math.isfinite(value) and (limits is None or limits[0] <= value <= limits[1])


def _check(name: str, value: float, limits: Range | None, unit: str) -> None:
    if not _within(value, limits):
        low, high = limits if limits is not None else (None, None)
        raise LimitError(name, value, low, high, unit)


def _check_positive(name: str, value: float, unit: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise LimitError(name, value, 0.0, None, unit, above_low=True)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Limits of stage and beam. ``None`` means that the instrument's own limits are the only ones.

    A keep-out zone is closed: its edge belongs to it. Moves are straight lines, so a zone is checked
    along the whole segment, not only at its end.
    """

    x_um: Range | None = None
    y_um: Range | None = None
    z_um: Range | None = None
    tilt_deg: Range | None = None
    kv: Range | None = None
    current_pa: Range | None = None
    working_distance_mm: Range | None = None
    hfw_um: Range | None = None
    keep_out: tuple[Rectangle, ...] = field(default=())

    def check_position(self, position: StagePosition) -> None:
        """Checks a stage position alone.

        Raises:
            LimitError: an axis lies outside its limits.
            KeepOutError: the position lies in a keep-out zone.
        """
        _check("x_um", position.x_um, self.x_um, "um")
        _check("y_um", position.y_um, self.y_um, "um")
        _check("z_um", position.z_um, self.z_um, "um")
        _check("tilt_deg", position.tilt_deg, self.tilt_deg, "deg")
        self._check_keep_out(position, position)

    def check_move(self, start: StagePosition, target: StagePosition) -> None:
        """Checks the target and the whole straight path to it.

        A path that begins inside a zone (somebody drove the stage there by hand) is refused too.

        Raises:
            LimitError: an axis of the target lies outside its limits.
            KeepOutError: the path touches a keep-out zone.
        """
        self.check_position(target)
        self._check_keep_out(start, target)

    def check_beam(self, beam: BeamSettings) -> None:
        """Checks beam settings.

        Raises:
            LimitError: a value is not positive or outside its limits.
        """
        _check_positive("kv", beam.kv, "kV")
        _check_positive("current_pa", beam.current_pa, "pA")
        _check_positive("working_distance_mm", beam.working_distance_mm, "mm")
        _check("kv", beam.kv, self.kv, "kV")
        _check("current_pa", beam.current_pa, self.current_pa, "pA")
        _check("working_distance_mm", beam.working_distance_mm, self.working_distance_mm, "mm")

    def check_imaging(self, imaging: ImagingSettings) -> None:
        """Checks scan settings.

        Raises:
            LimitError: a value is not positive or outside its limits.
        """
        _check_positive("hfw_um", imaging.hfw_um, "um")
        _check_positive("dwell_us", imaging.dwell_us, "us")
        _check("width_px", imaging.width_px, (1, 65536), "px")
        _check("height_px", imaging.height_px, (1, 65536), "px")
        _check("hfw_um", imaging.hfw_um, self.hfw_um, "um")

    def allows(self, x_um: float, y_um: float) -> bool:
        """Whether the stage may stand at ``(x_um, y_um)``."""
        return (
            _within(x_um, self.x_um)
            and _within(y_um, self.y_um)
            and not any(zone.contains(x_um, y_um) for zone in self.keep_out)
        )

    def route(self, start: StagePosition, target: StagePosition) -> tuple[StagePosition, ...]:
        """Way points of the shortest path around the keep-out zones, the target last, the start left out.

        The search is Dijkstra's on the visibility graph of the zones' corners (Lozano-Perez and Wesley
        1979), each corner set off by a thousandth of a micrometre.

        Raises:
            LimitError: the target lies outside the stage's limits.
            KeepOutError: start or target lies in a zone, or the zones leave no way between them.
        """
        self.check_position(target)
        crossing = self._crossed(start, target)
        if crossing is None:
            return (target,)
        nodes = [start, target, *self._corners(target)]
        best: dict[int, float] = {0: 0.0}
        parent: dict[int, int] = {}
        heap = [(0.0, 0)]
        while heap:
            cost, here = heapq.heappop(heap)
            if here == 1:
                break
            if cost > best[here]:
                continue
            for there, node in enumerate(nodes):
                new = cost + nodes[here].distance_um(node)
                if new < best.get(there, math.inf) and self._crossed(nodes[here], node) is None:
                    best[there], parent[there] = new, here
                    heapq.heappush(heap, (new, there))
        if 1 not in parent:
            raise KeepOutError(_corners_of(crossing), (start.x_um, start.y_um), (target.x_um, target.y_um))
        path, step = [], 1
        while step != 0:
            path.append(nodes[step])
            step = parent[step]
        return tuple(reversed(path))

    def _corners(self, target: StagePosition) -> Iterator[StagePosition]:
        off = 1e-3
        for zone in self.keep_out:
            for x in (zone.x0_um - off, zone.x1_um + off):
                for y in (zone.y0_um - off, zone.y1_um + off):
                    if self.allows(x, y):
                        yield StagePosition(x, y, target.z_um, target.tilt_deg)

    def _check_keep_out(self, start: StagePosition, target: StagePosition) -> None:
        zone = self._crossed(start, target)
        if zone is not None:
            raise KeepOutError(_corners_of(zone), (start.x_um, start.y_um), (target.x_um, target.y_um))

    def _crossed(self, start: StagePosition, target: StagePosition) -> Rectangle | None:
        return next((zone for zone in self.keep_out if _segment_touches(zone, start, target)), None)


def _corners_of(zone: Rectangle) -> tuple[float, float, float, float]:
    return (zone.x0_um, zone.y0_um, zone.x1_um, zone.y1_um)


def _segment_touches(zone: Rectangle, start: StagePosition, target: StagePosition) -> bool:
    """Whether a segment meets a closed rectangle (Liang and Barsky 1984, parametric line clipping)."""
    enter, leave = 0.0, 1.0
    sides = (
        (start.x_um, target.x_um - start.x_um, zone.x0_um, zone.x1_um),
        (start.y_um, target.y_um - start.y_um, zone.y0_um, zone.y1_um),
    )
    for origin, delta, low, high in sides:
        if delta == 0:
            if not low <= origin <= high:
                return False
            continue
        first, second = sorted(((low - origin) / delta, (high - origin) / delta))
        enter, leave = max(enter, first), min(leave, second)
        if enter > leave:
            return False
    return True
