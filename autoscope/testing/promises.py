"""Promises of things that are made without an argument: policies and environments."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from autoscope.testing.checks import ConformanceError

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Promise(Generic[Made]):
    """One promise, and how it is tried out.

    Attributes:
        name: such as ``a_survey_ends_in_a_census``.
        promise: the promise as a sentence.
    """

    name: str
    promise: str
    attempt: Callable[[Callable[[], Made]], None] = field(repr=False)

    def __call__(self, make: Callable[[], Made]) -> None:
        """Tries the promise out.

        Args:
            make: makes a fresh one; it may be called more than once.

        Raises:
            ConformanceError: the promise was broken.
        """
        try:
            self.attempt(make)
        except ConformanceError as error:
            raise ConformanceError(f"{self.promise} {error}") from error

    def __str__(self) -> str:
        return self.name


def promises(attempts: Iterable[Callable[[Callable[[], Made]], None]]) -> tuple[Promise[Made], ...]:
    """A promise for each attempt, called as the function is and promising what its docstring says."""
    return tuple(Promise(a.__name__, inspect.cleandoc(a.__doc__ or a.__name__), a) for a in attempts)
