"""``autoscope/FieldSelection-v0``: which field next?"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError
from autoscope.survey import (
    Decision,
    FixedPredictor,
    Offer,
    Proposal,
    Slots,
    Statistics,
    Survey,
    SurveyView,
    TableSource,
    Target,
    step,
)
from autoscope_envs.instrument import InstrumentCosts, random_instrument
from autoscope_envs.map_picture import map_picture
from autoscope_envs.population import Population, embedded_population

SLOTS = 64
SLOT_FEATURES = 5
SURVEY_FEATURES = 8
TIME_SCALE_S = 200.0
"""Seconds of beam time that cost one unit of reward."""
RECENT = 32
"""Fields over which the surprise is averaged."""
LARGEST = 10.0
"""Observations are cut to plus or minus this."""
_FILLED = np.tri(SLOTS + 1, SLOTS, -1, dtype=bool)
"""Masks by how many slots are filled."""

OBSERVATIONS = (
    "half-width", "share measured", "fields measured", "surprise", "stage speed", "settling time",
    "frame time", "relative spread",
    *(
        f"{what} of slot {slot}"
        for slot in range(SLOTS)
        for what in ("presence", "prediction", "spread", "time", "distance")
    ),
)  # fmt: skip
"""Names of the observations, in the order of the table."""

Observation = NDArray[np.float32]
MakePopulation = Callable[[np.random.Generator], Population]
MakeInstrument = Callable[[np.random.Generator], InstrumentCosts]


class _Chosen:
    """The policy of the survey: uniform slots, and in them what the agent chose."""

    name, sha256, floored = "field selection", "", True

    def __init__(self, slots: int) -> None:
        self._proposal = Proposal(
            np.empty(0), "chosen among slots", slots=Slots(slots, None, self._weigh, even=True)
        )
        self.action = 0

    def propose(self, view: SurveyView) -> Proposal:
        """The slots, drawn uniformly along the rows."""
        return self._proposal

    def _weigh(self, offer: Offer) -> NDArray[np.float64]:
        weights = np.zeros(len(offer))
        weights[self.action] = 1.0
        return weights


class FieldSelectionEnv(gym.Env[Observation, np.int64]):
    """Choose the next field of a survey among a few that are offered.

    ## Description

    A survey measures a phase fraction to a wanted half-width. At each step up to 64 fields are drawn from
    the base design (uniform, spread along the rows of the grid); the agent picks one. The environment, not
    the agent, mixes in the exploration floor and draws, so that the propensity of every field stays exact and
    the interval honest whatever the agent does: this is :func:`autoscope.survey.step`, which sessions on an
    instrument run too.

    ## Action space

    ``Discrete(64)``: the slot to visit. Slots that are empty, when fewer fields remain, are masked by
    ``action_masks()``; choosing one is an error.

    ## Observation space

    ``Box(-10, 10, (328,), float32)``: 8 numbers of the survey, then 5 for each of 64 slots; larger values are
    cut.

    | index | observation | unit |
    |---|---|---|
    | 0 | log10 of present over wanted half-width; 3 before there is an interval | 1 |
    | 1 | share of the fields that are measured | 1 |
    | 2 | log10 of fields measured, plus one | 1 |
    | 3 | root mean square of (measured - predicted) over the predicted spread, last 32 fields | 1 |
    | 4 | log10 of the stage's speed | um/s |
    | 5 | log10 of the settling time | s |
    | 6 | log10 of the time for a frame | s |
    | 7 | predicted spread over the predicted value, means over all fields | 1 |
    | 8 + 5k | 1 where slot k is filled, 0 where it is empty | 1 |
    | 9 + 5k | predicted value of its field, less the mean, in standard deviations of all predictions | 1 |
    | 10 + 5k | log10 of its predicted spread over the mean spread | 1 |
    | 11 + 5k | log10 of the time to go there and image, over that of a frame without travel | 1 |
    | 12 + 5k | distance from the stage over the diagonal of the region | 1 |

    ## Rewards

    Minus the beam time of the step over 200 s.

    ## Starting state

    A population of fields and an instrument, drawn anew in each episode from the seed: the embedded tables by
    default. The wanted half-width is such that uniform draws would need between about 60 and 1000 fields.

    ## Episode end

    Terminated when the target is reached (standard tier) or every field was visited; truncated after
    ``max_fields``.

    Args:
        population: makes the population of an episode.
        instrument: makes its costs.
        exploration: the floor, in (0, 1].
        max_fields: visits after which an episode is truncated.
        render_mode: ``"rgb_array"`` or None.

    Raises:
        ConfigurationError: ``max_fields`` is below 2 or the render mode is unknown.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}  # noqa: RUF012 (an instance variable of gym.Env)

    def __init__(
        self,
        *,
        population: MakePopulation = embedded_population,
        instrument: MakeInstrument = random_instrument,
        exploration: float = 0.2,
        max_fields: int = 1500,
        render_mode: str | None = None,
    ) -> None:
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise ConfigurationError(f"render_mode = {render_mode!r} is unknown: use 'rgb_array' or None")
        if max_fields < 2:
            raise ConfigurationError(f"max_fields = {max_fields} must be 2 or more")
        self._make_population, self._make_instrument = population, instrument
        self._statistics, self._max_fields = Statistics("standard", exploration), max_fields
        self.render_mode = render_mode
        size = SURVEY_FEATURES + SLOTS * SLOT_FEATURES
        self.observation_space = gym.spaces.Box(-LARGEST, LARGEST, (size,), np.float32)
        self.action_space = gym.spaces.Discrete(SLOTS)
        self._offer: Offer | None = None
        self._pending: Decision | None = None
        self._visited, self._spent_s = 0, 0.0
        self._seen: list[int] = []
        self._surprises: list[float] = []

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Draws a population, an instrument and a target, and begins a survey.

        Args:
            seed: of the episode.
            options: ``half_width``: the wanted one, instead of one drawn at random.

        Raises:
            ConfigurationError: an option is unknown.
        """
        super().reset(seed=seed)
        unknown = set(options or ()) - {"half_width"}
        if unknown:
            raise ConfigurationError(f"reset option {min(unknown)!r} is unknown: there is only 'half_width'")
        self._population = self._make_population(self.np_random)
        self._costs = self._make_instrument(self.np_random)
        half_width = (options or {}).get("half_width") or self._drawn_half_width()
        self._begin(float(half_width))
        return self._observed(), self._told()

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Visits the field of a slot, or what the exploration floor draws instead.

        Raises:
            ConfigurationError: the slot is empty, or the episode is over.
        """
        if self._offer is None or not 0 <= action < len(self._offer):
            filled = 0 if self._offer is None else len(self._offer)
            raise ConfigurationError(
                f"action {action} is an empty slot: {filled} of {SLOTS} are filled; see action_masks()"
            )
        self._policy.action, flying = int(action), self._pending
        self._pending = step(self._survey, self._source, flying)
        cost_s = 0.0 if self._pending is None else self._pending.predicted_cost_s
        self._visited, self._spent_s = self._visited + 1, self._spent_s + cost_s
        if flying is not None:
            self._learn(flying)
        terminated = self._over()
        truncated = not terminated and self._visited >= self._max_fields
        self._offer = None if terminated else self._survey.offer()
        return self._observed(), -cost_s / TIME_SCALE_S, terminated, truncated, self._told()

    def action_masks(self) -> NDArray[np.bool_]:
        """``64`` booleans: which slots are filled."""
        return np.array(_FILLED[0 if self._offer is None else len(self._offer)])

    def render(self) -> NDArray[np.uint8] | None:
        """The map of the fields: grey as predicted, coloured as measured, the present one framed."""
        if self.render_mode != "rgb_array":
            return None
        here = None if self._pending is None else self._pending.field
        return map_picture(self._population, self._seen, here)

    def _drawn_half_width(self) -> float:
        """A half-width for which uniform draws and a plain mean would need 60 to 1000 fields, log-uniform."""
        scatter = max(float(self._population.values[0].std()), 1e-4)
        fields = np.exp(self.np_random.uniform(np.log(60.0), np.log(1000.0)))
        return float(1.96 * scatter / np.sqrt(fields))

    def _begin(self, half_width: float) -> None:
        population, costs = self._population, self._costs
        self._policy = _Chosen(SLOTS)
        self._source = TableSource(population.values)
        self._survey = Survey(
            grid=population.grid,
            targets=(Target("area_fraction", "phase", half_width, None, 0.95),),
            policy=self._policy,
            predictor=FixedPredictor(population.prediction),
            statistics=self._statistics,
            seed=int(self.np_random.integers(2**31)),
            travel_s=costs.travel_s,
            visit_s=costs.visit_s,
            start_xy_um=(float(population.grid.x_um[0]), float(population.grid.y_um[0])),
        )
        self._pending, self._visited, self._spent_s = None, 0, 0.0
        self._seen, self._surprises = [], []
        value, spread = population.prediction.value[0], population.prediction.spread[0]
        middle, scatter = float(value.mean()), max(float(value.std()), 1e-9)
        mean_spread = float(spread.mean())
        known = np.ones_like(value), (value - middle) / scatter, np.log10(spread / mean_spread)
        cut = np.clip(np.stack(known, axis=1), -LARGEST, LARGEST)
        self._known = cut.astype(np.float32)  # of a slot with each field in it
        self._diagonal_um = population.grid.diagonal_um or 1.0
        self._truth = float(population.truth[0])
        seconds = costs.stage_speed_um_per_s, costs.stage_settle_s, costs.visit_s
        constant = *map(math.log10, seconds), mean_spread / max(middle, 1e-3)
        self._constant = tuple(min(max(number, -LARGEST), LARGEST) for number in constant)
        self._offer = self._survey.offer()

    def _over(self) -> bool:
        """Whether the survey has ended; the frame in flight is collected where nothing more is decided."""
        if self._pending is not None and (self._survey.met or self._survey.offer() is None):
            flying = self._pending
            self._pending = step(self._survey, self._source, flying)
            self._learn(flying)
        return self._survey.met or self._survey.exhausted

    def _learn(self, came_back: Decision) -> None:
        """Keeps how far a measurement was from its prediction."""
        field = came_back.field
        prediction = self._population.prediction
        departure = float(self._population.values[0, field]) - float(prediction.value[0, field])
        self._surprises.append((departure / float(prediction.spread[0, field])) ** 2)
        self._seen.append(field)

    def _observed(self) -> Observation:
        found = np.zeros(SURVEY_FEATURES + SLOTS * SLOT_FEATURES, np.float32)
        found[:SURVEY_FEATURES] = self._survey_features()
        if self._offer is not None:
            slots = found[SURVEY_FEATURES:].reshape(SLOTS, SLOT_FEATURES)
            self._show(self._offer, slots[: len(self._offer)])
        return found

    def _survey_features(self) -> tuple[float, ...]:
        (state,) = self._survey.states()
        lag = 3.0
        if state.ci_low is not None and state.ci_high is not None and state.target.half_width:
            half_width = (state.ci_high - state.ci_low) / 2
            lag = min(math.log10(max(half_width / state.target.half_width, 1e-3)), LARGEST)
        done, recent = self._survey.observed, self._surprises[-RECENT:] or [1.0]
        surprise = min(math.sqrt(sum(recent) / len(recent)), LARGEST)
        return lag, done / len(self._population.grid), math.log10(1 + done), surprise, *self._constant

    def _show(self, offer: Offer, slots: NDArray[np.float32]) -> None:
        """Fills ``k x 5`` observations."""
        visit_s = self._costs.visit_s
        slots[:, :3] = self._known.take(offer.fields, axis=0)
        slots[:, 3] = np.minimum(np.log10(offer.cost_s / visit_s), LARGEST)
        slots[:, 4] = self._costs.distance_um(offer.cost_s - visit_s) / self._diagonal_um

    def _told(self) -> dict[str, Any]:
        (state,) = self._survey.states()
        return {
            "beam_time_s": self._spent_s,
            "fields": self._visited,
            "estimate": None if np.isnan(state.estimate) else state.estimate,
            "ci_low": state.ci_low,
            "ci_high": state.ci_high,
            "truth": self._truth,
            "met": self._survey.met,
        }
