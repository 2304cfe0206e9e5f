"""Measurements from a table: every field's value is known beforehand, only the survey does not know."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Prediction
from autoscope.survey.protocols import Decision, Outcome


class TableSource:
    """Answers decisions from a table of per-field values.

    Args:
        values: ``targets x fields``.
        lost: fields that cannot be measured.
    """

    def __init__(self, values: NDArray[np.float64], *, lost: Collection[int] = ()) -> None:
        self._values = np.atleast_2d(np.asarray(values, float))
        self._lost = frozenset(lost)

    def travel(self, decision: Decision) -> None:
        """A table has no stage."""

    def collect(self, decision: Decision) -> Outcome:
        """The values of the decision's field."""
        if decision.field in self._lost:
            return Outcome(None, "not measurable")
        return Outcome(self._values[:, decision.field])

    def acquire(self, decision: Decision) -> None:
        """A table needs no frame."""


class FixedPredictor:
    """A :class:`autoscope.survey.Predictor` that was made once and learns nothing.

    Args:
        prediction: of every field.
    """

    def __init__(self, prediction: Prediction) -> None:
        self._prediction = prediction

    def predict(self) -> Prediction:
        """The prediction."""
        return self._prediction

    def update(self, field: int, value: NDArray[np.float64]) -> None:
        """Learns nothing."""
