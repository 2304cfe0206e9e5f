"""What an episode is played on: fields, their true values, and what is predicted of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, Prediction, Rectangle
from autoscope.survey import FieldGrid, lay_grid

EMBEDDED_SIDE = 64
EMBEDDED_HFW_UM = 50.0


@dataclass(frozen=True, slots=True)
class Population:
    """A specimen as a survey meets it: a table of measurements made once by the perception.

    Attributes:
        name: for messages and the render.
        grid: the fields.
        values: ``targets x fields``, what the reference measurement says.
        prediction: ``targets x fields`` values and spreads, what the overview says beforehand.

    Raises:
        ConfigurationError: the shapes do not fit, or a value is not finite: without the values of every field
            there is nothing to train on.
    """

    name: str
    grid: FieldGrid
    values: NDArray[np.float64]
    prediction: Prediction

    def __post_init__(self) -> None:
        shape = self.prediction.value.shape
        if self.values.shape != shape or shape[-1] != len(self.grid):
            raise ConfigurationError(
                f"population {self.name!r}: values {self.values.shape} and predictions {shape} must both be"
                f" targets x {len(self.grid)} fields"
            )
        bad = ~np.isfinite(self.values)
        if bad.any():
            target, field = (int(item[0]) for item in np.nonzero(bad))
            raise ConfigurationError(
                f"population {self.name!r}: the value of target {target} on field {field} is"
                f" {self.values[target, field]:g}; training needs the true value of every field"
            )

    @property
    def truth(self) -> NDArray[np.float64]:
        """``targets``: what a survey estimates."""
        return np.asarray(self.values @ self.grid.weight)


def embedded_population(rng: np.random.Generator, *, side: int = EMBEDDED_SIDE) -> Population:
    """A population drawn at random, so that ``gym.make`` needs no file: bands, patches or rare clusters.

    The mean phase fraction lies between about 2 and 30 %, and the overview explains between a tenth and nine
    tenths of the variance between fields: the predictor's quality is part of what a policy must be robust to.

    Args:
        rng: of the episode.
        side: fields along an edge.

    Returns:
        ``side²`` fields, one target.
    """
    waves = random_waves(rng, side)
    rare = rng.random() < 0.4
    if rare:
        values = 0.25 * np.maximum(waves - rng.uniform(0.8, 1.6), 0.0)
    else:
        values = rng.uniform(0.08, 0.25) + rng.uniform(0.02, 0.08) * waves
    values = np.clip(values + 0.01 * rng.standard_normal(values.shape), 0.0, 1.0).ravel()
    prediction = read_overview(rng, values, rng.uniform(0.1, 0.9), high=1.0, least_spread=1e-3)
    name = "rare clusters" if rare else "common phase"
    return Population(name, square_grid(side), values[None], prediction)


def read_overview(
    rng: np.random.Generator,
    values: NDArray[np.float64],
    explained: float,
    *,
    high: float,
    least_spread: float,
) -> Prediction:
    """What an overview that explains a share of the variance between fields says of them; one target.

    Args:
        rng: of the episode.
        values: ``fields``.
        explained: the share, in (0, 1).
        high: largest possible value; the lowest is 0.
        least_spread: the predicted spread is at least this.
    """
    spread = max(float(values.std()), least_spread)
    noise = spread * np.sqrt((1 - explained) / explained)
    reading = values + noise * rng.standard_normal(values.size)
    value = values.mean() + explained * (reading - values.mean())
    size = np.full(values.size, spread * np.sqrt(1 - explained))
    return Prediction(np.clip(value, 0.0, high)[None], np.maximum(size, least_spread)[None])


def random_waves(rng: np.random.Generator, side: int) -> NDArray[np.float64]:
    """``side x side``, unit variance: a sum of plane waves with a red spectrum, in one or all directions."""
    row, column = np.mgrid[0:side, 0:side] / side
    total = np.zeros((side, side))
    banded = rng.random() < 0.5
    heading = rng.uniform(0, np.pi)
    for _ in range(12):
        frequency = rng.uniform(1, 12)
        angle = heading + (0.1 * rng.standard_normal() if banded else rng.uniform(0, np.pi))
        phase = rng.uniform(0, 2 * np.pi)
        along = np.cos(angle) * column + np.sin(angle) * row
        total += np.sin(2 * np.pi * frequency * along + phase) / np.sqrt(frequency)
    return np.asarray((total - total.mean()) / total.std())


def square_grid(side: int) -> FieldGrid:
    """A square of fields."""
    box = Rectangle(0.0, 0.0, side * EMBEDDED_HFW_UM, side * EMBEDDED_HFW_UM)
    return lay_grid(box, [box], EMBEDDED_HFW_UM, EMBEDDED_HFW_UM)
