"""Classes of inclusions, defined by ranges of their elements, in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError
from autoscope.xray import atomic_number
from autoscope.xray.atoms import xraylib

SHIPPED = Path(__file__).with_name("classes.toml")
"""The classes of steels that come with autoscope."""

TOUCHING = 1e-9
"""Ranges that share less than this touch, and do not overlap."""

ATTEMPTS = 2000
"""Draws after which a class is given up whose ranges hardly allow a composition."""


@dataclass(frozen=True, slots=True)
class InclusionClass:
    """A class of inclusions.

    Attributes:
        name: what reports call it.
        ranges: element to its lowest and highest atomic fraction; what is not named is not there.

    Raises:
        ConfigurationError: a range is empty or outside [0, 1], an element is unknown, or no composition
            within the ranges sums to 1.
    """

    name: str
    ranges: Mapping[str, tuple[float, float]]

    def __post_init__(self) -> None:
        problems = []
        for element, (low, high) in self.ranges.items():
            atomic_number(element)
            if not 0 <= low <= high <= 1:
                problems.append(
                    f"class {self.name!r}: {element} = [{low:g}, {high:g}] must be a range within [0, 1]"
                )
        lowest, highest = (sum(r[k] for r in self.ranges.values()) for k in (0, 1))
        if not problems and not lowest <= 1 + TOUCHING <= highest + 2 * TOUCHING:
            problems.append(
                f"class {self.name!r}: its ranges sum to {lowest:g} ... {highest:g}, so no composition sums"
                " to 1; widen them or name the elements that are missing"
            )
        if problems:
            raise ConfigurationError(*problems)

    def holds(self, atoms: Mapping[str, float]) -> bool:
        """Whether a composition, as atomic fractions, lies in the class."""
        elements = {*self.ranges, *(element for element, fraction in atoms.items() if fraction > 0)}
        limits = ((self.ranges.get(e, (0.0, 0.0)), atoms.get(e, 0.0)) for e in elements)
        return all(low - TOUCHING <= fraction <= high + TOUCHING for (low, high), fraction in limits)

    def corners(self) -> list[dict[str, float]]:
        """The composition richest in each element, as atomic fractions.

        What else is needed comes from the elements that every composition has, then from the others in the
        order of the ranges; so a class of mixed carbides has the pure ones as corners.
        """
        order = sorted(self.ranges, key=lambda element: -self.ranges[element][0])
        found = []
        for first in self.ranges:
            atoms = {element: low for element, (low, _) in self.ranges.items()}
            for element in [first, *(e for e in order if e != first)]:
                room = min(self.ranges[element][1] - atoms[element], 1 - sum(atoms.values()))
                atoms[element] += max(room, 0.0)
            found.append({element: fraction for element, fraction in atoms.items() if fraction > 0})
        return found

    def draw(self, n: int, rng: np.random.Generator) -> list[dict[str, float]]:
        """Compositions in the class, ``n`` of them, as atomic fractions.

        Uniform in the ranges, scaled to sum 1, and drawn again where scaling led out of them.

        Raises:
            ConfigurationError: the ranges hardly allow any.
        """
        low, high = (np.array([r[k] for r in self.ranges.values()]) for k in (0, 1))
        found: list[NDArray[np.float64]] = []
        for _ in range(ATTEMPTS * n):
            fractions = rng.uniform(low, high)
            if fractions.sum() <= 0:
                continue
            fractions /= fractions.sum()
            if np.all((fractions >= low - TOUCHING) & (fractions <= high + TOUCHING)):
                found.append(fractions)
            if len(found) == n:
                return [dict(zip(self.ranges, f.tolist(), strict=True)) for f in found]
        raise ConfigurationError(f"class {self.name!r}: its ranges hardly allow a composition; widen them")


def shipped_classes() -> tuple[InclusionClass, ...]:
    """Alumina, spinel, Mn-Al-Si-O, MnS, (Ca,Mn)S, CaS, TiN, carbide, dirt, matrix."""
    return load_classes(SHIPPED)


def load_classes(path: Path) -> tuple[InclusionClass, ...]:
    """Reads classes: one table ``[classes.NAME]`` each, with ``Element = [lowest, highest]``.

    Raises:
        ConfigurationError: the file is missing or no such TOML, classes are wrong or overlap (every problem
            is named), or xraylib is not installed.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"the classes {path} cannot be read: {error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} is not TOML: {error}") from error
    tables = document.get("classes")
    unknown = [key for key in document if key != "classes"]
    if unknown or not isinstance(tables, dict) or len(tables) < 2:
        raise ConfigurationError(
            f"{path} must hold two or more tables [classes.NAME] and nothing else"
            + (f", not {', '.join(unknown)}" if unknown else "")
        )
    xraylib()  # knows the elements: where it is absent, that is one problem, not one of every class
    problems: list[str] = []
    classes = []
    for name, table in tables.items():
        try:
            classes.append(InclusionClass(str(name), _ranges(str(name), table)))
        except ConfigurationError as error:
            problems += error.problems
    problems += overlaps(classes)
    if problems:
        raise ConfigurationError(*(f"{path}: {problem}" for problem in problems))
    return tuple(classes)


def overlaps(classes: Sequence[InclusionClass]) -> list[str]:
    """Pairs of classes that share compositions, one sentence each."""
    found = []
    for a, b in combinations(classes, 2):
        shared = {}
        for element in {*a.ranges, *b.ranges}:
            (low_a, high_a), (low_b, high_b) = (c.ranges.get(element, (0.0, 0.0)) for c in (a, b))
            shared[element] = (max(low_a, low_b), min(high_a, high_b))
        free = [high - low for low, high in shared.values()]
        wide = [high - low > TOUCHING for low, high in shared.values()]
        fixed = [high == low == 0 for low, high in shared.values()]
        sums = sum(low for low, _ in shared.values()), sum(high for _, high in shared.values())
        inside = all(w or f for w, f in zip(wide, fixed, strict=True)) and min(free) >= 0
        if inside and sums[0] < 1 - TOUCHING < sums[1]:
            found.append(
                f"classes {a.name!r} and {b.name!r} overlap: a composition may be in only one of them"
            )
    return found


def _ranges(name: str, table: Any) -> dict[str, tuple[float, float]]:
    if not isinstance(table, dict) or not table:
        raise ConfigurationError(f"class {name!r} names no element; write Al = [0.36, 0.44]")
    ranges, problems = {}, []
    for element, limits in table.items():
        pair = isinstance(limits, list) and len(limits) == 2
        if not pair or not all(isinstance(v, int | float) for v in limits):
            problems.append(f"class {name!r}: {element} = {limits!r} must be [lowest, highest]")
        else:
            ranges[str(element)] = (float(limits[0]), float(limits[1]))
    if problems:
        raise ConfigurationError(*problems)
    return ranges
