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
"""Every policy that can be made from parameters alone, by name."""

LEARNED = "learned"
"""The policy that is made from the weights of a trained network."""


def make_policy(kind: str, **options: float | int | str) -> Policy:
    """Makes a policy.

    Args:
        kind: ``"uniform"`` and the like.
        options: the policy's own parameters; ``weights`` of a learned one.

    Raises:
        ConfigurationError: the kind or an option is unknown, or a learned policy has no weights.
        ModelError: the weights cannot be used, or were trained for something else.
    """
    maker = _maker(kind)
    known_options = list(inspect.signature(maker).parameters)
    unknown = [name for name in options if name not in known_options]
    if unknown:
        raise ConfigurationError(
            *(f"policy.{name} is unknown for {kind!r}{nearest(name, known_options)}" for name in unknown)
        )
    if kind == LEARNED and not options.get("weights"):
        raise ConfigurationError(
            f"policy.kind = {kind!r} needs policy.weights = a file that 'autoscope train' wrote"
        )
    return maker(**options)


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
