"""Populations of fields to survey without images: a table of true values and overview features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from overviews import overview
from scipy.ndimage import gaussian_filter

from autoscope.core import Rectangle
from autoscope.estimation import area_fraction
from autoscope.perception.overview_card import shipped_reader
from autoscope.perception.overview_groups import overview_groups
from autoscope.survey import FieldGrid, lay_grid

SIDE = 64
HFW_UM = 50.0
OVERVIEW_PX = 512
FIELD_PX = 16


@dataclass(frozen=True, slots=True)
class Table:
    """A population whose every value is known.

    Attributes:
        name: for the printed table.
        grid: the fields.
        values: ``1 x fields``, true area fractions.
        groups: ``fields x d`` each, what an overview would say.
    """

    name: str
    grid: FieldGrid
    values: NDArray[np.float64]
    groups: tuple[NDArray[np.float64], ...]

    @property
    def truth(self) -> float:
        """The area fraction of the region."""
        return float(self.values[0] @ self.grid.weight)


def _square_grid() -> FieldGrid:
    box = Rectangle(0.0, 0.0, SIDE * HFW_UM, SIDE * HFW_UM)
    return lay_grid(box, [box], HFW_UM, HFW_UM)


def _smooth(rng: np.random.Generator, sigma: float) -> NDArray[np.float64]:
    field = gaussian_filter(rng.standard_normal((SIDE, SIDE)), sigma, mode="wrap")
    return np.asarray(field / field.std())


def _overview(values: NDArray[np.float64], rng: np.random.Generator, error: float) -> NDArray[np.float64]:
    """A noisy, bent reading of the values, and seven features that mean nothing."""
    reading = values + error * values.std() * rng.standard_normal(len(values))
    return np.column_stack([reading, reading**2, rng.standard_normal((len(values), 7))])


def banded(*, seed: int = 1, error: float = 0.35) -> Table:
    """A common phase, about 18 %: bands that run along the rows, with patches and field-to-field scatter."""
    rng = np.random.default_rng(seed)
    rows = np.arange(SIDE)[:, None] + 1.5 * _smooth(rng, 6.0)
    bands = np.clip(np.sin(2 * np.pi * rows / 9.1), 0, None)
    level = 0.11 + 0.22 * bands + 0.06 * _smooth(rng, 2.0) + 0.05 * rng.standard_normal((SIDE, SIDE))
    values = np.clip(level, 0, 1).ravel()
    return Table("banded", _square_grid(), values[None], (_overview(values, rng, error),))


def clustered(*, seed: int = 2, error: float = 0.35) -> Table:
    """A rare phase, about 2.5 %, in clusters; most fields hold nothing."""
    rng = np.random.default_rng(seed)
    level = _smooth(rng, 2.5) + 0.3 * rng.standard_normal((SIDE, SIDE))
    values = np.clip(0.28 * np.clip(level - 0.9, 0, None), 0, 1).ravel()
    return Table("clustered", _square_grid(), values[None], (_overview(values, rng, error),))


def junk(*, seed: int = 1) -> Table:
    """The banded phase with an overview that means nothing."""
    table = banded(seed=seed)
    rng = np.random.default_rng(seed + 1)
    return Table("banded, junk overview", table.grid, table.values, (rng.standard_normal((SIDE**2, 9)),))


SYNTHETIC: dict[str, Callable[[], Table]] = {"banded": banded, "clustered": clustered, "junk": junk}


def from_specimen(path: Path, class_name: str, hfw_um: float) -> Table:
    """The table of a specimen file: true area fractions, and the overview of the simulated microscope.

    A field is 16 overview pixels wide; grey levels, their tails and the trained reader describe it.

    Args:
        path: specimen file with truth.
        class_name: the class whose area fraction is asked.
        hfw_um: edge of the square fields.
    """
    from autoscope_simulators.specimen_file import SpecimenFile

    with SpecimenFile(path) as specimen:
        grid = lay_grid(
            specimen.extent, specimen.tiles, hfw_um, hfw_um, valid_fraction=specimen.valid_fraction
        )
        names = specimen.class_names or ()
        if class_name not in names:
            raise SystemExit(f"{path} has no true class {class_name!r}; it has: {', '.join(names) or 'none'}")
        values = np.empty((1, len(grid)))
        for field in range(len(grid)):
            rectangle = grid.rectangle(field)
            labels, valid = specimen.truth_window(rectangle), specimen.valid_pixels(rectangle)
            values[0, field] = area_fraction(labels, names.index(class_name), valid=valid)
        frames = overview(specimen, hfw_um / FIELD_PX, OVERVIEW_PX, 1.0, 5)
    groups = overview_groups(frames, grid.x_um, grid.y_um, grid.hfw_um, grid.vfw_um, reader=shipped_reader())
    return Table(f"{path.stem}:{class_name}", grid, values, groups)
