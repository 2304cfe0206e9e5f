"""Promises that every driver, environment and policy keeps, as small checks to run on your own.

With pytest::

    from autoscope.testing import Check, environment_checks, microscope_checks, policy_checks

    def make(envelope, budget):
        return MyMicroscope(envelope=envelope, budget=budget)

    @pytest.mark.parametrize("check", microscope_checks(), ids=str)
    def test_my_microscope(check: Check) -> None:
        check(make)

    @pytest.mark.parametrize("check", policy_checks(), ids=str)
    def test_my_policy(check) -> None:
        check(MyPolicy)

    @pytest.mark.parametrize("check", environment_checks(), ids=str)
    def test_my_environment(check) -> None:
        check(lambda: MyEnvironment(render_mode="rgb_array"))
"""

from autoscope.testing.checks import Check, ConformanceError, MakeMicroscope, Site
from autoscope.testing.environment_checks import MakeEnvironment, environment_checks
from autoscope.testing.microscope_checks import microscope_checks
from autoscope.testing.policy_checks import MakePolicy, policy_checks
from autoscope.testing.promises import Promise

__all__ = [
    "Check",
    "ConformanceError",
    "MakeEnvironment",
    "MakeMicroscope",
    "MakePolicy",
    "Promise",
    "Site",
    "environment_checks",
    "microscope_checks",
    "policy_checks",
]
