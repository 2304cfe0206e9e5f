"""The simulated stage: where it is at any time of the clock, also in the middle of a move."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from autoscope.core import LimitError, MoveStoppedError, StagePosition
from autoscope.microscope import Clock
from autoscope_simulators.timing import Timing

TILT_LIMIT_DEG = 60.0
"""The stage tilts this far either way."""

SLICE_S = 0.02
"""Real seconds for which a waiting stage is deaf to a stop."""


@dataclass(frozen=True, slots=True)
class Move:
    """A straight move that has begun."""

    start: StagePosition
    target: StagePosition
    began_s: float
    ends_s: float


class SimulatedStage:
    """A stage that moves in straight lines with a trapezoidal speed profile, and then settles.

    Args:
        clock: the microscope's clock.
        timing: speeds and settling.
        position: where it stands.
        real_s_per_s: real seconds that a second of the clock takes; 0 when it takes none.
    """

    def __init__(self, clock: Clock, timing: Timing, position: StagePosition, real_s_per_s: float) -> None:
        self._clock, self._timing, self._real_s_per_s = clock, timing, real_s_per_s
        self._position = position
        self._move: Move | None = None
        self._stopped = False
        self._lock = threading.Lock()

    def position(self) -> StagePosition:
        """Where the stage is now."""
        with self._lock:
            return self._position_now()

    def is_moving(self) -> bool:
        """Whether it is on its way or settling."""
        with self._lock:
            return self._move is not None and self._clock.now_s() < self._move.ends_s

    def begin(self, target: StagePosition) -> None:
        """Starts a move.

        Raises:
            LimitError: the tilt is more than the stage can do.
        """
        if not abs(target.tilt_deg) <= TILT_LIMIT_DEG:
            raise LimitError("tilt_deg", target.tilt_deg, -TILT_LIMIT_DEG, TILT_LIMIT_DEG, "deg")
        with self._lock:
            start, now_s = self._position_now(), self._clock.now_s()
            lasts_s = float(self._timing.travel_s(start.distance_um(target)))
            self._move, self._stopped = Move(start, target, now_s, now_s + lasts_s), False

    def wait(self) -> None:
        """Lets time pass until the move has ended and the stage has settled.

        Raises:
            MoveStoppedError: the move was stopped before it had ended.
        """
        while (left_s := self._left_s()) > 0:
            slice_s = SLICE_S / self._real_s_per_s if self._real_s_per_s else left_s
            self._clock.sleep(min(left_s, slice_s))
        with self._lock:
            self._position, self._move = self._position_now(), None
            stopped, self._stopped = self._stopped, False
        if stopped:
            x, y = self._position.x_um, self._position.y_um
            raise MoveStoppedError(f"the move was stopped at ({x:g}, {y:g}) um, before its target")

    def stop(self) -> None:
        """Stands still at once, wherever it is; does nothing when it stands still already."""
        with self._lock:
            moving = self._move is not None and self._clock.now_s() < self._move.ends_s
            if moving:
                self._position, self._move, self._stopped = self._position_now(), None, True

    def place(self, position: StagePosition) -> None:
        """Stands at a position without having moved there: the start of a resumed session."""
        with self._lock:
            self._position, self._move, self._stopped = position, None, False

    def _left_s(self) -> float:
        with self._lock:
            return 0.0 if self._move is None else self._move.ends_s - self._clock.now_s()

    def _position_now(self) -> StagePosition:
        move = self._move
        if move is None:
            return self._position
        distance_um = move.start.distance_um(move.target)
        elapsed_s = self._clock.now_s() - move.began_s
        share = self._timing.travelled_um(distance_um, elapsed_s) / distance_um if distance_um else 1.0
        return move.target if share >= 1 else _between(move.start, move.target, share)


def _between(start: StagePosition, target: StagePosition, share: float) -> StagePosition:
    return StagePosition(
        start.x_um + share * (target.x_um - start.x_um),
        start.y_um + share * (target.y_um - start.y_um),
        start.z_um + share * (target.z_um - start.z_um),
        start.tilt_deg + share * (target.tilt_deg - start.tilt_deg),
    )
