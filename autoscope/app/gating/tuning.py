"""The best constant design of a family, found on worlds that are not scored on: successive halving."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import product

import numpy as np

from autoscope.app.gating.config import TuningConfig
from autoscope.survey import DESIGN_OPTIONS, RULE, Design, Statistics, design_masks, possible
from autoscope_envs import TableWorld
from autoscope_policies import make_policy

MeanTimes = Callable[[Sequence[Design], int], Mapping[Design, float]]
"""Mean beam time of each design over the first so many episodes of the tuning pool."""


def designs_of(world: TableWorld) -> tuple[Design, ...]:
    """Every design that makes a difference in a world, the rule first."""
    survey, _ = world.survey(make_policy("uniform"), Statistics())
    masks = design_masks(survey.view())
    found = dict.fromkeys([RULE])
    for action in product(*(range(len(options)) for options in DESIGN_OPTIONS.values())):
        found.setdefault(Design.of(possible(np.array(action), masks)))
    return tuple(found)


def best_design(designs: Sequence[Design], tuning: TuningConfig, mean_times: MeanTimes) -> Design:
    """The design that is left after successive halving.

    Every design plays a few episodes, the better ones play more, until one is left or those that are left
    have played as many as they may. Each round compares on the same worlds.
    Source: Karnin, Koren, Somekh, Almost optimal exploration in multi-armed bandits, ICML 2013; Jamieson,
    Talwalkar, AISTATS 2016.

    Args:
        designs: the candidates.
        tuning: episodes of the first round, share that goes on, and most episodes of a design.
        mean_times: plays them, or remembers.
    """
    left, episodes = list(designs), min(tuning.first, tuning.episodes)
    while True:
        times = mean_times(left, episodes)
        left.sort(key=lambda design: times[design])
        if len(left) == 1 or episodes >= tuning.episodes:
            return left[0]
        left = left[: max(1, math.ceil(tuning.keep * len(left)))]
        episodes = min(math.ceil(episodes / tuning.keep), tuning.episodes)
