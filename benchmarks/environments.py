"""How many steps a second the environments make on one core, and how that grows with the fields.

    OMP_NUM_THREADS=1 python benchmarks/environments.py [--seconds 10] [--json]

A step of Survey-v0 is a draw with all its visits; the agent acts at random within its masks. Seconds are
those of the processor, so that other work on the machine matters less; a step and its masks are counted,
making a world and choosing an action are not, nor is the first episode, which loads modules.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from itertools import count

import gymnasium as gym
import numpy as np

from autoscope_envs import EDSTriggerEnv, FieldSelectionEnv, SurveyEnv, embedded_population

SIDES = (32, 64, 128)


def main() -> int:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for side in SIDES:
        makers: dict[str, Callable[[], gym.Env]] = {
            "FieldSelection-v0": lambda side=side: FieldSelectionEnv(
                population=lambda rng: embedded_population(rng, side=side)
            ),
            "Survey-v0, phase": lambda side=side: SurveyEnv(specimen="phase", side=side),
            "Survey-v0, phase, held 8": lambda side=side: SurveyEnv(specimen="phase", side=side, hold=8),
            "Survey-v0, coupled": lambda side=side: SurveyEnv(specimen="coupled", side=side),
        }
        if side == SIDES[0]:
            makers["EDSTrigger-v0"] = EDSTriggerEnv
        for name, make in makers.items():
            rows.append({"environment": name, "fields": side**2, **measure(make(), options.seconds)})
    if options.json:
        print(json.dumps({"versions": gym.__version__, "rows": rows}, indent=2))
        return 0
    print(f"{'environment':26} {'fields':>7} {'steps/s':>9} {'visits/s':>9} {'us a step':>10}")
    for row in rows:
        print(
            f"{row['environment']:26} {row['fields']:7d} {row['steps_per_s']:9.0f} {row['visits_per_s']:9.0f}"
            f" {row['us']:10.0f}"
        )
    return 0


def measure(env: gym.Env, seconds: float) -> dict[str, float]:
    """Steps and visits a second of the processor."""
    rng = np.random.default_rng(0)
    steps = visits = 0
    spent = 0.0
    for seed in count():
        env.reset(seed=seed)
        over, info, took, made = False, {}, 0.0, 0
        while not over:
            action = chosen(env, rng)
            began = time.process_time()
            _, _, ended, cut, info = env.step(action)
            env.unwrapped.action_masks()
            took += time.process_time() - began
            over, made = ended or cut, made + 1
        if seed:  # the first episode loads modules
            spent, steps, visits = spent + took, steps + made, visits + int(info.get("fields", 0))
        if spent >= seconds:
            break
    return {"steps_per_s": steps / spent, "visits_per_s": visits / spent, "us": 1e6 * spent / steps}


def chosen(env: gym.Env, rng: np.random.Generator) -> np.int64 | np.ndarray:
    """An allowed action, at random."""
    masks = env.unwrapped.action_masks()
    if isinstance(env.action_space, gym.spaces.Discrete):
        return np.int64(rng.choice(np.flatnonzero(masks)))
    parts = np.split(masks, np.cumsum(env.action_space.nvec)[:-1])
    return np.array([rng.choice(np.flatnonzero(part)) for part in parts])


if __name__ == "__main__":
    raise SystemExit(main())
