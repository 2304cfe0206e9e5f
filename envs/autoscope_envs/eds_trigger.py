"""``autoscope/EDSTrigger-v0``: spend live time on this feature, or not?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError
from autoscope.eds import LEAST_PROBABILITY
from autoscope.survey import Decision, FixedPredictor, Proposal, Statistics, Survey, SurveyView, step
from autoscope_envs.features import LEAST_DIAMETER_UM, FeatureTable, embedded_features
from autoscope_envs.instrument import SpectrumCosts, random_spectrum_costs
from autoscope_envs.map_picture import map_picture
from autoscope_envs.visits import FeatureVisits

LEVELS = (LEAST_PROBABILITY, 0.1, 0.2, 0.4, 0.7, 1.0)
"""Probabilities of a spectrum that an agent may choose; none is zero, so that the census stays unbiased."""
FEATURES = 12
TIME_SCALE_S = 200.0
"""Seconds of beam time that cost one unit of reward."""
RECENT = 32
"""Spectra over which the surprise is averaged."""
LARGEST = 10.0
"""Observations are cut to plus or minus this."""

OBSERVATIONS = (
    "half-width", "share done", "fields done", "prior of the target's class", "rule", "weight", "diameter",
    "inclusions here", "visit time", "spectrum overhead", "spectrum time", "surprise",
)  # fmt: skip
"""Names of the observations, in the order of the table."""

Observation = NDArray[np.float32]
MakeFeatures = Callable[[np.random.Generator], FeatureTable]
MakeCosts = Callable[[np.random.Generator], SpectrumCosts]


class _Proportional:
    """Fields in proportion to what is predicted of them."""

    name, sha256, floored = "proportional", "", True

    def propose(self, view: SurveyView) -> Proposal:
        """Every remaining field by its prediction; all alike where nothing is predicted."""
        size = view.prediction.value[0, view.remaining]
        size = size if size.any() else np.ones(len(size))
        return Proposal(size / size.sum(), "in proportion to its prediction")


class EDSTriggerEnv(gym.Env[Observation, np.int64]):
    """Choose with which probability each inclusion gets an X-ray spectrum.

    ## Description

    A survey counts the inclusions of one class per mm². Fields come one after the other, drawn in
    proportion to what the overview predicts; on each, the image shows the inclusions and says what it takes
    them for, rightly or not. For one inclusion after the other the agent picks a probability; the environment
    draws. A spectrum costs seconds and tells the class; without one, the image's word stands, corrected on
    average by the spectra of others. So the census is unbiased whatever the agent does
    (:func:`autoscope.estimation.field_values`), and what is at stake is time alone.

    What the image's classes are made of is learnt from the spectra (:class:`autoscope.eds.ImageClasses`), and
    fields, intervals and stopping are those of sessions (:func:`autoscope.survey.step`).

    ## Action space

    ``Discrete(6)``: a spectrum with probability 0.05, 0.1, 0.2, 0.4, 0.7 or 1. All are allowed at every
    feature (``action_masks()``); none is once the episode is over.

    ## Observation space

    ``Box(-10, 10, (12,), float32)``; larger values are cut.

    | index | observation | unit |
    |---|---|---|
    | 0 | log10 of present over wanted half-width; 3 before there is an interval | 1 |
    | 1 | share of the fields that are done | 1 |
    | 2 | log10 of fields done, plus one | 1 |
    | 3 | probability that the inclusion is of the target's class, before a spectrum | 1 |
    | 4 | log10 of the probability of a spectrum by the shipped rule (:class:`autoscope.eds.Trade`) | 1 |
    | 5 | log10 of the field's weight: 1 for a uniform draw, more where the field was less likely | 1 |
    | 6 | log10 of the inclusion's diameter over 1.5 um | 1 |
    | 7 | log10 of the inclusions still to be decided on here, this one included | 1 |
    | 8 | log10 of the time for a visit without spectra | s |
    | 9 | log10 of the overhead of a spectrum | s |
    | 10 | log10 of the time that a spectrum takes, mean so far | s |
    | 11 | root mean square of (seen - expected) over its standard deviation, last 32 spectra; 1: honest | 1 |

    ## Rewards

    Minus the beam time of the step over 200 s: the spectrum, and the visits to the next field with an
    inclusion on it. The time before the first decision is part of the first reward.

    ## Starting state

    A specimen and an instrument, drawn anew in each episode from the seed. The wanted relative half-width is
    such that uniform draws with spectra of everything would need between about 60 and 600 fields.

    ## Episode end

    Terminated when the target is reached (standard tier), or every field was visited; truncated after
    ``max_features`` decisions.

    Args:
        features: makes the specimen of an episode.
        costs: makes its instrument.
        exploration: floor of the draws of fields, in (0, 1].
        max_features: decisions after which an episode is truncated.
        render_mode: ``"rgb_array"`` or None.

    Raises:
        ConfigurationError: ``max_features`` is below 1 or the render mode is unknown.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (an instance variable of gym.Env)

    def __init__(
        self,
        *,
        features: MakeFeatures = embedded_features,
        costs: MakeCosts = random_spectrum_costs,
        exploration: float = 0.2,
        max_features: int = 6000,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigurationError(f"render_mode = {render_mode!r} is unknown: use 'rgb_array' or None")
        if max_features < 1:
            raise ConfigurationError(f"max_features = {max_features} must be 1 or more")
        self._make_features, self._make_costs = features, costs
        self._statistics, self._max_features = Statistics("standard", exploration), max_features
        self.render_mode = render_mode
        self.observation_space = gym.spaces.Box(-LARGEST, LARGEST, (FEATURES,), np.float32)
        self.action_space = gym.spaces.Discrete(len(LEVELS))
        self._over, self._charged_s = True, 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Draws a specimen, an instrument and a target, and visits fields up to the first inclusion.

        Args:
            seed: of the episode.
            options: ``relative``: the wanted relative half-width, instead of one drawn at random.

        Raises:
            ConfigurationError: an option is unknown.
        """
        super().reset(seed=seed)
        unknown = set(options or ()) - {"relative"}
        if unknown:
            raise ConfigurationError(f"reset option {min(unknown)!r} is unknown: there is only 'relative'")
        self._table = self._make_features(self.np_random)
        self._costs = self._make_costs(self.np_random)
        self._begin(float((options or {}).get("relative") or self._drawn_relative()))
        return self._observed(), self._told()

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Draws whether the inclusion gets a spectrum, and goes on to the next one.

        Raises:
            ConfigurationError: there is no such level, or the episode is over.
        """
        if self._over or not 0 <= action < len(LEVELS):
            raise ConfigurationError(
                f"action {action} is impossible: "
                + (
                    "the episode is over; reset()"
                    if self._over
                    else f"there are {len(LEVELS)} levels, from 0"
                )
            )
        self._visits.decide(LEVELS[int(action)], self.np_random)
        self._decisions += 1
        if not self._visits.waiting:
            self._go_on()
        truncated = not self._over and self._decisions >= self._max_features
        seconds, self._charged_s = self._visits.spent_s - self._charged_s, self._visits.spent_s
        return self._observed(), -seconds / TIME_SCALE_S, self._over, truncated, self._told()

    def action_masks(self) -> NDArray[np.bool_]:
        """``6`` booleans: every level, until the episode is over."""
        return np.full(len(LEVELS), not self._over)

    def render(self) -> NDArray[np.uint8] | None:
        """The map of the fields: grey as predicted, coloured where done, the present one framed."""
        if self.render_mode != "rgb_array":
            return None
        here = None if self._flying is None else self._flying.field
        return map_picture(self._table.population, self._seen, here)

    def _drawn_relative(self) -> float:
        """A relative half-width for which uniform draws with all spectra would need 60 to 600 fields."""
        values = self._table.population.values[0]
        fields = np.exp(self.np_random.uniform(np.log(60.0), np.log(600.0)))
        return float(1.96 * values.std() / (values.mean() * np.sqrt(fields)))

    def _begin(self, relative: float) -> None:
        table, costs = self._table, self._costs
        grid = table.population.grid
        self._visits = FeatureVisits(table, costs)
        self._survey = Survey(
            grid=grid,
            targets=(table.target(relative).sampled(LEVELS[0]),),
            policy=_Proportional(),
            predictor=FixedPredictor(table.population.prediction),
            statistics=self._statistics,
            seed=int(self.np_random.integers(2**31)),
            travel_s=np.zeros_like,
            visit_s=costs.visit_s,
            start_xy_um=(float(grid.x_um[0]), float(grid.y_um[0])),
        )
        self._flying: Decision | None = None
        self._seen: list[int] = []
        self._decisions, self._charged_s, self._over = 0, 0.0, False
        self._go_on()

    def _go_on(self) -> None:
        """Visits fields until one has an inclusion, or the survey is over."""
        while True:
            done = self._flying
            self._flying = step(self._survey, self._visits, done)
            if done is not None:
                self._seen.append(done.field)
            if self._flying is None and (self._survey.met or self._survey.exhausted):
                self._over = True
                return
            if self._visits.waiting:
                return

    def _observed(self) -> Observation:
        visits, costs, done = self._visits, self._costs, self._survey.observed
        at = visits.decided
        here = [0.0] * 5 if self._over else [
            float(visits.prior[0, at]),
            float(np.log10(visits.rule[at])),
            float(np.log10(visits.weight)),
            float(np.log10(visits.diameter_um / LEAST_DIAMETER_UM)),
            float(np.log10(visits.waiting)),
        ]  # fmt: skip
        recent = np.array(visits.surprises[-RECENT:] or [1.0])
        found = [
            self._lag(),
            done / len(self._table.population.grid),
            float(np.log10(1 + done)),
            *here,
            float(np.log10(costs.visit_s)),
            float(np.log10(costs.overhead_s)),
            float(np.log10(visits.trade.spectrum_s)),
            float(np.sqrt(np.mean(recent**2))),
        ]
        return np.clip(np.array(found, np.float32), -LARGEST, LARGEST)

    def _lag(self) -> float:
        (state,) = self._survey.states()
        wanted = state.target.goal.wanted(state.estimate)
        if state.ci_low is None or state.ci_high is None or not wanted > 0:
            return 3.0
        return float(np.log10(max((state.ci_high - state.ci_low) / 2 / wanted, 1e-3)))

    def _told(self) -> dict[str, Any]:
        (state,) = self._survey.states()
        return {
            "beam_time_s": self._visits.spent_s,
            "fields": len(self._seen),
            "spectra": self._visits.spectra,
            "estimate": None if np.isnan(state.estimate) else state.estimate,
            "ci_low": state.ci_low,
            "ci_high": state.ci_high,
            "truth": float(self._table.population.truth[0]),
            "met": self._survey.met,
            "rule": None if self._over else float(self._visits.rule[self._visits.decided]),
        }
