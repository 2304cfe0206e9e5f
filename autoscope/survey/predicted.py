"""A prediction of every field, and what follows from it until there is another one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Prediction
from autoscope.survey.spending import ExtraCost


class Predicted:
    """A prediction, and what follows from it until the predictor makes another one.

    Attributes:
        source: what the predictor returned.
        shown: the same, which cannot be written to.
        features: ``n``, expected on each field where spectra cost time; empty where not.
        kept: what policies worked out from it.

    Args:
        prediction: of every field, checked.
        extra: what fields cost beyond a visit, where they do.
    """

    def __init__(self, prediction: Prediction, extra: ExtraCost | None) -> None:
        self.source = prediction
        self.shown = Prediction(_read_only(prediction.value), _read_only(prediction.spread))
        self.features = np.empty(0) if extra is None else extra.features(prediction.value)
        self.kept: dict[str, Any] = {}


def _read_only(values: NDArray[np.float64]) -> NDArray[np.float64]:
    view = values.view()
    view.flags.writeable = False
    return view
