"""What a policy is told of the instrument: what its actions take, and how the last frame came out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


def _free(distance_um: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.zeros_like(distance_um)


@dataclass(frozen=True, slots=True)
class Prices:
    """What the instrument's actions take, in seconds of its clock; they do not change during a survey.

    Attributes:
        travel_s: of stage moves of these lengths (um, array in and out).
        visit_s: of a visit apart from travel.
        focus_s: of an autofocus run.
        spectrum_s: of a spectrum beside its live time; None where no spectra are taken.
    """

    travel_s: Callable[[NDArray[np.float64]], NDArray[np.float64]] = _free
    visit_s: float = 1.0
    focus_s: float = 0.0
    spectrum_s: float | None = None


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the last field that came back was taken.

    Attributes:
        sharpness: median sharpness of the last frames over that of the first ones after focusing; 1 before
            anything is known.
        focus_age_s: how old the focus was, in seconds of the microscope's clock.
        extra_s: mean seconds that a field took beyond travel and frame.
    """

    sharpness: float = 1.0
    focus_age_s: float = 0.0
    extra_s: float = 0.0
