"""What an episode of a whole survey is played in: a specimen, what is asked of it, and an instrument."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, Prediction, nearest
from autoscope.estimation.counts import UM2_PER_MM2
from autoscope.survey import (
    ExtraCost,
    FieldSource,
    FixedPredictor,
    Policy,
    Predictor,
    Statistics,
    Survey,
    Target,
)
from autoscope_envs.population import (
    EMBEDDED_SIDE,
    Population,
    embedded_population,
    random_waves,
    read_overview,
    square_grid,
)
from autoscope_envs.survey_features import Features, random_features
from autoscope_envs.survey_instrument import SurveyInstrument, instrument_family
from autoscope_envs.survey_visits import LEAST_PROBABILITY, TableVisits

NEEDED_FIELDS = (60.0, 1000.0)
"""Fields that uniform draws and a plain mean would need, least and most, for the wanted half-width."""
CONFIDENCE = 0.95


class TimedSource(FieldSource, Protocol):
    """A source of measurements that knows what time it is."""

    @property
    def clock_s(self) -> float:
        """Seconds of the microscope's clock."""


class SurveyWorld(Protocol):
    """A specimen, what is asked of it and what measures it: tables, or a microscope."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def population(self) -> Population:
        """Fields, their true values and what is predicted of them."""

    def survey(self, policy: Policy, statistics: Statistics) -> tuple[Survey, TimedSource]:
        """A new survey and what measures its fields; the same every time."""


@dataclass(frozen=True, slots=True)
class TableWorld:
    """A world of tables.

    Attributes:
        name: for messages.
        population: the fields, their true values and their predictions.
        targets: what is asked.
        instrument: what actions cost.
        seed: of the draws and of everything that happens by chance.
        features: what spectra can be taken of; its targets are the last ones.
        make_predictor: makes the predictor; None: the population's prediction, which learns nothing.
        start_xy_um: where the stage stands at the beginning; None: on the first field.

    Raises:
        ConfigurationError: targets, values and features do not fit.
    """

    name: str
    population: Population
    targets: tuple[Target, ...]
    instrument: SurveyInstrument
    seed: int
    features: Features | None = None
    make_predictor: Callable[[], Predictor] | None = field(default=None, compare=False)
    start_xy_um: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        told = 0 if self.features is None else len(self.features.sizes)
        if len(self.targets) != len(self.population.values) or told > len(self.targets):
            raise ConfigurationError(
                f"world {self.name!r}: {len(self.targets)} targets, values of {len(self.population.values)}"
                f" and features of {told} do not fit"
            )

    def survey(self, policy: Policy, statistics: Statistics) -> tuple[Survey, TableVisits]:
        """A new survey with its source."""
        grid, costs, spectra = self.population.grid, self.instrument.costs, self.features is not None
        start = self.start_xy_um or (float(grid.x_um[0]), float(grid.y_um[0]))
        one_spectrum_s = self.instrument.spectrum_overhead_s + self.instrument.live_s
        predictor = FixedPredictor(self.population.prediction)
        survey = Survey(
            grid=grid,
            targets=self.targets,
            policy=policy,
            predictor=predictor if self.make_predictor is None else self.make_predictor(),
            statistics=statistics,
            seed=self.seed,
            travel_s=costs.travel_s,
            visit_s=costs.visit_s,
            start_xy_um=start,
            extra=ExtraCost(self.targets, one_spectrum_s) if spectra else None,
            focus_s=self.instrument.focus_s,
            spectrum_s=self.instrument.spectrum_overhead_s if spectra else None,
        )
        rng = np.random.default_rng([self.seed, 1])
        return survey, TableVisits(grid, self.population.values, self.instrument, start, rng, self.features)


MakeWorld = Callable[[np.random.Generator], SurveyWorld]


def phase_world(rng: np.random.Generator, instrument: SurveyInstrument, side: int) -> TableWorld:
    """One phase fraction."""
    population = embedded_population(rng, side=side)
    target = _wanted(rng, Target("area_fraction", "phase", None, None, CONFIDENCE), population.values[0])
    return TableWorld(population.name, population, (target,), instrument, _seed(rng))


def inclusion_world(rng: np.random.Generator, instrument: SurveyInstrument, side: int) -> TableWorld:
    """Inclusions of one class among others, which spectra tell."""
    population, features = _inclusions(rng, side, classes=1)
    targets = _counted(rng, population, features)
    return TableWorld("inclusions", population, targets, instrument, _seed(rng), features)


def coupled_world(rng: np.random.Generator, instrument: SurveyInstrument, side: int) -> TableWorld:
    """A phase fraction and the inclusions of one or two classes, on the same fields."""
    phase = embedded_population(rng, side=side)
    counted, features = _inclusions(rng, side, classes=int(rng.integers(1, 3)))
    target = _wanted(rng, Target("area_fraction", "phase", None, None, CONFIDENCE), phase.values[0])
    population = Population(
        f"{phase.name} and inclusions",
        phase.grid,
        np.concatenate([phase.values, counted.values]),
        Prediction(
            np.concatenate([phase.prediction.value, counted.prediction.value]),
            np.concatenate([phase.prediction.spread, counted.prediction.spread]),
        ),
    )
    targets = (target, *_counted(rng, counted, features))
    return TableWorld(population.name, population, targets, instrument, _seed(rng), features)


SPECIMENS: dict[str, Callable[[np.random.Generator, SurveyInstrument, int], TableWorld]] = {
    "phase": phase_world,
    "inclusions": inclusion_world,
    "coupled": coupled_world,
}
"""Kinds of specimens and what is asked of them, by name."""


def random_world(
    rng: np.random.Generator,
    *,
    specimen: str = "any",
    instrument: str = "any",
    side: int = EMBEDDED_SIDE,
) -> TableWorld:
    """A world drawn at random: its specimen, how well it is predicted, what is asked, what it costs.

    Args:
        rng: of the episode.
        specimen: a name of `SPECIMENS`, or any of them.
        instrument: a family of :data:`autoscope_envs.survey_instrument.INSTRUMENTS`.
        side: fields along an edge.

    Raises:
        ConfigurationError: a name is unknown, or the side below 8.
    """
    if specimen != "any" and specimen not in SPECIMENS:
        known = ("any", *SPECIMENS)
        raise ConfigurationError(
            f"specimen {specimen!r} is unknown{nearest(specimen, known)}; it is one of {', '.join(known)}"
        )
    if side < 8:
        raise ConfigurationError(f"side = {side} fields must be 8 or more")
    drawn = instrument_family(instrument).draw(rng)
    kind = str(rng.choice(list(SPECIMENS))) if specimen == "any" else specimen
    return SPECIMENS[kind](rng, drawn, side)


def _inclusions(rng: np.random.Generator, side: int, classes: int) -> tuple[Population, Features]:
    """Fields with inclusions, clustered or not, and what the overview says of them."""
    grid = square_grid(side)
    one = UM2_PER_MM2 / (grid.hfw_um * grid.vfw_um)
    clustered = np.exp(rng.uniform(0.0, 1.2) * random_waves(rng, side)).ravel()
    expected = np.exp(rng.uniform(np.log(0.15), np.log(3.0))) * clustered / clustered.mean()
    features = random_features(rng, expected, one, classes=classes)
    values = features.values
    explained = rng.uniform(0.1, 0.9)
    read = [read_overview(rng, row, explained, high=_highest(one), least_spread=0.05 * one) for row in values]
    prediction = Prediction(np.concatenate([p.value for p in read]), np.concatenate([p.spread for p in read]))
    return Population("inclusions", grid, values, prediction), features


def _highest(one: float) -> float:
    return 200 * one


def _counted(rng: np.random.Generator, population: Population, features: Features) -> tuple[Target, ...]:
    """Targets that count features; their values are estimates, and may lie outside of what is possible."""
    one = float(features.sizes.max()) if features.sizes.size else 1.0
    high = _highest(one)
    found = []
    for k, values in enumerate(population.values):
        target = Target(
            "inclusions_per_mm2", f"class {k + 1}", None, None, CONFIDENCE, 0.0, high, one, one,
            one_feature=one, measured=(-high / LEAST_PROBABILITY, high / LEAST_PROBABILITY),
        )  # fmt: skip
        found.append(_wanted(rng, target, values))
    return tuple(found)


def _wanted(rng: np.random.Generator, target: Target, values: NDArray[np.float64]) -> Target:
    """The target with a half-width for which uniform draws and a plain mean need 60 to 1000 fields."""
    scatter = max(float(values.std()), 1e-4)
    fields = np.exp(rng.uniform(*np.log(NEEDED_FIELDS)))
    return replace(target, half_width=float(1.96 * scatter / np.sqrt(fields)))


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**31))
