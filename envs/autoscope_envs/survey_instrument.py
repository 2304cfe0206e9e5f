"""What a whole survey's actions cost on the instruments that a policy may meet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, nearest
from autoscope_envs.instrument import InstrumentCosts

Range = tuple[float, float]


class VisitCosts(Protocol):
    """What visits cost, in seconds of the microscope's clock."""

    @property
    def visit_s(self) -> float:
        """Of the frame, its overhead included."""

    def travel_s(self, distance_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of stage moves of these lengths, settling included."""


@dataclass(frozen=True, slots=True)
class SurveyInstrument:
    """An instrument as a survey meets it; seconds of the microscope's clock.

    Attributes:
        costs: of stage moves and frames.
        focus_s: of an autofocus run.
        focus_every_s: longest time between two of them.
        sharpness_drop: relative drop of sharpness that asks for one.
        drift_s: after how long the focus has drifted so far that frames are half as sharp.
        spectrum_overhead_s: of a spectrum beside its live time.
        live_s: mean live time of a spectrum.
    """

    costs: VisitCosts
    focus_s: float
    focus_every_s: float
    sharpness_drop: float
    drift_s: float
    spectrum_overhead_s: float
    live_s: float


@dataclass(frozen=True, slots=True)
class InstrumentFamily:
    """Instruments that differ log-uniformly within ranges."""

    stage_speed_um_per_s: Range
    stage_settle_s: Range
    visit_s: Range
    focus_s: Range
    drift_s: Range
    spectrum_overhead_s: Range
    live_s: Range

    def draw(self, rng: np.random.Generator) -> SurveyInstrument:
        """One of them."""

        def between(limits: Range) -> float:
            return float(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]))))

        return SurveyInstrument(
            costs=InstrumentCosts(
                stage_speed_um_per_s=between(self.stage_speed_um_per_s),
                stage_settle_s=between(self.stage_settle_s),
                visit_s=between(self.visit_s),
            ),
            focus_s=between(self.focus_s),
            focus_every_s=600.0,
            sharpness_drop=0.15,
            drift_s=between(self.drift_s),
            spectrum_overhead_s=between(self.spectrum_overhead_s),
            live_s=between(self.live_s),
        )


INSTRUMENTS = {
    "any": InstrumentFamily(
        (50.0, 2000.0), (0.3, 8.0), (0.8, 12.0), (4.0, 120.0), (600.0, 20_000.0), (0.3, 8.0), (0.1, 5.0)
    ),
    "quick stage": InstrumentFamily(
        (400.0, 2000.0), (0.3, 1.5), (1.5, 6.0), (8.0, 20.0), (3000.0, 20_000.0), (0.5, 3.0), (0.1, 2.0)
    ),
    "slow stage": InstrumentFamily(
        (30.0, 100.0), (4.0, 8.0), (1.5, 6.0), (8.0, 20.0), (3000.0, 20_000.0), (0.5, 3.0), (0.1, 2.0)
    ),
    "costly focus": InstrumentFamily(
        (200.0, 800.0), (1.0, 4.0), (1.5, 6.0), (60.0, 150.0), (600.0, 2000.0), (0.5, 3.0), (0.1, 2.0)
    ),
    "slow spectra": InstrumentFamily(
        (200.0, 800.0), (1.0, 4.0), (1.5, 6.0), (8.0, 20.0), (3000.0, 20_000.0), (3.0, 8.0), (2.0, 10.0)
    ),
}
"""Families of instruments, by name. The middle of "any" is what was measured on real ones: 1.5 s of overhead
for an image, 7 s for a stage move."""


def instrument_family(name: str) -> InstrumentFamily:
    """The family of that name.

    Raises:
        ConfigurationError: there is none.
    """
    if name not in INSTRUMENTS:
        known = ("any", *(family for family in INSTRUMENTS if family != "any"))
        raise ConfigurationError(
            f"instrument {name!r} is unknown{nearest(name, known)}; it is one of {', '.join(known)}"
        )
    return INSTRUMENTS[name]
