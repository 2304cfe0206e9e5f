"""What a target of the configuration means: bounds of a field's value, and what to expect of it."""

from __future__ import annotations

import math

from autoscope.app.config import TargetConfig
from autoscope.core import ImagingSettings
from autoscope.estimation import largest_counted_density_per_mm2
from autoscope.estimation.counts import UM2_PER_MM2
from autoscope.session import TargetMeasure
from autoscope.survey import Target

GRAINS_ACROSS = 10.0
"""Grains across a reference field that are expected before anything is known; a magnification that suits
E112 shows about so many."""


def target_measure(config: TargetConfig, reference: ImagingSettings) -> TargetMeasure:
    """A target with the bounds of its value on one field.

    area_fraction: 0 to 1. inclusions_per_mm2: up to ``highest``, or what no field can exceed; one inclusion
    on a field is what is expected. grain_size: fields are averaged as boundaries for each um of test line,
    at most one on every pixel, or ``highest``.

    Args:
        config: the table.
        reference: the scan that defines the quantity.
    """
    what = (config.quantity, config.class_name, config.half_width, config.relative, config.confidence)
    if config.quantity == "inclusions_per_mm2":
        one = UM2_PER_MM2 / (reference.hfw_um * reference.vfw_um)
        high = largest_counted_density_per_mm2(config.min_feature_um, reference.pixel_nm)
        target = Target(*what, 0.0, config.highest or high, guess=one, scatter=one, one_feature=one)
    elif config.quantity == "grain_size":
        expected, high = GRAINS_ACROSS / reference.hfw_um, 1000 / reference.pixel_nm
        target = Target(
            *what, 0.0, config.highest or high, guess=expected, scatter=expected / 2, reciprocal=True
        )
    else:
        target = Target(*what)
    return TargetMeasure(target, config.min_feature_um)


def expected_spreads(config: TargetConfig, reference: ImagingSettings) -> tuple[float, float, float]:
    """Half-width that is planned for, and between-field standard deviations: common, and nine in ten.

    All in the unit of the quantity. Before anything is measured nobody knows them; the plan says what it
    assumed. area_fraction: 0.10 and 0.20, or ten and twenty times a half-width below 0.01, for then a rarer
    phase is meant. Counts: as those of independent inclusions (Poisson), and twice that for clusters, at a
    density of ten half-widths, or of one on a field where the width is relative. grain_size: 15 % and 30 %
    of an intercept of a tenth of the field.
    """
    area_mm2 = reference.hfw_um * reference.vfw_um / UM2_PER_MM2
    if config.quantity == "inclusions_per_mm2":
        half = config.half_width if config.half_width is not None else (config.relative or 0.1) / area_mm2
        density = expected_density_per_mm2(config, reference)
        spread = math.sqrt(density / area_mm2)
        return half, spread, 2 * spread
    if config.quantity == "grain_size":
        intercept = reference.hfw_um / GRAINS_ACROSS
        half = config.half_width if config.half_width is not None else (config.relative or 0.1) * intercept
        return half, 0.15 * intercept, 0.30 * intercept
    half = config.half_width if config.half_width is not None else 0.1 * (config.relative or 0.1)
    return half, min(0.10, 10 * half), min(0.20, 20 * half)


def expected_density_per_mm2(config: TargetConfig, reference: ImagingSettings) -> float:
    """Inclusions that are planned for: ten half-widths, or one on a field where the width is relative."""
    if config.half_width is not None:
        return 10 * config.half_width
    return UM2_PER_MM2 / (reference.hfw_um * reference.vfw_um)
