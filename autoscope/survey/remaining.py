"""What is known of the fields that remain: arrays where a draw needs them, running sums where it does not."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Prediction
from autoscope.survey.drawing import reckoned
from autoscope.survey.protocols import Proposal, SurveyView

LITTLE = 1e-3
"""Share of a sum below which what was taken away may have left rounding: it is summed anew."""


class Undrawn:
    """The fields that were not drawn yet.

    Args:
        n_fields: fields in the population.
    """

    def __init__(self, n_fields: int) -> None:
        self._fields, self._taken = np.arange(n_fields), list[int]()

    def __len__(self) -> int:
        return len(self._fields) - len(self._taken)

    @property
    def fields(self) -> NDArray[np.intp]:
        """``r``, ascending; another array after a field was taken."""
        if self._taken:
            places = [-1, *self._fields.searchsorted(sorted(self._taken)).tolist(), len(self._fields)]
            kept = [self._fields[before + 1 : after] for before, after in pairwise(places)]
            self._fields, self._taken = np.concatenate(kept), []
        return self._fields

    def take(self, field: int) -> None:
        """Takes a field away, which must be there."""
        self._taken.append(field)


class Remaining:
    """The ``r`` fields that remain, for one draw; arrays of them are made when they are first asked for.

    Args:
        step: number of the draw, counted from 1.
        view: what the policy was shown.
        proposal: of the policy.
    """

    def __init__(self, step: int, view: SurveyView, proposal: Proposal) -> None:
        self._step, self._proposal = step, proposal
        self.fields, self.prediction, self.grid_weight = view.remaining, view.prediction, view.grid.weight

    def __len__(self) -> int:
        return len(self.fields)

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
        value, spread = (of[:, field].tolist() for of in (self.prediction.value, self.prediction.spread))
        self._rest = [rest - a * f for rest, f in zip(self._rest, value, strict=True)]
        self._squares = [sum_ - (a * s) ** 2 for sum_, s in zip(self._squares, spread, strict=True)]
