"""Policies: a view of the survey in, a distribution over candidate fields out."""

from autoscope_policies.active import Active, Greedy
from autoscope_policies.designs import Proportional, Raster, Systematic, Uniform
from autoscope_policies.registry import LEARNED, POLICIES, make_policy

__all__ = [
    "LEARNED",
    "POLICIES",
    "Active",
    "Greedy",
    "Proportional",
    "Raster",
    "Systematic",
    "Uniform",
    "make_policy",
]
