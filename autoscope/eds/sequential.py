"""How long to look: slices of live time until the class is sure enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, Spectrum
from autoscope.eds.posterior import UNKNOWN, ClassModel, Posterior
from autoscope.xray import EnergyAxis


@dataclass(frozen=True, slots=True)
class SequentialRule:
    """When to stop.

    Attributes:
        slice_s: live time of the first slice; every further one is longer by ``growth``.
        max_live_s: live time in all.
        confidence: probability of a class that ends it.
        growth: ratio of a slice to the one before: looks become rarer as each tells less.

    Raises:
        ConfigurationError: a value is out of its range.
    """

    slice_s: float = 0.1
    max_live_s: float = 10.0
    confidence: float = 0.99
    growth: float = 1.2

    def __post_init__(self) -> None:
        problems = []
        if not (math.isfinite(self.slice_s) and self.slice_s > 0):
            problems.append(f"slice_s = {self.slice_s:g} s must be positive")
        if not (math.isfinite(self.max_live_s) and self.max_live_s >= self.slice_s):
            problems.append(
                f"max_live_s = {self.max_live_s:g} s must be at least one slice, {self.slice_s:g} s"
            )
        if not 0.5 <= self.confidence < 1:
            problems.append(f"confidence = {self.confidence:g} must lie in [0.5, 1)")
        if not 1 <= self.growth <= 4:
            problems.append(f"growth = {self.growth:g} must lie in [1, 4]")
        if problems:
            raise ConfigurationError(*problems)

    def slices_s(self) -> list[float]:
        """Live times of the slices; they sum to the maximum."""
        slices, left_s, next_s = [], self.max_live_s, self.slice_s
        while left_s > 0:
            taken_s = left_s if left_s < 1.5 * next_s else next_s
            slices.append(taken_s)
            left_s, next_s = left_s - taken_s, next_s * self.growth
        return slices

    def looks_s(self) -> list[float]:
        """Live times at which to look: the slices summed up; the last is the maximum."""
        looks, total_s = [], 0.0
        for slice_s in self.slices_s():
            total_s += slice_s
            looks.append(total_s)
        return looks


@dataclass(frozen=True, slots=True)
class SequentialVerdict:
    """What came out.

    Attributes:
        posterior: after all slices.
        live_s: live time spent.
        slices: how many.
        counts: ``channels``, all slices summed.
        decided: whether the confidence was reached.
    """

    posterior: Posterior
    live_s: float
    slices: int
    counts: NDArray[np.int64]
    decided: bool

    @property
    def class_name(self) -> str:
        """The class that is sure enough; `UNKNOWN` where none is."""
        return self.posterior.best if self.decided else UNKNOWN


def measure_sequentially(
    acquire: Callable[[float], Spectrum],
    model: ClassModel,
    rule: SequentialRule,
    prior: Mapping[str, float] | None = None,
) -> SequentialVerdict:
    """Collects a spectrum slice by slice until its class is sure or the maximum is reached.

    The posterior holds under any stopping, for it depends on the counts alone (the likelihood principle);
    its error rate is that of the model.

    Args:
        acquire: takes a spectrum of a live time at the place, such as ``microscope.acquire_spectrum``; its
            refusals, a spent budget among them, go through.
        model: of the classes.
        rule: when to stop.
        prior: of this feature, such as an image classifier's.

    Raises:
        ConfigurationError: the spectra have another calibration than the model.
        InstrumentError: a spectrum is not one, or was refused.
    """
    counts = np.zeros(model.axis.channels, np.int64)
    live_s, slices = 0.0, 0
    posterior = model.posterior(counts, prior)
    for slice_s in rule.slices_s():
        spectrum = acquire(slice_s)
        if EnergyAxis.of(spectrum) != model.axis:
            raise ConfigurationError(
                f"the spectrum's axis {EnergyAxis.of(spectrum)} is not the model's {model.axis}"
            )
        counts = counts + spectrum.counts
        live_s, slices = live_s + spectrum.live_s, slices + 1
        posterior = model.posterior(counts, prior)
        if posterior.confidence >= rule.confidence:
            return SequentialVerdict(posterior, live_s, slices, counts, True)
    return SequentialVerdict(posterior, live_s, slices, counts, False)
