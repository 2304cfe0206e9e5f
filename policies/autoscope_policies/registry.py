"""Policies by the name that a configuration gives them."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping

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
"""Every policy that can be made from parameters alone, by name."""

WHOLE = ("int", "int | None")
"""Annotations of parameters that are whole numbers."""

LEARNED = "learned"
"""The policy that is made from the weights of a trained network."""


def make_policy(kind: str, **options: float | int | str) -> Policy:
    """Makes a policy.

    Args:
        kind: ``"uniform"`` and the like.
        options: the policy's own parameters; ``weights`` of a learned one.

    Raises:
        ConfigurationError: the kind or an option is unknown, an option is not the number that it must be,
            or a learned policy has no weights.
        ModelError: the weights cannot be used, or were trained for something else.
    """
    maker = _maker(kind)
    problems = _problems_of(kind, options, inspect.signature(maker).parameters)
    if problems:
        raise ConfigurationError(*problems)
    if kind == LEARNED and not options.get("weights"):
        raise ConfigurationError(
            f"policy.kind = {kind!r} needs policy.weights = a file that 'autoscope train' wrote"
        )
    return maker(**options)


def _problems_of(
    kind: str, options: Mapping[str, float | int | str], known: Mapping[str, inspect.Parameter]
) -> list[str]:
    """What is wrong with the options before the policy itself looks at their values."""
    problems = []
    for name, value in options.items():
        if name not in known:
            problems.append(f"policy.options.{name} is unknown for {kind!r}{nearest(name, list(known))}")
        elif known[name].annotation in WHOLE and not isinstance(value, int):
            problems.append(f"policy.options.{name} = {value} must be a whole number")
        elif isinstance(value, float) and not math.isfinite(value):
            problems.append(f"policy.options.{name} = {value} must be a finite number")
    return problems


def _maker(kind: str) -> Callable[..., Policy]:
    if kind in POLICIES:
        return POLICIES[kind]
    if kind == LEARNED:
        from autoscope_policies.learned import Learned

        return Learned
    known = (*POLICIES, LEARNED)
    raise ConfigurationError(
        f"policy.kind = {kind!r} is unknown{nearest(kind, known)}; it is one of {', '.join(known)}"
    )
