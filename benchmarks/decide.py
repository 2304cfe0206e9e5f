"""How long one decision takes the computer, by number of fields and policy (one core).

    python benchmarks/decide.py [--weights policy.safetensors]

A decision and an observation together: prediction, distribution, draw, pseudo-value, intervals.
"""

from __future__ import annotations

import argparse
import json
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

from autoscope.core import Rectangle
from autoscope.perception.overview_predictor import OverviewPredictor
from autoscope.survey import Policy, Statistics, Survey, TableSource, Target, lay_grid, step
from autoscope_policies import LEARNED, POLICIES, make_policy


def measure(side: int, policy: Policy, steps: int) -> tuple[float, float]:
    """Median and longest milliseconds of a step on ``side x side`` fields, after a pilot of 40."""
    rng = np.random.default_rng(0)
    n = side * side
    box = Rectangle(0.0, 0.0, 10.0 * side, 10.0 * side)
    values = rng.beta(2, 8, n)
    grey = np.column_stack([values + 0.05 * rng.standard_normal(n), rng.standard_normal((n, 18))])
    groups = (grey, rng.standard_normal((n, 17)), rng.standard_normal((n, 16)))
    survey = Survey(
        grid=lay_grid(box, [box], 10.0, 10.0),
        targets=(Target("area_fraction", "phase", 1e-6, None, 0.95),),
        policy=policy,
        predictor=OverviewPredictor(n, 0.0, 1.0, groups),
        statistics=Statistics(),
        seed=0,
        travel_s=lambda distance_um: distance_um / 500.0 + 1.0,
        visit_s=3.0,
        start_xy_um=(0.0, 0.0),
    )
    source, pending, spent = TableSource(values), None, []
    for index in range(40 + steps):
        began = time.perf_counter()
        pending = step(survey, source, pending)
        if index >= 40:
            spent.append(1000 * (time.perf_counter() - began))
    return float(np.median(spent)), float(np.max(spent))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sides", type=int, nargs="+", default=[32, 64, 128, 256])
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--weights", metavar="F", help="a learned policy, measured beside the others")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    asked = [(kind, {}) for kind in POLICIES]
    if options.weights is not None:
        asked.append((LEARNED, {"weights": options.weights}))
    for policy, made_with in asked:
        for side in options.sides:
            median, longest = measure(side, make_policy(policy, **made_with), options.steps)
            rows.append({"policy": policy, "fields": side**2, "median_ms": median, "longest_ms": longest})
            if not options.json:
                print(f"{policy:13} {side**2:6d} fields: median {median:7.2f} ms, longest {longest:7.2f} ms")
    if options.json:
        print(json.dumps({"schema": "autoscope.decide/1", "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
