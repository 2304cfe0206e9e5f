"""Policies by the name that a configuration gives them."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from autoscope.core import ConfigurationError, nearest
from autoscope.survey import Policy
from autoscope_policies.active import Active, Greedy
from autoscope_policies.designs import Proportional, Raster, Systematic, Uniform

POLICIES: dict[str, Callable[..., Policy]] = {
    "raster": Raster,
    "uniform": Uniform,
    "systematic": Systematic,
    "proportional": Proportional,
    "active": Active,
    "greedy": Greedy,
}
"""Every policy that can be made, by name."""

PLANNED = ("learned",)
"""Names that the configuration knows and that cannot be made yet."""


def make_policy(kind: str, **options: float | int | str) -> Policy:
    """Makes a policy.

    Args:
        kind: ``"uniform"`` and the like.
        options: the policy's own parameters.

    Raises:
        ConfigurationError: the kind or an option is unknown, or the policy is not built yet.
    """
    if kind in PLANNED:
        raise ConfigurationError(
            f"policy.kind = {kind!r} is not built yet; choose one of {', '.join(POLICIES)}"
        )
    if kind not in POLICIES:
        known = (*POLICIES, *PLANNED)
        raise ConfigurationError(
            f"policy.kind = {kind!r} is unknown{nearest(kind, known)}; it is one of {', '.join(POLICIES)}"
        )
    known_options = list(inspect.signature(POLICIES[kind]).parameters)
    unknown = [name for name in options if name not in known_options]
    if unknown:
        raise ConfigurationError(
            *(f"policy.{name} is unknown for {kind!r}{nearest(name, known_options)}" for name in unknown)
        )
    return POLICIES[kind](**options)
