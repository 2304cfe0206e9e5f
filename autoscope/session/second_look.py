"""A second look at a field whose frame the model was not made for, and what is made of both looks.

A frame that looks suspicious is taken again at the same field, after focusing there where that can help. It
is never replaced by another field's: that would bias the estimate (METHODS section 2). The look that is the
more familiar one counts. Where even that is foreign, the field cannot be measured: it stays in the population
at its worst case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscope.core import BudgetError, Frame, InstrumentError, StagePosition, UnreachableError
from autoscope.records import LookDocument
from autoscope.session.measurer import Measurement, Measurer
from autoscope.session.settings import Unfamiliar
from autoscope.survey import Decision

if TYPE_CHECKING:
    from autoscope.session.instrument import Imaging


@dataclass(frozen=True, slots=True)
class Again:
    """What an interrupted session had done of a second look: focused, and perhaps taken the frame."""

    frame: Frame | None
    index: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """A frame of a field and what was read from it."""

    frame: Frame
    index: int
    measurement: Measurement

    @property
    def score(self) -> float:
        """How unfamiliar it is; the lowest there is where nobody can tell."""
        look = self.measurement.look
        return float("-inf") if look is None else look.score

    @property
    def unfamiliar(self) -> bool:
        """Whether it asks for a second look."""
        look = self.measurement.look
        return look is not None and look.level != "familiar"

    @property
    def foreign(self) -> bool:
        """Whether it is beyond anything that the model was made for."""
        look = self.measurement.look
        return look is not None and look.level == "foreign"


@dataclass(frozen=True, slots=True)
class Settled:
    """What was made of a field's looks.

    Attributes:
        best: the look that counts.
        worst_case: whether the field cannot be measured.
        went_back: whether the stage was taken back to the field.
        documents: for the records; none for a field that is familiar at first sight.
    """

    best: Seen
    worst_case: bool = False
    went_back: bool = False
    documents: tuple[LookDocument, ...] = ()

    @property
    def note(self) -> str:
        """What is noted beside the observation."""
        look = self.best.measurement.look
        if look is None or look.level == "familiar":
            return ""
        return f"{look.level}: {look.guess}" if look.guess else look.level


class SecondLook:
    """Looks again where it must, within the budget.

    Args:
        imaging: moves, focuses and takes frames.
        measurer: turns frames into values, and says how familiar they are.
        unfamiliar: what becomes of foreign fields.
    """

    def __init__(self, imaging: Imaging, measurer: Measurer, unfamiliar: Unfamiliar) -> None:
        self._imaging, self._measurer, self._unfamiliar = imaging, measurer, unfamiliar
        self._ending = False

    def end(self) -> None:
        """The session ends: nothing is taken again from now on."""
        self._ending = True

    def settle(
        self,
        decision: Decision,
        frame: Frame,
        index: int,
        again: Again | None,
        place: Callable[[], StagePosition],
    ) -> Settled:
        """Measures a field's frame, takes it again where it looks unfamiliar, and decides what counts.

        Args:
            decision: whose field it is.
            frame: the first look.
            index: of that frame.
            again: what was done of a second look before an interruption.
            place: says where the field is; the instrument is asked only where there is a second look.
        """
        first = Seen(frame, index, self._measurer.measure(frame, decision.field))
        if self._unfamiliar == "off" or not first.unfamiliar:
            return Settled(first)
        second, went_back = self._second(decision, first, again, place)
        looks = [first] if second is None else [first, second]
        best = min(looks, key=lambda seen: seen.score)
        worst_case = best.foreign and self._unfamiliar == "worst_case"
        documents = tuple(_document(decision, seen, best, looks, worst_case) for seen in looks)
        return Settled(best, worst_case, went_back, documents)

    def _second(
        self, decision: Decision, first: Seen, again: Again | None, place: Callable[[], StagePosition]
    ) -> tuple[Seen | None, bool]:
        """The second look, and whether the stage was taken back for it; None where there can be none."""
        if again is not None and again.frame is not None and again.index is not None:
            return self._seen(decision, again.frame, again.index), False
        if self._ending:
            return None, False
        refocus = first.measurement.look is not None and first.measurement.look.guess != "charging"

        def look() -> tuple[Frame, int]:
            self._go_back(place())
            return self._imaging.take_again(decision.field, refocus=refocus and again is None)

        try:
            frame, index = self._imaging.recovery.attempt(
                f"second look at field {decision.field}", look, look
            )
        except UnreachableError:
            raise
        except BudgetError:
            return None, True
        except InstrumentError as error:
            self._imaging.journal.warn(
                f"field {decision.field} looked unfamiliar and could not be taken again: {error}"
            )
            return None, True
        return self._seen(decision, frame, index), True

    def _go_back(self, place: StagePosition) -> None:
        self._imaging.go_back(place)
        self._imaging.arrive()

    def _seen(self, decision: Decision, frame: Frame, index: int) -> Seen:
        return Seen(frame, index, self._measurer.measure(frame, decision.field))


def _document(
    decision: Decision, seen: Seen, best: Seen, looks: list[Seen], worst_case: bool
) -> LookDocument:
    look = seen.measurement.look
    if look is None:
        raise InstrumentError(f"field {decision.field}: a look that says nothing cannot be written down")
    if seen is best:
        action = "worst case" if worst_case else "measured"
    else:
        action = "taken again" if seen is looks[0] else "set aside"
    return LookDocument.model_validate(
        {
            "step": decision.step,
            "field": decision.field,
            "frame": seen.index,
            "level": look.level,
            "guess": look.guess,
            "score": look.score,
            "action": action,
        }
    )
