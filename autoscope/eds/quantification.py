"""From net intensities to a composition without standards, with what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscope.core import ConfigurationError
from autoscope.eds.identification import ElementSignal
from autoscope.xray import Detector, EnergyAxis, Geometry, emitted_peak, line_yield, lines_of

HARD_ERROR, SOFT_ERROR = 0.10, 0.30
"""Relative standard error of the modelled sensitivities, for lines above and below 1 keV.

Nineteen in twenty standardless analyses lie within 25 % of the truth (Newbury, Swyt and Myklebust 1995),
and worse for light elements, whose lines the window and the specimen absorb."""

ROUNDS = 30
CONVERGED = 1e-6
"""Largest change of a fraction in the last round of the matrix correction."""


@dataclass(frozen=True, slots=True)
class Quantified:
    """The mass fraction of one element, normalised to the elements that were quantified.

    Attributes:
        element: symbol.
        mass_fraction: of the elements together.
        standard_error: from counting and from the sensitivities' error, normalisation included.
    """

    element: str
    mass_fraction: float
    standard_error: float


def quantify(
    signals: Sequence[ElementSignal],
    *,
    detector: Detector | None = None,
    geometry: Geometry | None = None,
) -> tuple[Quantified, ...]:
    """Mass fractions of the elements that are present, normalised to 1.

    Net counts are divided by what the model expects of a unit mass fraction (generation, absorption, detector
    efficiency), with the matrix correction iterated to its fixed point. Limits: a flat, bulk, homogeneous
    material is assumed; secondary fluorescence is left out (up to some per cent for Cr in steel); elements
    that are not on the list, hydrogen to beryllium among them, are missing from the sum; a small inclusion's
    matrix is part of the result.

    Args:
        signals: of one spectrum; those that are not present are left out.
        detector: that took it.
        geometry: beam energy and take-off angle.

    Raises:
        ConfigurationError: no element is present, or the iteration does not settle.
    """
    detector, geometry = detector or Detector(), geometry or Geometry()
    present = [signal for signal in signals if signal.present]
    if not present:
        raise ConfigurationError("no element is present: there is nothing to quantify; count longer")
    counts = np.array([signal.counts for signal in present])
    fractions = counts / counts.sum()
    for _ in range(ROUNDS):
        composition = dict(zip([s.element for s in present], fractions.tolist(), strict=True))
        sensitivity = np.array([_sensitivity(s, composition, detector, geometry) for s in present])
        raw = counts / sensitivity
        updated = raw / raw.sum()
        change, fractions = float(np.abs(updated - fractions).max()), updated
        if change < CONVERGED:
            break
    else:
        raise ConfigurationError(
            f"the matrix correction did not settle within {ROUNDS} rounds (last change {change:.2g})"
        )
    model = np.array([_model_error(s) for s in present])
    relative = np.hypot([s.standard_error / s.counts for s in present], model)
    # c_i = x_i / sum x, hence dc_i = c_i (r_i - sum_k c_k r_k) with relative errors r
    jacobian = fractions[:, None] * (np.eye(len(present)) - fractions[None, :])
    errors = np.sqrt(((jacobian * relative) ** 2).sum(axis=1))
    return tuple(
        Quantified(s.element, float(c), float(se))
        for s, c, se in zip(present, fractions, errors, strict=True)
    )


def _sensitivity(
    signal: ElementSignal, composition: dict[str, float], detector: Detector, geometry: Geometry
) -> float:
    """Counts on the axis per unit mass fraction, in units that all elements share."""
    axis = EnergyAxis(max(1, int(100 * geometry.kv)), 10.0)
    generated = line_yield(signal.element, signal.family, composition, geometry)
    return generated * float(
        emitted_peak(signal.element, signal.family, composition, axis, detector, geometry).sum()
    )


def _model_error(signal: ElementSignal) -> float:
    lines = lines_of(signal.element, signal.family)
    return HARD_ERROR if max(line.energy_ev for line in lines) > 1000 else SOFT_ERROR
