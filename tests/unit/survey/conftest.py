"""Small populations, constant predictors, and surveys over them."""

from __future__ import annotations

import numpy as np
import pytest

from autoscope.core import Prediction, Rectangle
from autoscope.survey import Statistics, Survey, Target, lay_grid


class Constant:
    """Predicts the same for every field, whatever was measured."""

    def __init__(self, n_fields, value=0.0, spread=0.25, targets=1):
        self.updates = []
        self._prediction = Prediction(
            np.full((targets, n_fields), value), np.full((targets, n_fields), spread)
        )

    def predict(self):
        return self._prediction

    def update(self, field, value):
        self.updates.append((field, tuple(value)))


def square_grid(n_columns, n_rows=1, **options):
    box = Rectangle(0, 0, 10.0 * n_columns, 10.0 * n_rows)
    return lay_grid(box, [box], 10.0, 10.0, **options)


def make_target(half_width=0.05, *, relative=None, name="phase", low=0.0, high=1.0):
    return Target("area_fraction", name, None if relative else half_width, relative, 0.95, low, high)


def make_survey(grid, policy, *, predictor=None, targets=None, seed=0, tier="standard", exploration=0.2):
    targets = targets or (make_target(),)
    return Survey(
        grid=grid,
        targets=targets,
        policy=policy,
        predictor=predictor or Constant(len(grid), targets=len(targets)),
        statistics=Statistics(tier, exploration),
        seed=seed,
        travel_s=lambda distance_um: distance_um / 500.0 + 1.0,
        visit_s=2.0,
        start_xy_um=(0.0, 0.0),
    )


@pytest.fixture
def build():
    """The three builders above, for tests that are collected by path."""

    class Build:
        constant = Constant
        grid = staticmethod(square_grid)
        target = staticmethod(make_target)
        survey = staticmethod(make_survey)

    return Build
