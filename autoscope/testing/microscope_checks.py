"""The conformance suite of microscope drivers."""

from __future__ import annotations

import inspect

from autoscope.testing.acquisition_checks import ACQUISITION_CHECKS
from autoscope.testing.beam_checks import BEAM_CHECKS
from autoscope.testing.budget_checks import BUDGET_CHECKS
from autoscope.testing.checks import Check, Site
from autoscope.testing.ending_checks import ENDING_CHECKS
from autoscope.testing.spectrum_checks import SPECTRUM_CHECKS
from autoscope.testing.stage_checks import STAGE_CHECKS


def microscope_checks(site: Site | None = None) -> tuple[Check, ...]:
    """Every promise of a microscope driver, one check each.

    Args:
        site: where and how the driver may be exercised; on a real instrument, a place without
            surroundings to hit, and beam settings that it has.

    Returns:
        The checks; each is called with a function that makes the microscope with an envelope and a
        budget, and raises `ConformanceError` where a promise is broken.
    """
    attempts = (
        *STAGE_CHECKS, *BEAM_CHECKS, *ACQUISITION_CHECKS, *SPECTRUM_CHECKS, *BUDGET_CHECKS, *ENDING_CHECKS,
    )  # fmt: skip
    place = site or Site()
    return tuple(
        Check(attempt.__name__, inspect.cleandoc(attempt.__doc__ or attempt.__name__), place, attempt)
        for attempt in attempts
    )
