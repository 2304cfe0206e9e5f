"""What actions cost on the instruments that a policy may meet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class InstrumentCosts:
    """What a visit costs, in seconds of the microscope's clock.

    Attributes:
        stage_speed_um_per_s: of the stage.
        stage_settle_s: after every move.
        visit_s: of the frame, its overhead included.
    """

    stage_speed_um_per_s: float
    stage_settle_s: float
    visit_s: float

    def travel_s(self, distance_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds of stage moves of these lengths, settling included."""
        return distance_um / self.stage_speed_um_per_s + self.stage_settle_s

    def distance_um(self, travel_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Lengths of stage moves that take so long, settling included."""
        return (travel_s - self.stage_settle_s) * self.stage_speed_um_per_s


def random_instrument(rng: np.random.Generator) -> InstrumentCosts:
    """An instrument drawn at random: log-uniform over a factor of ten or more in each of its costs.

    The middle is what was measured on real instruments: 1.5 s of overhead for an image, 7 s for a stage move.
    """
    return InstrumentCosts(
        stage_speed_um_per_s=float(np.exp(rng.uniform(np.log(50.0), np.log(2000.0)))),
        stage_settle_s=float(np.exp(rng.uniform(np.log(0.3), np.log(8.0)))),
        visit_s=float(np.exp(rng.uniform(np.log(0.8), np.log(12.0)))),
    )


@dataclass(frozen=True, slots=True)
class SpectrumCosts:
    """What visits and spectra cost, in seconds of the microscope's clock.

    Attributes:
        visit_s: of a visit without spectra, travel and frame included.
        overhead_s: of a spectrum beside its live time.
        live_s: live time of a spectrum, mean over the features.
    """

    visit_s: float
    overhead_s: float
    live_s: float


def random_spectrum_costs(rng: np.random.Generator) -> SpectrumCosts:
    """A spectrometer drawn at random, log-uniform; from beams that hop in no time to stages that must move.

    Live times are those of a sequential stop between strong and weak beams (docs/measurements.md: 0.1 to
    0.4 s at 100 pA, 2 s where the classes are alike).
    """
    return SpectrumCosts(
        visit_s=float(np.exp(rng.uniform(np.log(2.0), np.log(15.0)))),
        overhead_s=float(np.exp(rng.uniform(np.log(0.3), np.log(4.0)))),
        live_s=float(np.exp(rng.uniform(np.log(0.1), np.log(5.0)))),
    )
