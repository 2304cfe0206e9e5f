"""Small tables of fields, and cells with episodes made up by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from autoscope.app.benchmarking.config import PolicyEntry, SpecimenEntry
from autoscope.app.benchmarking.episode import Answer, Cell, Episode
from autoscope.app.benchmarking.scoring import Scored
from autoscope.app.benchmarking.table import FieldTable, SurveyCosts
from autoscope.core import Rectangle
from autoscope.survey import lay_grid
from autoscope_simulators import Timing


def field_table(values, *, side=2, features=None):
    box = Rectangle(0.0, 0.0, 10.0 * side, 10.0 * side)
    grid = lay_grid(box, [box], 10.0, 10.0)
    values = np.atleast_2d(np.asarray(values, float))
    if features is None:
        features = values.T.copy()
    costs = SurveyCosts(Timing(), 1.5, 30.0, (10.0, 10.0), 600.0)
    return FieldTable(
        "steel", "ab" * 32, True, grid, values, (features, features[:, :1] ** 2, features[:, :1] ** 3), costs
    )


def specimen_entry(half_width=0.02, relative=None, **options):
    target = {"quantity": "area_fraction", "class": "pearlite"}
    target |= {"relative": relative} if relative else {"half_width": half_width}
    return SpecimenEntry.model_validate({"specimen": "synthetic:pearlite", "targets": [target], **options})


def scored_cell(
    *, policy, fields, estimates=None, specimen="steel", half_width=0.02, relative=None, tier="standard"
):
    table = field_table([0.1, 0.2, 0.3, 0.4])
    cell = Cell(
        key=f"{specimen}-{policy}",
        specimen=specimen,
        entry=specimen_entry(half_width, relative),
        specimen_seed=0,
        table=Path("nowhere.npz"),
        policy=PolicyEntry(name=policy, kind=policy),
        tier=tier,
        exploration=0.2,
        seed=1,
    )
    estimates = [0.25] * len(fields) if estimates is None else estimates
    episodes = tuple(
        Episode(cell.key, n, count, 10.0 * count, (Answer(e, e - 0.015, e + 0.015, True),))
        for n, (count, e) in enumerate(zip(fields, estimates, strict=True))
    )
    return Scored(cell, episodes, table)


@pytest.fixture
def make_scored():
    return scored_cell


@pytest.fixture
def make_table():
    return field_table


@pytest.fixture
def make_entry():
    return specimen_entry
