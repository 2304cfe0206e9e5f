"""Do the intervals cover what they say? Simulated sessions on tables of true values.

    python benchmarks/coverage.py --jobs 2
    python benchmarks/coverage.py --specimen strip.h5 --class pool --hfw-um 20 --half-width 0.02

Prints, for each population and policy: coverage with its 99 % Monte-Carlo interval (Clopper-Pearson), bias
over the half-width, fields, and the share of sessions that only the floor of 50 fields kept going.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

sys.path.insert(0, str(Path(__file__).resolve().parent))

from tables import SYNTHETIC, Table, from_specimen

from autoscope.estimation import MINIMUM_FIELDS
from autoscope.perception.overview_predictor import OverviewPredictor
from autoscope.survey import Policy, Statistics, Survey, TableSource, Target, run
from autoscope_policies import make_policy


@dataclass(frozen=True, slots=True)
class Session:
    """How one simulated session ended."""

    error: float
    low: float
    high: float
    covered: bool
    met: bool
    fields: int


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the printed table."""

    population: str
    policy: str
    tier: str
    truth: float
    fields_in_region: int
    half_width: float
    sessions: int
    coverage: float
    coverage_low: float
    coverage_high: float
    bias_over_half_width: float
    rmse_over_half_width: float
    reached: float
    fields_mean: float
    fields_p90: float
    stopped_by_floor: float


def simulate(
    table: Table, policy: str, tier: str, half_width: float, exploration: float, seed: int
) -> Session:
    """One session on a table."""
    target = Target("area_fraction", "phase", half_width, None, 0.95)
    survey = Survey(
        grid=table.grid,
        targets=(target,),
        policy=make(policy),
        predictor=OverviewPredictor(len(table.grid), 0.0, 1.0, table.groups),
        statistics=Statistics(tier, exploration),
        seed=seed,
        travel_s=_travel_s,
        visit_s=3.0,
        start_xy_um=(0.0, 0.0),
    )
    fields = run(survey, TableSource(table.values))
    state = survey.states()[0]
    low = -np.inf if state.ci_low is None else state.ci_low
    high = np.inf if state.ci_high is None else state.ci_high
    slack = 1e-12
    covered = low - slack <= table.truth <= high + slack
    return Session(state.estimate - table.truth, low, high, bool(covered), state.met, fields)


def make(policy: str) -> Policy:
    """A policy from its name and options: ``"active"``, ``"active:batch=8"``."""
    kind, *options = policy.split(":")
    return make_policy(kind, **{key: int(value) for key, value in (option.split("=") for option in options)})


def _travel_s(distance_um: NDArray[np.float64]) -> NDArray[np.float64]:
    return distance_um / 500.0 + 1.0


def summarise(table: Table, policy: str, tier: str, half_width: float, sessions: list[Session]) -> Row:
    """Coverage and cost of many sessions."""
    count, hits = len(sessions), sum(session.covered for session in sessions)
    errors = np.array([session.error for session in sessions])
    fields = np.array([session.fields for session in sessions])
    return Row(
        table.name, policy, tier, table.truth, len(table.grid), half_width, count, hits / count,
        *interval_99(hits, count),
        float(errors.mean() / half_width), float(np.sqrt((errors**2).mean()) / half_width),
        float(np.mean([session.met for session in sessions])),
        float(fields.mean()), float(np.quantile(fields, 0.9)),
        float((fields <= MINIMUM_FIELDS + 1).mean()),
    )  # fmt: skip


def interval_99(hits: int, count: int) -> tuple[float, float]:
    """99 % Monte-Carlo interval of a share (Clopper and Pearson 1934)."""
    low = 0.0 if hits == 0 else float(betaincinv(hits, count - hits + 1, 0.005))
    return low, 1.0 if hits == count else float(betaincinv(hits + 1, count - hits, 0.995))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=500)
    parser.add_argument("--policies", nargs="+", default=["uniform", "proportional"])
    parser.add_argument("--populations", nargs="*", default=list(SYNTHETIC), choices=list(SYNTHETIC))
    parser.add_argument("--tier", default="standard")
    parser.add_argument("--exploration", type=float, default=0.2)
    parser.add_argument("--half-width", type=float, help="default: 0.01, and 15 %% of a phase below 0.05")
    parser.add_argument("--specimen", type=Path, nargs="*", default=[], help="specimen files with truth")
    parser.add_argument("--class", dest="class_name", help="class of the specimen files")
    parser.add_argument("--hfw-um", type=float, default=50.0, help="field width on the specimen files")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    tables = [SYNTHETIC[name]() for name in options.populations]
    tables += [from_specimen(path, options.class_name, options.hfw_um) for path in options.specimen]
    rows = []
    began = time.monotonic()
    for table in tables:
        half_width = options.half_width or (0.15 * table.truth if table.truth < 0.05 else 0.01)
        for policy in options.policies:
            session = partial(simulate, table, policy, options.tier, half_width, options.exploration)
            rows.append(
                summarise(
                    table,
                    policy,
                    options.tier,
                    half_width,
                    _sessions(session, options.sessions, options.jobs),
                )
            )
            if not options.json:
                _print(rows[-1], header=len(rows) == 1)
    if options.json:
        print(json.dumps({"schema": "autoscope.coverage/1", "rows": [asdict(row) for row in rows]}, indent=1))
    else:
        print(f"{time.monotonic() - began:.0f} s")


def _sessions(session: Callable[[int], Session], count: int, jobs: int) -> list[Session]:
    if jobs == 1:
        return [session(seed) for seed in range(count)]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(session, range(count), chunksize=max(1, count // (8 * jobs))))


def _print(row: Row, *, header: bool) -> None:
    if header:
        print(
            f"{'population':24} {'policy':13} {'truth':>7} {'+-':>7} {'coverage [99 % MC]':>22} {'bias/h':>7}"
            f" {'rmse/h':>7} {'met':>5} {'fields':>7} {'p90':>6} {'of':>6} {'floor':>6}"
        )
    print(
        f"{row.population[:24]:24} {row.policy:13} {row.truth:7.4f} {row.half_width:7.4f}"
        f" {row.coverage:7.3f} [{row.coverage_low:.3f}, {row.coverage_high:.3f}]"
        f" {row.bias_over_half_width:7.3f} {row.rmse_over_half_width:7.3f} {row.reached:5.2f}"
        f" {row.fields_mean:7.1f} {row.fields_p90:6.0f} {row.fields_in_region:6d}"
        f" {row.stopped_by_floor:6.2f}",
        flush=True,
    )


if __name__ == "__main__":
    main()
