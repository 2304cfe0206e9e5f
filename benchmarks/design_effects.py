"""What each parameter of a draw's design changes, one at a time: beam time over that of single draws.

    OMP_NUM_THREADS=1 python benchmarks/design_effects.py [--worlds 60] [--specimen any] [--instrument any] \
        [--parameters batch eds_price]

Every world is surveyed by a constant design, the rule's options with one field at a time, by the rule, which
chooses the fields at once, and by each design that differs from the first in one parameter, with the same
random numbers. Printed is the mean of the logarithm of the ratio of beam times, ± one standard error.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace

import numpy as np

from autoscope.survey import (
    DESIGN_OPTIONS,
    RULE,
    Controller,
    Design,
    Designed,
    Statistics,
    rule_design,
    run,
)
from autoscope_envs import random_world

FIRST_SEED = 900_000
"""Of the worlds; none of them is trained on."""


def main() -> int:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--worlds", type=int, default=60)
    parser.add_argument("--specimen", default="any")
    parser.add_argument("--instrument", default="any")
    parser.add_argument("--parameters", nargs="*", default=list(DESIGN_OPTIONS), choices=list(DESIGN_OPTIONS))
    options = parser.parse_args()
    base = beam_times(constant(RULE), options)
    print(f"{'one field at a time':24} {base.mean():8.0f} s", flush=True)
    tell("the rule", beam_times(rule_design, options), base)
    for name in options.parameters:
        for value in DESIGN_OPTIONS[name]:
            if value == getattr(RULE, name):
                continue
            kind = type(getattr(RULE, name))
            found = beam_times(constant(replace(RULE, **{name: kind(value)})), options)
            tell(f"{name} = {value:g}", found, base)
    return 0


def constant(design: Design) -> Controller:
    """A controller that always sets the same design."""
    return lambda view: design


def tell(text: str, found: np.ndarray, base: np.ndarray) -> None:
    """Prints a line."""
    ratio = np.log(found / base)
    error = ratio.std(ddof=1) / math.sqrt(len(ratio))
    print(f"{text:24} {found.mean():8.0f} s {100 * ratio.mean():+7.1f} ± {100 * error:.1f} %", flush=True)


def beam_times(controller: Controller, options: argparse.Namespace) -> np.ndarray:
    """``worlds``, seconds."""
    times = []
    for seed in range(FIRST_SEED, FIRST_SEED + options.worlds):
        rng = np.random.default_rng(seed)
        world = random_world(rng, specimen=options.specimen, instrument=options.instrument)
        policy = Designed("benchmark", "", controller)
        survey, source = world.survey(policy, Statistics("standard", 0.2))
        run(survey, source, max_fields=1500)
        times.append(source.clock_s)
    return np.array(times)


if __name__ == "__main__":
    raise SystemExit(main())
