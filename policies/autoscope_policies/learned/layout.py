"""What a network sees and what it may choose, by name: a policy serves only where both are the same."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from autoscope.core import ConfigurationError


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that is chosen in every step.

    Attributes:
        name: of the thing, such as ``"travel exponent"``.
        options: what may be chosen, in the order of the network's outputs.
    """

    name: str
    options: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.options)


@dataclass(frozen=True, slots=True)
class Layout:
    """Observations and choices, in order.

    Attributes:
        observations: names, one for each number of the observation.
        choices: what is chosen; a ``Discrete`` action space has one, a ``MultiDiscrete`` one several.

    Raises:
        ConfigurationError: a name occurs twice, or there is nothing to see or to choose.
    """

    observations: tuple[str, ...]
    choices: tuple[Choice, ...]

    def __post_init__(self) -> None:
        problems = [
            f"the {what} {name!r} is there twice"
            for what, names in (
                ("observation", self.observations),
                ("choice", tuple(choice.name for choice in self.choices)),
            )
            for name in sorted({name for name in names if names.count(name) > 1})
        ]
        problems += [f"the choice {choice.name!r} has no options" for choice in self.choices if not choice]
        if not self.observations or not self.choices:
            problems.append("a layout needs an observation and a choice")
        if problems:
            raise ConfigurationError(*problems)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many options each choice has."""
        return tuple(len(choice) for choice in self.choices)

    @property
    def n_options(self) -> int:
        """Options of all choices together: the network's outputs."""
        return sum(self.sizes)

    @property
    def combinations(self) -> int:
        """How many different actions there are."""
        return math.prod(self.sizes)


def differences(found: Layout, wanted: Layout) -> tuple[str, ...]:
    """What a policy's layout has otherwise than the one that is wanted; empty where they are the same.

    Args:
        found: of the policy.
        wanted: of the environment or the session.
    """
    names = [choice.name for choice in found.choices]
    wanted_names = [choice.name for choice in wanted.choices]
    said = [
        *_compared("observations", found.observations, wanted.observations),
        *_compared("choices", names, wanted_names),
    ]
    options = {choice.name: choice.options for choice in wanted.choices}
    for choice in found.choices:
        if choice.name in options:
            said += _compared(f"options of {choice.name!r}", choice.options, options[choice.name])
    return tuple(said)


def _compared(what: str, found: Sequence[str], wanted: Sequence[str]) -> list[str]:
    missing = [name for name in wanted if name not in found]
    additional = [name for name in found if name not in wanted]
    said = []
    if missing:
        said.append(f"{what}: it lacks {', '.join(map(repr, missing))}")
    if additional:
        said.append(f"{what}: it has {', '.join(map(repr, additional))} in addition")
    if not said and list(found) != list(wanted):
        place = next(i for i, (one, other) in enumerate(zip(found, wanted, strict=True)) if one != other)
        said.append(
            f"{what}: they are in another order, from number {place}:"
            f" {found[place]!r} instead of {wanted[place]!r}"
        )
    return said
