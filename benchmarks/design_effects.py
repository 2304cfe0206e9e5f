"""What each parameter of a draw's design changes, one at a time: beam time over that of the rule in a world.

    OMP_NUM_THREADS=1 python benchmarks/design_effects.py [--worlds 60] [--specimen any] [--instrument any]

Every world is surveyed by the rule and by each design that differs from it in one parameter, with the same
random numbers. Printed is the mean of the logarithm of the ratio of beam times, ± one standard error.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace

import numpy as np

from autoscope.survey import DESIGN_OPTIONS, RULE, Design, Designed, Statistics, run
from autoscope_envs import random_world

FIRST_SEED = 900_000
"""Of the worlds; none of them is trained on."""


def main() -> int:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--specimen", default="any")
    parser.add_argument("--instrument", default="any")
    options = parser.parse_args()
    base = beam_times(RULE, options)
    print(f"{'rule':24} {base.mean():8.0f} s")
    for name, values in DESIGN_OPTIONS.items():
        for value in values:
            if value == getattr(RULE, name):
                continue
            kind = type(getattr(RULE, name))
            found = beam_times(replace(RULE, **{name: kind(value)}), options)
            ratio = np.log(found / base)
            error = ratio.std(ddof=1) / math.sqrt(len(ratio))
            text = f"{name} = {value:g}"
            print(
                f"{text:24} {found.mean():8.0f} s {100 * ratio.mean():+7.1f} ± {100 * error:.1f} %",
                flush=True,
            )
    return 0


def beam_times(design: Design, options: argparse.Namespace) -> np.ndarray:
    """``worlds``, seconds."""
    times = []
    for seed in range(FIRST_SEED, FIRST_SEED + options.worlds):
        rng = np.random.default_rng(seed)
        world = random_world(rng, specimen=options.specimen, instrument=options.instrument)
        policy = Designed("benchmark", "", lambda view: design)
        survey, source = world.survey(policy, Statistics("standard", 0.2))
        run(survey, source, max_fields=1500)
        times.append(source.clock_s)
    return np.array(times)


if __name__ == "__main__":
    raise SystemExit(main())
