"""One tree of errors. Every error carries the values that a caller needs to act on it."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches


class AutoscopeError(Exception):
    """Base of every error that autoscope raises on purpose. ``str(error)`` is one readable sentence."""


class ConfigurationError(AutoscopeError):
    """Bad usage or configuration; nothing was touched.

    Attributes:
        problems: every problem that was found, one sentence each, never only the first.
    """

    def __init__(self, *problems: str) -> None:
        self.problems: tuple[str, ...] = problems
        super().__init__("; ".join(problems))


class ImageError(AutoscopeError):
    """An image file is missing, corrupt, or not what it must be."""


class SpecimenError(AutoscopeError):
    """A specimen file is missing, damaged, or lacks what was asked of it."""


class ModelError(AutoscopeError):
    """A model file is missing, damaged, or was made for other classes."""


class TrainingError(AutoscopeError):
    """The training of a policy cannot go on; its last good checkpoint is untouched."""


class RecordError(AutoscopeError):
    """A session folder is damaged, is not a session, or cannot be written."""


class SessionFailedError(AutoscopeError):
    """A session failed after it had begun: its folder holds everything that was done, and says how it ended.

    What made it fail is the error's ``__cause__``.
    """


class LabelError(AutoscopeError):
    """A label queue cannot be used, or refuses what was asked of it; nothing was stored."""


class EstimationError(AutoscopeError):
    """An observation or a propensity that would make an estimate wrong.

    Attributes:
        step: the draw, counted from 1, or None.
        field: index of the field, or None.
    """

    def __init__(self, message: str, *, step: int | None = None, field: int | None = None) -> None:
        self.step = step
        self.field = field
        super().__init__(message)


class InstrumentError(AutoscopeError):
    """The instrument did not do, or cannot do, what it was asked."""


class LimitError(InstrumentError):
    """A request lies outside what the instrument may do. Nothing has moved.

    Attributes:
        name: what was asked for, with its unit in the name where it has one (``x_um``).
        value: the value that was asked for.
        low: lowest allowed value, or None where there is no lower limit.
        high: highest allowed value, or None where there is no upper limit.
        unit: the unit of the three numbers.
        above_low: whether the lowest value itself is not allowed.
    """

    def __init__(
        self,
        name: str,
        value: float,
        low: float | None,
        high: float | None,
        unit: str,
        *,
        above_low: bool = False,
    ) -> None:
        self.name, self.value, self.low, self.high, self.unit = name, value, low, high, unit
        self.above_low = above_low
        low_text = "(-inf" if low is None else f"{'(' if above_low else '['}{low:g}"
        high_text = "inf)" if high is None else f"{high:g}]"
        super().__init__(f"{name} = {value:g} {unit} lies outside {low_text}, {high_text} {unit}")


class KeepOutError(InstrumentError):
    """A move would enter or cross a keep-out zone. Nothing has moved.

    Attributes:
        zone: ``(x0, y0, x1, y1)`` of the zone in um.
        start: ``(x, y)`` where the move begins, um.
        target: ``(x, y)`` where it would end, um.
    """

    def __init__(
        self,
        zone: tuple[float, float, float, float],
        start: tuple[float, float],
        target: tuple[float, float],
    ) -> None:
        self.zone, self.start, self.target = zone, start, target
        super().__init__(
            f"the move from ({start[0]:g}, {start[1]:g}) to ({target[0]:g}, {target[1]:g}) um crosses the"
            f" keep-out zone [{', '.join(f'{v:g}' for v in zone)}] um"
        )


class BudgetError(InstrumentError):
    """An action would spend more than the budget allows. Nothing was done.

    Attributes:
        name: key of the budget (``beam_time_s``).
        would_be: what would have been spent in all after the action.
        limit: the limit.
        unit: unit of both.
    """

    def __init__(self, name: str, would_be: float, limit: float, unit: str) -> None:
        self.name, self.would_be, self.limit, self.unit = name, would_be, limit, unit
        super().__init__(
            f"budget {name}: the next action would bring it to {would_be:.6g} {unit},"
            f" the limit is {limit:g} {unit}"
        )


class UnreachableError(InstrumentError):
    """The instrument cannot be reached, or is not ready for work: waiting may help."""


class StageError(InstrumentError):
    """A move did not begin, did not end, or ended elsewhere."""


class FrameError(InstrumentError):
    """A frame did not come, or is not the one that was asked for."""


class FocusError(InstrumentError):
    """An autofocus found no focus."""


class MoveStoppedError(InstrumentError):
    """A move ended before its target because the stage was told to stop."""


class ClosedError(InstrumentError):
    """The microscope was used after it was closed."""


def nearest(name: str, known: Sequence[str]) -> str:
    """Says which known name was probably meant: ``" (did you mean 'dwell_us'?)"``, or an empty string."""
    match = get_close_matches(name, known, n=1, cutoff=0.6)
    return f" (did you mean {match[0]!r}?)" if match else ""
