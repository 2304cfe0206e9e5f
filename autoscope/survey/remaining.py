"""What is known of the fields that remain: arrays where a draw needs them, running sums where it does not."""

from __future__ import annotations

from bisect import bisect
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Prediction
from autoscope.survey.drawing import reckoned
from autoscope.survey.protocols import Proposal, SurveyView

LITTLE = 1e-3
"""Share of a sum below which what was taken away may have left rounding: it is summed anew."""


APART = 32
"""Fields that are taken away before the array of those that remain is made anew."""


class Left:
    """The ``r`` fields that remain at one moment; to ask for some, or take one away, needs no pass over them.

    Args:
        before: those that remained somewhat earlier, ascending.
        gone: positions in ``before`` of fields that do not remain, ascending.
    """

    def __init__(self, before: NDArray[np.intp], gone: tuple[int, ...] = ()) -> None:
        self._before, self._gone = before, gone

    def __len__(self) -> int:
        return len(self._before) - len(self._gone)

    @property
    def fields(self) -> NDArray[np.intp]:
        """``r``, ascending; made when it is first asked for."""
        if self._gone:
            kept = np.empty(len(self), np.intp)
            for passed, (start, end) in enumerate(pairwise((-1, *self._gone, len(self._before)))):
                kept[start + 1 - passed : end - passed] = self._before[start + 1 : end]
            self._before, self._gone = kept, ()
        return self._before

    def at(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """``fields[places]``."""
        if not self._gone:
            return self._before[places]
        passed = np.array(self._gone) - np.arange(len(self._gone))  # by every place from these on
        found: NDArray[np.intp] = self._before[places + passed.searchsorted(places, side="right")]
        return found

    def without(self, field: int) -> Left:
        """The same but for a field, which must be there."""
        if len(self._gone) == APART:
            return Left(self.fields).without(field)
        place = int(self._before.searchsorted(field))
        along = bisect(self._gone, place)
        return Left(self._before, (*self._gone[:along], place, *self._gone[along:]))


class Remaining:
    """The ``r`` fields that remain, for one draw; arrays of them are made when they are first asked for.

    Args:
        step: number of the draw, counted from 1.
        left: which.
        view: what the policy was shown.
        proposal: of the policy.
    """

    def __init__(self, step: int, left: Left, view: SurveyView, proposal: Proposal) -> None:
        self._step, self._left, self._proposal = step, left, proposal
        self.prediction, self.grid_weight = view.prediction, view.grid.weight

    def __len__(self) -> int:
        return len(self._left)

    @property
    def fields(self) -> NDArray[np.intp]:
        """``r``, ascending."""
        return self._left.fields

    def at(self, places: NDArray[np.intp]) -> NDArray[np.intp]:
        """``fields[places]``, without a pass over all of them."""
        return self._left.at(places)

    @cached_property
    def weight(self) -> NDArray[np.float64]:
        """``r``, a_i."""
        return self.grid_weight.take(self.fields)

    @cached_property
    def believed(self) -> Prediction:
        """``targets x r``: the prediction, with the spread that the proposal reckons with.

        Raises:
            EstimationError: that spread is none.
        """
        return reckoned(self.prediction, self._proposal, self.fields, self._step)


class RunningSums:
    """Sums over the fields that remain; taking a field away costs the same however many there are.

    Args:
        weight: ``n``, a_i of all fields.
        prediction: of all fields.
        fields: ``r`` that remain now.
    """

    def __init__(self, weight: NDArray[np.float64], prediction: Prediction, fields: NDArray[np.intp]) -> None:
        self.prediction, self._weight = prediction, weight
        a = weight[fields]
        self._rest: list[float] = (prediction.value[:, fields] @ a).tolist()
        self._squares: list[float] = (prediction.spread[:, fields] ** 2 @ (a * a)).tolist()
        self._at_first = list(self._squares)
        self._falling, self._largest_at = fields[np.argsort(-a, kind="stable")].tolist(), 0
        self._gone: set[int] = set()

    @property
    def rest(self) -> list[float]:
        """``targets``, sum of a f."""
        return self._rest

    @property
    def squares(self) -> list[float]:
        """``targets``, sum of (a s)²."""
        return self._squares

    @property
    def largest_weight(self) -> float:
        """The largest a."""
        while self._falling[self._largest_at] in self._gone:
            self._largest_at += 1
        return float(self._weight[self._falling[self._largest_at]])

    @property
    def worn(self) -> bool:
        """Whether so little is left of a sum that rounding may show in it."""
        return any(now < LITTLE * first for now, first in zip(self._squares, self._at_first, strict=True))

    def take(self, field: int) -> None:
        """Takes a field away."""
        a = float(self._weight[field])
        self._gone.add(field)
        value, spread = self.prediction.value[:, field].tolist(), self.prediction.spread[:, field].tolist()
        self._rest = [rest - a * f for rest, f in zip(self._rest, value, strict=True)]
        self._squares = [sum_ - (a * s) ** 2 for sum_, s in zip(self._squares, spread, strict=True)]
