"""What a conformance check is, and the bench that it works on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from autoscope.core import ImagingSettings, InstrumentError, Rectangle, StagePosition
from autoscope.microscope import Budget, Envelope, Microscope, Spent

MakeMicroscope = Callable[[Envelope, Budget], Microscope]
"""Makes a fresh microscope with this envelope and budget; a check may call it more than once."""


class ConformanceError(AssertionError):
    """A driver broke a promise. ``str(error)`` says what was promised and what happened."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where and how a driver may be exercised. The defaults suit a simulated specimen.

    Attributes:
        area: where the stage may go; the checks put their own keep-out zones into it.
        imaging: a scan that fits into a fifth of the area.
        kv: two acceleration voltages that the microscope has.
        z_um: two heights that the stage may take.
        position_tolerance_um: how exactly a position reads back.
        cost_tolerance: share by which an action may take longer or shorter than predicted.
        live_s: EDS live time of one spectrum.
    """

    area: Rectangle = field(default_factory=lambda: Rectangle(0.0, 0.0, 200.0, 200.0))
    imaging: ImagingSettings = field(default_factory=lambda: ImagingSettings(20.0, 64, 48, 1.0))
    kv: tuple[float, float] = (10.0, 20.0)
    z_um: tuple[float, float] = (0.0, 5.0)
    position_tolerance_um: float = 0.5
    cost_tolerance: float = 0.1
    live_s: float = 0.5

    def point(self, x_share: float, y_share: float) -> StagePosition:
        """A point of the area by its shares of width and height, at the first height."""
        return StagePosition(
            self.area.x0_um + x_share * self.area.width_um,
            self.area.y0_um + y_share * self.area.height_um,
            self.z_um[0],
        )

    def box(self, x0_share: float, y0_share: float, x1_share: float, y1_share: float) -> Rectangle:
        """A part of the area by shares of its width and height."""
        low, high = self.point(x0_share, y0_share), self.point(x1_share, y1_share)
        return Rectangle(low.x_um, low.y_um, high.x_um, high.y_um)


@dataclass(frozen=True, slots=True)
class Bench:
    """One driver on one site."""

    make: MakeMicroscope
    site: Site

    def envelope(self, *keep_out: Rectangle) -> Envelope:
        """Stage limits around the area, with keep-out zones."""
        area, z_um = self.site.area, self.site.z_um
        return Envelope(
            x_um=(area.x0_um, area.x1_um), y_um=(area.y0_um, area.y1_um),
            z_um=(min(z_um), max(z_um)), kv=(min(self.site.kv), max(self.site.kv)), keep_out=keep_out,
        )  # fmt: skip

    @contextmanager
    def microscope(self, *keep_out: Rectangle, budget: Budget | None = None) -> Iterator[Microscope]:
        """A microscope that is closed afterwards."""
        with self.make(self.envelope(*keep_out), budget or Budget()) as microscope:
            yield microscope

    def require_at(self, microscope: Microscope, expected: StagePosition, what: str) -> None:
        """Requires that the stage reads back a position.

        Raises:
            ConformanceError: it does not.
        """
        read, limit = microscope.position(), self.site.position_tolerance_um
        require(
            read.distance_um(expected) <= limit,
            f"{what}: the stage reads {_place(read)}, expected {_place(expected)} within {limit:g} um",
        )

    def require_between(self, microscope: Microscope, start: StagePosition, end: StagePosition) -> None:
        """Requires that the stage stands on a segment.

        Raises:
            ConformanceError: it does not.
        """
        read, limit = microscope.position(), self.site.position_tolerance_um
        away_um = _distance_to_segment_um(read, start, end)
        require(
            away_um <= limit,
            f"the stage reads {_place(read)}, {away_um:g} um off the straight way from {_place(start)} to"
            f" {_place(end)}; {limit:g} um are allowed",
        )


@dataclass(frozen=True, slots=True)
class Check:
    """One promise, and how it is tried out.

    Attributes:
        name: such as ``a_refused_move_moves_nothing``.
        promise: the promise as a sentence.
        site: where it is tried out.
    """

    name: str
    promise: str
    site: Site
    attempt: Callable[[Bench], None] = field(repr=False)

    def __call__(self, make: MakeMicroscope) -> None:
        """Tries the promise on a driver.

        Raises:
            ConformanceError: the driver broke it.
        """
        try:
            self.attempt(Bench(make, self.site))
        except ConformanceError as error:
            raise ConformanceError(f"{self.promise} {error}") from error

    def __str__(self) -> str:
        return self.name


def require(condition: bool, sentence: str) -> None:
    """Requires something of a driver.

    Raises:
        ConformanceError: it is not so.
    """
    if not condition:
        raise ConformanceError(sentence)


def require_refusal(action: Callable[[], object], errors: type[Exception], what: str) -> None:
    """Requires that an action raises one of some errors.

    Raises:
        ConformanceError: it raised nothing, or something else.
    """
    try:
        action()
    except errors:
        return
    except Exception as error:
        raised = f"{type(error).__name__} ({error})"
        raise ConformanceError(f"{what} raised {raised}, not {errors.__name__}") from error

    raise ConformanceError(f"{what} was not refused: {errors.__name__} was expected")


def require_nothing_spent(microscope: Microscope, before: Spent, what: str) -> None:
    """Requires that an account stands where it stood.

    Raises:
        ConformanceError: it does not.
    """
    require(microscope.spent == before, f"{what} was refused and yet the account went to {microscope.spent}")


def has_spectrometer(microscope: Microscope, live_s: float) -> bool:
    """Whether the microscope collects spectra; tried out with a very short one."""
    try:
        microscope.acquire_spectrum(live_s / 100)
    except InstrumentError:
        return False
    return True


def _distance_to_segment_um(point: StagePosition, start: StagePosition, end: StagePosition) -> float:
    p, a, b = (np.array([q.x_um, q.y_um, q.z_um]) for q in (point, start, end))
    length2 = float((b - a) @ (b - a))
    share = 0.0 if length2 == 0 else min(max(float((p - a) @ (b - a)) / length2, 0.0), 1.0)
    return float(np.linalg.norm(p - (a + share * (b - a))))


def _place(position: StagePosition) -> str:
    return f"({position.x_um:g}, {position.y_um:g}, {position.z_um:g}) um"
