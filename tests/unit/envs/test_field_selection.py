"""FieldSelection-v0: a real survey behind the gym interface, deterministic, refused when misused."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_for_stable_baselines3

import autoscope_envs
from autoscope.core import ConfigurationError, Prediction
from autoscope.survey import Statistics, Survey, TableSource, Target, run
from autoscope_envs import FieldSelectionEnv, InstrumentCosts, Population, embedded_population
from autoscope_envs.field_selection import SLOT_FEATURES, SLOTS, SURVEY_FEATURES

COSTS = InstrumentCosts(500.0, 1.0, 3.0)


def small(rng, side=12):
    return embedded_population(rng, side=side)


def play(env, seed, choose, **reset):
    observation, info = env.reset(seed=seed, **reset)
    seen, rewards, over = [observation], [], False
    while not over:
        filled = np.flatnonzero(env.unwrapped.action_masks())
        observation, reward, terminated, truncated, info = env.step(np.int64(choose(observation, filled)))
        seen.append(observation)
        rewards.append(reward)
        over = terminated or truncated
    return np.array(seen), np.array(rewards), info, terminated


def first(observation, filled):
    return filled[0]


def test_both_checkers_are_content():
    env = gym.make("autoscope/FieldSelection-v0").unwrapped
    check_env(env)
    check_for_stable_baselines3(env)


def test_episodes_repeat_under_a_seed_and_differ_between_seeds():
    env = FieldSelectionEnv(population=small)
    one, again, other = (play(env, seed, first) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one[0], again[0])
    np.testing.assert_array_equal(one[1], again[1])
    assert one[2] == again[2]
    assert one[0].shape != other[0].shape or not np.array_equal(one[0], other[0])


def test_the_episode_is_the_survey_that_a_session_would_run():
    """The same choices through ``survey.run``: fields, beam time and interval to the last bit."""
    rng = np.random.default_rng(5)
    population = small(rng)
    env = FieldSelectionEnv(population=lambda _: population, instrument=lambda _: COSTS)
    _, rewards, info, terminated = play(env, 1, first, options={"half_width": 0.02})
    seed = env.unwrapped._survey._sampler._seed
    policy = type(env.unwrapped._policy)(SLOTS)
    from autoscope.survey import FixedPredictor

    survey = Survey(
        grid=population.grid, targets=(Target("area_fraction", "phase", 0.02, None, 0.95),), policy=policy,
        predictor=FixedPredictor(population.prediction), statistics=Statistics("standard", 0.2), seed=seed,
        travel_s=COSTS.travel_s, visit_s=COSTS.visit_s,
        start_xy_um=(float(population.grid.x_um[0]), float(population.grid.y_um[0])),
    )  # fmt: skip
    fields = run(survey, TableSource(population.values))
    (state,) = survey.states()
    assert terminated and fields == info["fields"]
    assert (state.estimate, state.ci_low, state.ci_high) == (
        info["estimate"], info["ci_low"], info["ci_high"],
    )  # fmt: skip
    assert rewards.sum() == pytest.approx(-info["beam_time_s"] / 200)


def test_observations_say_what_the_table_says():
    population = small(np.random.default_rng(2))
    env = FieldSelectionEnv(population=lambda _: population, instrument=lambda _: COSTS)
    observation, _ = env.reset(seed=0)
    slots = observation[SURVEY_FEATURES:].reshape(SLOTS, SLOT_FEATURES)
    offer = env.unwrapped._offer
    value = population.prediction.value[0]
    assert (slots[: len(offer), 0] == 1).all() and (slots[len(offer) :] == 0).all()
    np.testing.assert_allclose(
        slots[: len(offer), 1], (value[offer.fields] - value.mean()) / value.std(), rtol=1e-5
    )
    away_um = np.hypot(population.grid.x_um[offer.fields] - 25.0, population.grid.y_um[offer.fields] - 25.0)
    seconds = 3.0 + 1.0 + away_um / 500.0
    np.testing.assert_allclose(slots[: len(offer), 3], np.log10(seconds / 3.0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(observation[4:7], np.log10([500.0, 1.0, 3.0]), atol=1e-6)
    assert observation[0] == 3  # no interval yet


def test_the_reward_of_a_step_is_its_beam_time():
    env = FieldSelectionEnv(population=small, instrument=lambda _: COSTS)
    env.reset(seed=0)
    before = env.unwrapped._survey.xy_um
    _, reward, *_ = env.step(np.int64(0))
    after = env.unwrapped._survey.xy_um
    seconds = np.hypot(after[0] - before[0], after[1] - before[1]) / 500 + 1 + 3
    assert reward == pytest.approx(-seconds / 200)


@pytest.mark.slow
def test_intervals_hold_whatever_the_agent_does():
    """An agent that always goes where most is predicted: the plain mean would be far off."""

    def highest(observation, filled):
        return int(np.argmax(observation[SURVEY_FEATURES + 1 :: SLOT_FEATURES][: len(filled)]))

    env = FieldSelectionEnv(population=lambda rng: embedded_population(rng, side=24), max_fields=200)
    held = [info["ci_low"] <= info["truth"] <= info["ci_high"] for *_, info, _ in
            (play(env, seed, highest) for seed in range(60))]  # fmt: skip
    assert np.mean(held) >= 0.85  # 51 of 60; 95 % coverage falls below it once in 2000


def test_empty_slots_are_masked_and_refused():
    env = FieldSelectionEnv(population=lambda rng: embedded_population(rng, side=4), max_fields=50)
    env.reset(seed=0, options={"half_width": 1e-9})
    assert env.action_masks().sum() == 16
    with pytest.raises(ConfigurationError, match="action 40 is an empty slot: 16 of 64 are filled"):
        env.step(np.int64(40))


def test_a_census_ends_the_episode_and_is_exact():
    env = FieldSelectionEnv(population=lambda rng: embedded_population(rng, side=4), max_fields=50)
    _, _, info, terminated = play(env, 0, first, options={"half_width": 1e-9})
    assert terminated and info["fields"] == 16
    assert info["estimate"] == pytest.approx(info["truth"])
    with pytest.raises(ConfigurationError, match="empty slot"):
        env.step(np.int64(0))


def test_the_map_is_drawn_and_fields_that_were_measured_are_coloured():
    env = gym.make("autoscope/FieldSelection-v0", population=small, render_mode="rgb_array")
    env.reset(seed=0)
    before = env.render()
    for _ in range(5):
        env.step(np.int64(0))
    after = env.render()
    assert before.shape == after.shape == (72, 72, 3) and before.dtype == np.uint8
    assert (before[..., 0] == before[..., 2]).all()
    assert (after[..., 0] > after[..., 2]).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"render_mode": "human"}, "render_mode = 'human' is unknown"),
        ({"max_fields": 1}, "max_fields = 1 must be 2 or more"),
        ({"exploration": 0.0}, "exploration = 0 must be above 0"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        FieldSelectionEnv(**options)


def test_unknown_reset_options_are_refused():
    with pytest.raises(ConfigurationError, match="reset option 'width' is unknown"):
        FieldSelectionEnv(population=small).reset(options={"width": 1})


def test_a_population_without_truth_is_refused():
    good = small(np.random.default_rng(0))
    values = good.values.copy()
    values[0, 7] = np.nan
    with pytest.raises(ConfigurationError, match="target 0 on field 7 is nan"):
        Population("steel", good.grid, values, good.prediction)
    with pytest.raises(ConfigurationError, match="must both be targets x 144 fields"):
        Population("steel", good.grid, good.values[:, :9], Prediction(good.values[:, :9], good.values[:, :9]))


def test_the_package_names_what_it_registers():
    assert set(autoscope_envs.__all__) >= {"FieldSelectionEnv", "Population"}
