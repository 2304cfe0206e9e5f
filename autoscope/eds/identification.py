"""Which elements a spectrum shows, with net intensities: peaks and background are fitted together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError
from autoscope.eds.fitting import LEAST_EXPECTED, check_counts, fit
from autoscope.xray import (
    SHELLS,
    Detector,
    EnergyAxis,
    Geometry,
    absorption,
    family_edge_ev,
    lines_of,
    main_family,
    mass_attenuation,
)

ELEMENTS = (
    "C", "N", "O", "F", "Na", "Mg", "Al", "Si", "P", "S", "Cl", "K", "Ca", "Ti", "V", "Cr", "Mn", "Fe", "Ni",
    "Cu", "Zn", "Zr", "Nb",
)  # fmt: skip
"""What is looked for unless told otherwise: the elements of inclusions, slags, steels and rocks."""

LOWEST_EV = 200.0
"""Channels below hold the detector's noise and its strobe."""

HIGHEST_EV = 11_000.0
"""Channels above hold none of the lines that elements are measured by."""

ABSORBERS = (("Fe", 1.0), ("Fe", 4.0), ("O", 1.0), ("O", 4.0), ("Si", 1.0), ("S", 1.0), ("Ca", 1.0))
"""Elements whose edges the background may show, and their mass thickness in units of 0.3 mg/cm²."""

THICKNESS_G_CM2 = 3e-4
"""Mass thickness that the electrons of 20 kV spread over, roughly."""


@dataclass(frozen=True, slots=True)
class ElementSignal:
    """What a spectrum shows of one element.

    Attributes:
        element: symbol.
        family: the lines it is measured by: ``"K"``, ``"L"`` or ``"M"``.
        counts: net counts of the family.
        standard_error: of the counts, from counting and from imperfect shapes.
        present: whether the counts exceed the threshold.
    """

    element: str
    family: str
    counts: float
    standard_error: float
    present: bool

    @property
    def significance(self) -> float:
        """Counts in units of their standard error."""
        return self.counts / self.standard_error


@dataclass(frozen=True, slots=True)
class Identification:
    """Everything that a spectrum shows.

    Attributes:
        signals: one for each element that was looked for.
        expected: ``channels``, the fitted spectrum; zero where it was not fitted.
        background: ``channels``, its background alone.
    """

    signals: tuple[ElementSignal, ...]
    expected: NDArray[np.float64]
    background: NDArray[np.float64]

    @property
    def elements(self) -> frozenset[str]:
        """The elements that are present."""
        return frozenset(signal.element for signal in self.signals if signal.present)


class Identifier:
    """Looks for elements in spectra of one calibration.

    Every family of lines is one shape, its lines in their tabulated ratios, so overlapping lines of two
    elements are told apart by the families' other lines. The background is a sum of bremsstrahlung shapes
    (Kramers' law times the detector's efficiency, less or more absorbed). All amplitudes are fitted together.

    Args:
        axis: the spectra's energy axis.
        elements: what to look for.
        detector: the detector that took the spectra.
        kv: beam energy.
        threshold: how many standard errors make an element present.
        shape_error: relative error of the modelled shapes: that share of what lies under a peak is added to
            its standard error, so that no number of counts makes an element out of a bad background.

    Raises:
        ConfigurationError: an element is unknown, named twice or has no line on the axis, or the axis does
            not reach over the lines.
    """

    def __init__(
        self,
        axis: EnergyAxis,
        elements: Sequence[str] = ELEMENTS,
        *,
        detector: Detector | None = None,
        kv: float = 20.0,
        threshold: float = 3.0,
        shape_error: float = 0.02,
    ) -> None:
        self.axis, self.detector, self.kv = axis, detector or Detector(), kv
        self._threshold, self._shape_error = threshold, shape_error
        energies = axis.energies_ev
        self._used = _between(axis, LOWEST_EV, min(HIGHEST_EV, 980 * kv))
        self._inner = EnergyAxis(
            self._used.stop - self._used.start, axis.ev_per_channel, float(energies[self._used.start])
        )
        if len(set(elements)) != len(elements):
            raise ConfigurationError(f"an element is named twice in {', '.join(elements)}")
        peaks = {
            (element, family): shape
            for element in elements
            for family in SHELLS
            if (shape := self._peak(element, family)) is not None
        }
        self._families = [(element, main_family(element)) for element in elements]
        lacking = [element for element, family in self._families if (element, family) not in peaks]
        if lacking:
            raise ConfigurationError(
                f"no line of {', '.join(lacking)} lies on the spectrum's axis, {energies[0] / 1000:.3g} to"
                f" {energies[-1] / 1000:.3g} keV at {kv:g} kV; leave these elements out or"
                " check the calibration"
            )
        self._at = [list(peaks).index(key) for key in self._families]
        background = self._background()
        self._n_background = background.shape[1]
        self._shapes = np.column_stack([*peaks.values(), background])
        tall = self._shapes[:, self._at]
        self._under = tall / tall.max(axis=0)

    def identify(self, counts: NDArray[np.integer | np.floating]) -> Identification:
        """Finds the elements of one spectrum.

        Args:
            counts: ``channels``, as counted.

        Raises:
            InstrumentError: a count is negative or not finite.
            ConfigurationError: the spectrum has other channels than the axis.
        """
        row = check_counts(counts)
        if len(row) != self.axis.channels:
            raise ConfigurationError(
                f"a spectrum of {len(row)} channels does not fit an axis of {self.axis.channels}"
            )
        fitted = fit(row[self._used], self._shapes)
        own = fitted.amplitudes[self._at]
        beside = self._under.T @ fitted.expected - own * np.sum(
            self._under * self._shapes[:, self._at], axis=0
        )
        errors = np.hypot(fitted.standard_errors[self._at], self._shape_error * beside)
        signals = tuple(
            ElementSignal(element, family, float(n), float(se), bool(n > self._threshold * se))
            for (element, family), n, se in zip(self._families, own, errors, strict=True)
        )
        smooth = self._shapes[:, -self._n_background :] @ fitted.amplitudes[-self._n_background :]
        return Identification(signals, self._spread(fitted.expected), self._spread(smooth))

    def _peak(self, element: str, family: str) -> NDArray[np.float64] | None:
        """A family as the detector sees it, of sum 1; None where it is not excited or not on the axis."""
        edge_ev = family_edge_ev(element, family)
        if edge_ev is None or edge_ev > 800 * self.kv:
            return None
        lines = lines_of(element, family)
        energies = np.array([line.energy_ev for line in lines])
        # Absorbed as in the element itself: where soft lines matter, the place consists of it.
        escaping = absorption({element: 1.0}, energies, edge_ev, Geometry(kv=self.kv))
        efficiency = self.detector.efficiency(energies) * escaping
        shape = np.zeros(self._inner.channels)
        for line, share in zip(lines, efficiency, strict=True):
            shape += share * self.detector.peak(self._inner, (line,))
        seen = float(shape.sum())
        on_axis = float(efficiency @ [line.weight for line in lines])
        return shape / seen if seen > 0.5 * on_axis else None

    def _background(self) -> NDArray[np.float64]:
        """``channels x shapes``, bremsstrahlung of several absorptions and curvatures, each of sum 1."""
        energies = self._inner.energies_ev
        ratio = (1000 * self.kv - energies) / energies
        efficiency = self.detector.efficiency(energies)
        shapes = [ratio * efficiency, ratio**2 * efficiency, efficiency]
        for element, amount in ABSORBERS:
            depth = mass_attenuation({element: 1.0}, energies) * THICKNESS_G_CM2 * amount
            shapes.append(ratio * efficiency / (1 + depth))
        return np.column_stack([shape / shape.sum() for shape in shapes])

    def deviance(self, counts: NDArray[np.float64]) -> float:
        """Poisson deviance of the fit, for each channel that was fitted: about 1 where the model holds."""
        fitted = fit(counts[self._used], self._shapes)
        n, expected = counts[self._used], np.maximum(fitted.expected, LEAST_EXPECTED)
        logs = np.where(n > 0, n * np.log(np.maximum(n, 1) / expected), 0.0)
        return float(2 * np.sum(logs - (n - expected)) / len(n))

    def _spread(self, fitted: NDArray[np.float64]) -> NDArray[np.float64]:
        whole = np.zeros(self.axis.channels)
        whole[self._used] = fitted
        return whole


def _between(axis: EnergyAxis, low_ev: float, high_ev: float) -> slice:
    """The channels between two energies.

    Raises:
        ConfigurationError: there are fewer than 20.
    """
    energies = axis.energies_ev
    start, stop = np.searchsorted(energies, [low_ev, high_ev])
    if stop - start < 20:
        raise ConfigurationError(
            f"the spectrum's axis, {energies[0] / 1000:.3g} to {energies[-1] / 1000:.3g} keV, has"
            f" {stop - start} channels between {low_ev / 1000:g} and {high_ev / 1000:g} keV; at least 20 are"
            " needed: check the calibration"
        )
    return slice(int(start), int(stop))
