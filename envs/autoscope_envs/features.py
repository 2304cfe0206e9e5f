"""What an episode of the trigger is played on: every feature, as the image sees it and as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError
from autoscope.estimation import UM2_PER_MM2, largest_density_per_mm2
from autoscope.survey import Target
from autoscope_envs.population import Population, random_waves, read_overview, square_grid

GROUPS: Mapping[str, tuple[str, ...]] = {
    "oxide": ("alumina", "spinel"),
    "sulphide": ("MnS", "CaS"),
    "nitride": ("TiN",),
}
"""Image classes of the embedded specimens, and the spectral classes that each may consist of."""

EMBEDDED_FIELDS = 40
LEAST_FEATURES = 30
"""Features of its class that a target needs."""
LEAST_DIAMETER_UM = 1.5


@dataclass(frozen=True, slots=True)
class FeatureTable:
    """The features of a specimen, in the order of their fields.

    Attributes:
        groups: image class to the spectral classes that it is thought to consist of.
        names: the spectral classes.
        members: those of them that the target counts.
        field: ``features``, index of the field, ascending.
        image: ``image classes x features``, what the image classifier says; sums to 1 over the classes.
        true_class: ``features``, index into ``names`` of what a spectrum shows.
        diameter_um: ``features``, of the circle of equal area.
        live: ``features``, live time that each needs over the mean.
        population: the fields, the number of the target's class per mm² on each, and what is predicted of it.

    Raises:
        ConfigurationError: the arrays do not fit each other.
    """

    groups: Mapping[str, tuple[str, ...]]
    names: tuple[str, ...]
    members: tuple[str, ...]
    field: NDArray[np.intp]
    image: NDArray[np.float64]
    true_class: NDArray[np.intp]
    diameter_um: NDArray[np.float64]
    live: NDArray[np.float64]
    population: Population

    def __post_init__(self) -> None:
        count = len(self.field)
        each = (count,)
        wanted: dict[str, tuple[int, ...]] = {"image": (len(self.groups), count), "true_class": each}
        wanted |= {"diameter_um": each, "live": each}
        problems = [
            f"features of {self.population.name!r}: {name} has shape {getattr(self, name).shape}, not {shape}"
            for name, shape in wanted.items()
            if getattr(self, name).shape != shape
        ]
        if (np.diff(self.field) < 0).any():
            problems.append(f"features of {self.population.name!r} must be in the order of their fields")
        unknown = [name for name in self.members if name not in self.names]
        if unknown or not self.members:
            problems.append(f"the target counts {unknown or 'no class'}; there are {', '.join(self.names)}")
        if problems:
            raise ConfigurationError(*problems)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """``names``, whether the target counts them."""
        return np.isin(self.names, self.members)

    def target(self, relative: float) -> Target:
        """The target: how many of the members there are per mm²."""
        one = self.one_feature
        return Target(
            "inclusions_per_mm2", "/".join(self.members), None, relative, 0.95,
            low=0.0, high=largest_density_per_mm2(LEAST_DIAMETER_UM), guess=one, scatter=one, one_feature=one,
        )  # fmt: skip

    @property
    def one_feature(self) -> float:
        """Number per mm² of a field that holds one feature."""
        return UM2_PER_MM2 / self.population.grid.area_um2(0)


def embedded_features(rng: np.random.Generator, *, side: int = EMBEDDED_FIELDS) -> FeatureTable:
    """A steel drawn at random: how many inclusions, of which classes, how well the image tells them apart.

    Between 0.15 and 4 inclusions a field (log-uniform), clustered or not, with class frequencies and sizes
    that differ from episode to episode. The image classifier's evidence separates the image classes by 0.5
    to 4 standard deviations; in half of the episodes its probabilities are honest, in the others too sure or
    too timid by a factor of 0.3 to 3 in their logarithms and shifted towards a class. The target is an image
    class or, which no image tells from its like, a spectral class.

    Args:
        rng: of the episode.
        side: fields along an edge.
    """
    names = tuple(name for members in GROUPS.values() for name in members)
    field = _placed(rng, side)
    shares = rng.dirichlet(np.full(len(names), 0.8))
    true_class = rng.choice(len(names), len(field), p=shares)
    group = np.repeat(np.arange(len(GROUPS)), [len(m) for m in GROUPS.values()])
    image = _classified(rng, group[true_class], np.bincount(group, shares).astype(float))
    members = _drawn_target(rng, names, true_class)
    diameter_um = LEAST_DIAMETER_UM * np.exp(rng.exponential(0.4, len(field)))
    grid = square_grid(side)
    one = UM2_PER_MM2 / grid.area_um2(0)
    counted = np.isin(true_class, [names.index(m) for m in members])
    values = np.bincount(field[counted], np.full(counted.sum(), one), len(grid)).astype(float)
    highest = largest_density_per_mm2(LEAST_DIAMETER_UM)
    overview = read_overview(rng, values, rng.uniform(0.05, 0.7), high=highest, least_spread=0.05 * one)
    return FeatureTable(
        groups=GROUPS,
        names=names,
        members=members,
        field=field,
        image=image,
        true_class=true_class,
        diameter_um=diameter_um,
        live=_live(rng, diameter_um),
        population=Population(f"steel, {'/'.join(members)}", grid, values[None], overview),
    )


def _placed(rng: np.random.Generator, side: int) -> NDArray[np.intp]:
    """Field of every feature, ascending: Poisson, with a rate that varies over the specimen or does not."""
    rate = np.exp(rng.uniform(np.log(0.15), np.log(4.0)))
    clustering = rng.choice([0.0, 0.5, 1.0])
    intensity = np.exp(clustering * random_waves(rng, side)).ravel()
    number = rng.poisson(rate * intensity / intensity.mean())
    number[: max(0, LEAST_FEATURES - int(number.sum()))] += 1
    return np.repeat(np.arange(side**2), number)


def _classified(
    rng: np.random.Generator, group: NDArray[np.intp], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """``image classes x features``: normal evidence for the true class, turned into probabilities.

    With the right shares and separation they are Bayes' own; a wrong temperature and shift make them lie.
    """
    separation = rng.uniform(0.5, 4.0)
    evidence = rng.standard_normal((len(shares), len(group)))
    evidence[group, np.arange(len(group))] += separation
    score = separation * evidence + np.log(np.maximum(shares, 1e-3))[:, None]
    if rng.random() < 0.5:
        score = np.exp(rng.uniform(np.log(0.3), np.log(3.0))) * score + rng.normal(0, 1.5, (len(shares), 1))
    odds = np.exp(score - score.max(axis=0))
    return np.asarray(odds / odds.sum(axis=0))


def _live(rng: np.random.Generator, diameter_um: NDArray[np.float64]) -> NDArray[np.float64]:
    """``features``, mean 1: a smaller inclusion shows more of the matrix and takes longer to recognise."""
    live = rng.gamma(2.0, 0.5, len(diameter_um)) / diameter_um
    return np.asarray(live / live.mean())


def _drawn_target(
    rng: np.random.Generator, names: tuple[str, ...], true_class: NDArray[np.intp]
) -> tuple[str, ...]:
    """The classes of a target that has something to count."""
    number = dict(zip(names, np.bincount(true_class, minlength=len(names)).tolist(), strict=True))
    targets = [*GROUPS.values(), *((name,) for name in names)]
    counts = [sum(number[name] for name in members) for members in targets]
    enough = [t for t, count in zip(targets, counts, strict=True) if count >= LEAST_FEATURES]
    return tuple(enough[rng.integers(len(enough))] if enough else targets[int(np.argmax(counts))])
