"""Promises that every driver keeps, as small checks to run on your own.

With pytest::

    from autoscope.testing import Check, microscope_checks

    def make(envelope, budget):
        return MyMicroscope(envelope=envelope, budget=budget)

    @pytest.mark.parametrize("check", microscope_checks(), ids=str)
    def test_my_microscope(check: Check) -> None:
        check(make)
"""

from autoscope.testing.checks import Check, ConformanceError, MakeMicroscope, Site
from autoscope.testing.microscope_checks import microscope_checks

__all__ = ["Check", "ConformanceError", "MakeMicroscope", "Site", "microscope_checks"]
