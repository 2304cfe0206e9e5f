"""How many fields the overview saves, on specimens that the reader has not seen.

    python benchmarks/overview_gain.py --data ../shared/data --sessions 20

Uniform draws, difference estimator, standard tier with its floor of 50 fields, true values of every field.
Columns: no overview; ridge on grey-level statistics; ridge on the reader's features; both in competition
(what sessions use); the same with junk in place of both. ``h``: root-mean-square error over half-width.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from overviews import overview, strip, synthetic

from autoscope.app.truth import TruthMeasurer
from autoscope.perception.overview_card import read_reader_card, shipped_reader
from autoscope.perception.overview_groups import overview_groups
from autoscope.perception.overview_predictor import OverviewPredictor
from autoscope.session import TargetMeasure
from autoscope.survey import FieldGrid, Predictor, Statistics, Survey, TableSource, Target, lay_grid, run
from autoscope_policies import make_policy
from autoscope_simulators import SpecimenFile


@dataclass(frozen=True, slots=True)
class Case:
    """A question about a specimen.

    Attributes:
        kind: of synthetic specimen, or ``"meltpool"``.
        which: seed, or the strip's name.
        class_name: the class.
        hfw_um: of a field.
        pixel_um: of the overview.
        half_width: of the interval.
    """

    kind: str
    which: int | str
    class_name: str
    hfw_um: float
    pixel_um: float
    half_width: float


CASES = (
    *(Case("pearlite", seed, "pearlite", 16.0, 1.0, 0.01) for seed in range(4)),
    *(Case("superalloy", seed, "secondary", 0.96, 0.0586, 0.01) for seed in range(2)),
    *(Case("superalloy", seed, "tertiary", 0.96, 0.0586, 0.003) for seed in range(2)),
    *(Case("inclusions", seed, "oxide", 24.0, 0.5, 0.00025) for seed in range(2)),
    *(Case("meltpool", name, "pool", 32.0, 1.0, 0.01) for name in ("Slice1Top", "Slice1Bottom")),
)


@dataclass(frozen=True, slots=True)
class Population:
    """Fields, their true values, and what their overview says."""

    grid: FieldGrid
    values: NDArray[np.float64]
    groups: tuple[NDArray[np.float64], ...]


def population(case: Case, data: Path, folder: Path, reader: Path) -> Population:
    if isinstance(case.which, str):
        path = strip(case.which, data, folder)
    else:
        path = synthetic(case.kind, case.which, folder)
    with SpecimenFile(path) as specimen:
        if read_reader_card(reader).saw(specimen.name, specimen.sha256):
            sys.exit(f"{specimen.name} was trained on: nothing is scored on it")
        grid = lay_grid(
            specimen.extent, specimen.tiles, case.hfw_um, case.hfw_um, valid_fraction=specimen.valid_fraction
        )
        target = Target("area_fraction", case.class_name, case.half_width, None, 0.95)
        values = TruthMeasurer(specimen, grid, (TargetMeasure(target, 0.0),)).values()
        frames = overview(specimen, case.pixel_um, 512, 1.0, 5)
    groups = overview_groups(frames, grid.x_um, grid.y_um, grid.hfw_um, grid.vfw_um, reader=reader)
    return Population(grid, values, groups)


def predictors(people: Population) -> dict[str, Callable[[], Predictor]]:
    n, (grey, tails, seen) = len(people.grid), people.groups
    rng = np.random.default_rng(0)
    junk = tuple(rng.standard_normal(group.shape) for group in people.groups)
    return {
        "none": lambda: OverviewPredictor(n, 0.0, 1.0),
        "bins": lambda: OverviewPredictor(n, 0.0, 1.0, [grey]),
        "grey": lambda: OverviewPredictor(n, 0.0, 1.0, [grey, tails]),
        "reader": lambda: OverviewPredictor(n, 0.0, 1.0, [seen]),
        "trained": lambda: OverviewPredictor(n, 0.0, 1.0, people.groups),
        "junk": lambda: OverviewPredictor(n, 0.0, 1.0, junk),
    }


def score(
    case: Case, people: Population, make: Callable[[], Predictor], policy: str, seed: int
) -> tuple[int, float, bool]:
    """Fields to the target, error over the half-width, and whether the interval held the truth."""
    survey = Survey(
        grid=people.grid,
        targets=(Target("area_fraction", case.class_name, case.half_width, None, 0.95),),
        policy=make_policy(policy),
        predictor=make(),
        statistics=Statistics("standard", 0.2),
        seed=seed,
        travel_s=lambda distance_um: distance_um / 500.0 + 1.0,
        visit_s=3.0,
        start_xy_um=(0.0, 0.0),
    )
    fields = run(survey, TableSource(people.values))
    state, truth = survey.states()[0], float(people.values[0] @ people.grid.weight)
    low = -np.inf if state.ci_low is None else state.ci_low
    high = np.inf if state.ci_high is None else state.ci_high
    return fields, (state.estimate - truth) / case.half_width, bool(low - 1e-12 <= truth <= high + 1e-12)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--folder", type=Path, help="where specimen files are kept between runs")
    parser.add_argument("--reader", type=Path, default=shipped_reader())
    parser.add_argument("--sessions", type=int, default=20)
    parser.add_argument("--policy", default="uniform")
    parser.add_argument("--kinds", nargs="+", default=["pearlite", "superalloy", "inclusions", "meltpool"])
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        for case in CASES:
            if case.kind not in options.kinds:
                continue
            people = population(case, options.data, options.folder or Path(temporary), options.reader)
            truth = float(people.values[0] @ people.grid.weight)
            print(
                f"{case.kind} {case.which} {case.class_name}: {len(people.grid)} fields, truth {truth:.4f},"
                f" +-{case.half_width:g}"
            )
            for name, make in predictors(people).items():
                rows = [score(case, people, make, options.policy, seed) for seed in range(options.sessions)]
                fields, errors, covered = (np.array(column) for column in zip(*rows, strict=True))
                print(
                    f"    {name:7} {fields.mean():7.0f} fields   rmse {np.sqrt((errors**2).mean()):.2f} h"
                    f"   covered {covered.sum()}/{len(rows)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
