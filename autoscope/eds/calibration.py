"""The energy calibration and the resolution that a spectrum itself shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, InstrumentError
from autoscope.eds.fitting import check_counts
from autoscope.eds.identification import Identifier
from autoscope.xray import Detector, EnergyAxis

FEWEST_COUNTS = 20_000
"""A spectrum of fewer counts does not say its calibration well enough."""

LARGEST_SHIFT_EV = 80.0
"""A calibration that is further off at 1 or at 6 keV than this is wrong, and is not guessed at."""

LOW_EV, HIGH_EV = 1000.0, 6000.0
"""Where shifts are searched and reported."""

STEP_EV = 15.0
"""First step of the search."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a spectrum says of its axis and its detector.

    Attributes:
        axis: the corrected axis.
        detector: the detector with its resolution.
        shift_low_ev: by how much the spectrum's own axis was off at 1 keV.
        shift_high_ev: at 6 keV.
        deviance: of the best fit, for each channel.
    """

    axis: EnergyAxis
    detector: Detector
    shift_low_ev: float
    shift_high_ev: float
    deviance: float


def calibrate(
    counts: NDArray[np.integer | np.floating],
    axis: EnergyAxis,
    elements: Sequence[str],
    *,
    detector: Detector | None = None,
    kv: float = 20.0,
) -> Calibration:
    """Finds gain, offset and resolution: those with which the modelled spectrum fits best.

    Args:
        counts: ``channels``, a spectrum of many counts, such as the sum of a map.
        axis: its axis, as the instrument has it.
        elements: what the spectrum shows, at least three of them; peaks far apart tell the gain.
        detector: the detector, with a first guess of its resolution.
        kv: beam energy.

    Raises:
        InstrumentError: there are too few counts, or the calibration is further off than can be corrected.
        ConfigurationError: fewer than three elements.
    """
    from scipy.optimize import minimize

    row, start = check_counts(counts), detector or Detector()
    if len(elements) < 3:
        raise ConfigurationError(f"a calibration needs three elements or more, not {len(elements)}")
    if row.sum() < FEWEST_COUNTS:
        raise InstrumentError(
            f"{row.sum():.0f} counts are too few to calibrate from; {FEWEST_COUNTS} are needed: count longer"
        )

    def model(parameters: NDArray[np.float64]) -> tuple[EnergyAxis, Detector]:
        low, high, broader = parameters.tolist()
        return corrected_axis(axis, low, high), replace(start, fwhm_mn_ka_ev=max(120.0, 129.0 + broader))

    def misfit(parameters: NDArray[np.float64]) -> float:
        corrected, seen_by = model(parameters)
        return Identifier(corrected, elements, detector=seen_by, kv=kv).deviance(row)

    simplex = np.array([[0, 0, 0], [STEP_EV, STEP_EV, 0], [0, STEP_EV, 0], [0, 0, -4]], float)
    options = {"initial_simplex": simplex, "xatol": 0.3, "fatol": 1e-3, "maxfev": 160}
    best = minimize(misfit, np.zeros(3), method="Nelder-Mead", options=options)
    low, high = float(best.x[0]), float(best.x[1])
    if max(abs(low), abs(high)) > LARGEST_SHIFT_EV:
        raise InstrumentError(
            f"the spectrum's calibration is off by {low:.0f} eV at 1 keV and {high:.0f} eV at 6 keV,"
            f" more than {LARGEST_SHIFT_EV:g} eV; calibrate the EDS detector, or check that"
            f" {', '.join(elements)} are there"
        )
    return Calibration(*model(best.x), low, high, float(best.fun))


def corrected_axis(axis: EnergyAxis, low_ev: float, high_ev: float) -> EnergyAxis:
    """The axis on which what was at 1 and at 6 keV lies lower by these shifts."""
    gain = 1 - (high_ev - low_ev) / (HIGH_EV - LOW_EV)
    offset = LOW_EV - low_ev - gain * LOW_EV
    return EnergyAxis(axis.channels, gain * axis.ev_per_channel, gain * axis.offset_ev + offset)
