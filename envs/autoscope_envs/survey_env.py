"""``autoscope/Survey-v0``: how is the next draw made?"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError
from autoscope.survey import (
    DESIGN_OBSERVATION,
    DESIGN_OPTIONS,
    RULE,
    Decision,
    Design,
    Designed,
    Statistics,
    Survey,
    SurveyView,
    design_masks,
    design_observation,
    possible,
    rule_design,
    step,
)
from autoscope.survey.design_view import LARGEST
from autoscope_envs.map_picture import map_picture
from autoscope_envs.worlds import SurveyWorld, random_world

TIME_SCALE_S = 200.0
"""Seconds of beam time that cost one unit of reward."""
VISITS = 50.0
"""Visits' worth of beam time that cost one unit, where visits are counted."""
REWARDS = ("seconds", "visits")

Observation = NDArray[np.float32]
MakeWorld = Callable[[np.random.Generator], SurveyWorld]


class SurveyEnv(gym.Env[Observation, NDArray[np.int64]]):
    """Steer a whole survey: set the design of each draw until every target is met.

    ## Description

    A survey measures one to three quantities of a specimen, phase fractions or inclusions by class, each to a
    wanted half-width. Before each draw the agent sets how it is made; the environment, not the agent, draws the
    fields, with an exploration floor, so that propensities stay exact and intervals honest whatever the agent
    does. The step is :func:`autoscope.survey.step`, which sessions on an instrument run too, and the agent sets
    what a network sets there: a :class:`autoscope.survey.Design`.

    ## Action space

    ``MultiDiscrete([4, 3, 2, 4, 2])``: which option of each parameter. Options that make no sense, such as a
    price of spectra where there are none, are masked by ``action_masks()`` (all parameters' options one after the
    other); where one is chosen nevertheless the rule's option acts, and ``info["design"]`` says what did.

    | index | parameter | options |
    |---|---|---|
    | 0 | power of a field's seconds in its chance | 0, 1/2, 1, 3/2 |
    | 1 | fields in the draw | 1, 4, 8 |
    | 2 | how much more a target counts that is further from done | 0 (alike), 2 |
    | 3 | what a second of spectra counts against one of visits | 0.1, 0.3, 1, 3 |
    | 4 | focus before the draw, due or not | no, yes |

    ## Observation space

    ``Box(-10, 10, (23,), float32)``; see :data:`autoscope.survey.DESIGN_OBSERVATION` for each number. Larger
    ones are cut.

    | index | observation | unit |
    |---|---|---|
    | 0, 2, 4 | log10 of present over wanted half-width, from the target furthest from done; 3 before there is an interval, -3 where there is no such target | 1 |
    | 1, 3, 5 | 1 where that target counts features | 1 |
    | 6 - 9 | share of fields measured; log10 of fields measured, of draws made, of fields still needed | 1 |
    | 10 - 12 | surprise, relative spread and unevenness of the prediction | 1 |
    | 13 | log10 of a visit | s |
    | 14 - 18 | log10 of travel near and far, autofocus, spectrum, and what spectra took so far, over a visit | 1 |
    | 19 | log10 of the nearest field's seconds over the mean field's | 1 |
    | 20 | sharpness of the last frames over the first ones after focusing | 1 |
    | 21 | log10 of the focus' age plus one | min |
    | 22 | log2 of the fields that the rule draws at once | 1 |

    ## Rewards

    Minus the beam time of the step over 200 s; with ``reward = "visits"`` over that of 50 visits with a quarter
    of the way across the region each, so that instruments that are slow in everything do not drown the others.

    ## Starting state

    A world drawn from the episode's seed: by default one of the embedded kinds of specimens on any instrument.
    Its costs, its drift, the predictor's quality and the image classifier's calibration differ between episodes.

    ## Episode end

    Terminated when every target is reached or every field was visited; truncated after ``max_fields``.

    Args:
        world: makes the world of an episode; None: a random one, of the next three.
        specimen: ``"phase"``, ``"inclusions"``, ``"coupled"`` or ``"any"``.
        instrument: family of instruments.
        side: fields along an edge of the region.
        tier: of the intervals.
        exploration: the floor, in (0, 1].
        max_fields: visits after which an episode is truncated.
        hold: fields that are drawn with one design, at least, in a step.
        reward: ``"seconds"`` or ``"visits"``.
        render_mode: ``"rgb_array"`` or None.

    Raises:
        ConfigurationError: an argument is impossible or unknown.
    """  # noqa: E501 (a table's row is one line)

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (an instance variable of gym.Env)

    def __init__(
        self,
        *,
        world: MakeWorld | None = None,
        specimen: str = "any",
        instrument: str = "any",
        side: int = 64,
        tier: str = "standard",
        exploration: float = 0.2,
        max_fields: int = 1500,
        hold: int = 1,
        reward: str = "seconds",
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigurationError(f"render_mode = {render_mode!r} is unknown: use 'rgb_array' or None")
        if max_fields < 2:
            raise ConfigurationError(f"max_fields = {max_fields} must be 2 or more")
        if hold < 1:
            raise ConfigurationError(f"hold = {hold} fields must be 1 or more")
        if reward not in REWARDS:
            raise ConfigurationError(f"reward = {reward!r} is unknown: it is one of {', '.join(REWARDS)}")
        if world is None:
            world = partial(random_world, specimen=specimen, instrument=instrument, side=side)
            world(np.random.default_rng(0))  # a name that is unknown is refused now
        self._make_world, self._statistics = world, Statistics(tier, exploration)
        self._max_fields, self.render_mode = max_fields, render_mode
        self._hold, self._reward = hold, reward
        self.observation_space = gym.spaces.Box(-LARGEST, LARGEST, (len(DESIGN_OBSERVATION),), np.float32)
        self.action_space = gym.spaces.MultiDiscrete([len(options) for options in DESIGN_OPTIONS.values()])
        self._design = RULE
        self._survey: Survey | None = None
        self._pending: Decision | None = None
        self._over, self._masks = True, _every_option()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Makes a world and begins a survey.

        Args:
            seed: of the episode.
            options: none are known.

        Raises:
            ConfigurationError: an option is given.
        """
        super().reset(seed=seed)
        if options:
            raise ConfigurationError(f"reset option {min(options)!r} is unknown: there is none")
        self._world = self._make_world(self.np_random)
        self._policy = Designed("survey", "", self._chosen)
        self._survey, self._source = self._world.survey(self._policy, self._statistics)
        self._began_s, self._truth = self._source.clock_s, self._world.population.truth.tolist()
        self._unit_s = TIME_SCALE_S if self._reward == "seconds" else VISITS * _visit_s(self._survey.view())
        self._pending, self._over, self._seen = None, False, list[int]()
        return self._observed(), self._told()

    def step(self, action: NDArray[np.int64]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Makes a draw of the chosen design, or as many as are held, and visits their fields.

        Raises:
            ConfigurationError: it is no action, or the episode is over.
        """
        if self._survey is None or self._over:
            raise ConfigurationError("the episode is over: reset the environment before the next step")
        asked = np.asarray(action)
        Design.of(asked.tolist())  # refuses what is no action
        self._design = Design.of(possible(asked, self._masks).tolist())
        before_s, before = self._source.clock_s, len(self._seen)
        terminated = truncated = False
        while not (terminated or truncated) and len(self._seen) < before + self._hold:
            terminated = self._draw(self._survey)
            truncated = not terminated and len(self._seen) >= self._max_fields
        self._over = terminated or truncated
        reward = -(self._source.clock_s - before_s) / self._unit_s
        return self._observed(), reward, terminated, truncated, self._told()

    def action_masks(self) -> NDArray[np.bool_]:
        """``15`` booleans: which options of which parameter can be chosen."""
        return self._masks.copy()

    def rule_action(self) -> NDArray[np.int64]:
        """What the best rule does now."""
        if self._survey is None or self._survey.exhausted:
            return RULE.action
        return rule_design(self._survey.view()).action

    def render(self) -> NDArray[np.uint8] | None:
        """The map of the first target: grey as predicted, coloured as measured, the present field framed."""
        if self.render_mode != "rgb_array":
            return None
        here = None if self._pending is None else self._pending.field
        return map_picture(self._world.population, self._seen, here)

    def _chosen(self, view: SurveyView) -> Design:
        return self._design

    def _draw(self, survey: Survey) -> bool:
        """Steps until the whole draw is decided on; returns whether the survey has ended."""
        while True:
            self._pending = step(survey, self._source, self._pending)
            if self._pending is None:
                if survey.met or survey.exhausted:
                    return True
                continue
            self._seen.append(self._pending.field)
            if self._pending.last_of_draw:
                break
        if survey.met or survey.all_decided:  # what is in flight is collected where nothing more is decided
            self._pending = step(survey, self._source, self._pending)
        return survey.met or survey.exhausted

    def _observed(self) -> Observation:
        if self._survey is None or self._survey.exhausted:
            self._masks = _every_option()
            return np.zeros(len(DESIGN_OBSERVATION), np.float32)
        view = self._survey.view()
        self._masks = _every_option() if self._over else design_masks(view)
        return design_observation(view)

    def _told(self) -> dict[str, Any]:
        survey = self._survey
        states = () if survey is None else survey.states()
        return {
            "beam_time_s": self._source.clock_s - self._began_s,
            "fields": len(self._seen),
            "estimates": [None if np.isnan(state.estimate) else state.estimate for state in states],
            "intervals": [(state.ci_low, state.ci_high) for state in states],
            "truth": self._truth,
            "met": survey is not None and survey.met,
            "design": {name: getattr(self._design, name) for name in DESIGN_OPTIONS},
        }


def _every_option() -> NDArray[np.bool_]:
    return np.ones(sum(map(len, DESIGN_OPTIONS.values())), bool)


def _visit_s(view: SurveyView) -> float:
    """Seconds of a visit with a quarter of the way across the region."""
    prices = view.prices
    away = np.array([view.grid.diagonal_um / 4])
    return prices.visit_s + float(prices.travel_s(away)[0])
