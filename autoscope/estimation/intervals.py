"""Half-widths of intervals that rest on a central limit theorem."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

from autoscope.estimation.difference import Combined

STOPPING_ALLOWANCE = 1.1
"""Factor on t SE where the interval's own width decides when to stop (METHODS section 2)."""

MIXTURE_SCALE = 0.953
"""rho² of the confidence sequence in units of the wanted half-width squared: tight where it stops."""


def t_half_width(combined: Combined, confidence: float, *, allowance: float = STOPPING_ALLOWANCE) -> float:
    """``allowance`` times t times SE, t quantile on K - 1 degrees of freedom; infinite without an SE.

    Watched until it is narrow enough, the bare t interval covers less than it says; 1.1 is the price of
    stopping by width (Chow & Robbins, Ann. Math. Stat. 36 (1965) 457; factor measured, METHODS section 2).
    """
    if math.isnan(combined.standard_error):
        return math.inf
    quantile = float(_t_quantile()(combined.effective_draws - 1, 0.5 + confidence / 2))
    return allowance * quantile * combined.standard_error


@cache
def _t_quantile() -> Callable[[float, float], float]:
    """Of degrees of freedom and a probability; loaded when it is first needed."""
    from scipy.special import stdtrit

    quantile: Callable[[float, float], float] = stdtrit
    return quantile


def normal_half_width(variance: float, confidence: float) -> float:
    """Z times the root of a variance that is an estimate from many independent terms."""
    from scipy.special import ndtri

    return float(ndtri(0.5 + confidence / 2)) * math.sqrt(variance)


def sequence_half_width(combined: Combined, weight_sum: float, confidence: float, wanted: float) -> float:
    """Half-width of the asymptotic confidence sequence: it may be watched and stopped at will.

    sqrt((U + 1/rho²)(ln(1 + rho² U) + 2 ln(1/alpha))) / sum w with U = SE² (sum w)² and
    rho² = 0.953 h² (Waudby-Smith et al., arXiv 2103.06476, normal mixture boundary).

    Args:
        combined: pseudo-values averaged with weights 1/V.
        weight_sum: the sum of these weights, in absolute units (1 / variance).
        confidence: coverage at all times together.
        wanted: h, the half-width that is aimed at; fixed before looking.
    """
    if math.isnan(combined.standard_error) or not wanted > 0:
        return math.inf
    variance = (combined.standard_error * weight_sum) ** 2
    rho2 = MIXTURE_SCALE * wanted**2
    boundary = (variance + 1 / rho2) * (math.log1p(rho2 * variance) + 2 * math.log(1 / (1 - confidence)))
    return math.sqrt(boundary) / weight_sum
