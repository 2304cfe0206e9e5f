"""EDSTrigger-v0: a survey behind the gym interface; unbiased whatever is done; the shipped rule pays."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_for_stable_baselines3

from autoscope.core import ConfigurationError, EstimationError
from autoscope.eds import Trade
from autoscope_envs import EDSTriggerEnv, SpectrumCosts, embedded_features
from autoscope_envs.eds_trigger import LEVELS

COSTS = SpectrumCosts(visit_s=4.0, overhead_s=2.0, live_s=1.0)
EVERYTHING, RARELY = len(LEVELS) - 1, 0


def small(rng, side=14):
    return embedded_features(rng, side=side)


def play(env, seed, choose, **reset):
    observation, info = env.reset(seed=seed, **reset)
    seen, rewards, over = [observation], [], False
    while not over:
        observation, reward, terminated, truncated, info = env.step(np.int64(choose(observation, info)))
        seen.append(observation)
        rewards.append(reward)
        over = terminated or truncated
    return np.array(seen), np.array(rewards), info, terminated


def everything(observation, info):
    return EVERYTHING


def by_rule(observation, info):
    """The level nearest to the shipped rule's probability, by ratio."""
    return int(np.argmin(np.abs(np.log(np.array(LEVELS) / info["rule"]))))


def test_both_checkers_are_content():
    env = gym.make("autoscope/EDSTrigger-v0").unwrapped
    check_env(env)
    check_for_stable_baselines3(env)


def test_episodes_repeat_under_a_seed_and_differ_between_seeds():
    env = EDSTriggerEnv(features=small)
    one, again, other = (play(env, seed, by_rule) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one[0], again[0])
    np.testing.assert_array_equal(one[1], again[1])
    assert one[2] == again[2]
    assert one[0].shape != other[0].shape or not np.array_equal(one[0], other[0])


def test_rewards_are_the_beam_time_of_visits_and_spectra():
    table = small(np.random.default_rng(3))
    env = EDSTriggerEnv(features=lambda _: table, costs=lambda _: COSTS)
    _, rewards, info, _ = play(env, 0, everything)
    assert rewards.sum() == pytest.approx(-info["beam_time_s"] / 200)
    seen = np.isin(table.field, env.unwrapped._seen)
    spectra_s = (2.0 + 1.0 * table.live[seen]).sum()
    assert info["spectra"] == seen.sum()
    assert info["beam_time_s"] == pytest.approx(4.0 * info["fields"] + spectra_s)


def test_a_census_of_everything_is_exact():
    env = EDSTriggerEnv(features=small)
    _, _, info, terminated = play(env, 1, everything, options={"relative": 1e-9})
    assert terminated and info["fields"] == 14 * 14
    assert info["estimate"] == pytest.approx(info["truth"])
    assert info["ci_low"] == pytest.approx(info["truth"])
    assert not env.action_masks().any()
    with pytest.raises(ConfigurationError, match="the episode is over"):
        env.step(np.int64(0))


def test_fields_alone_decide_the_value_where_nothing_is_drawn():
    """One visit by hand: the sum over the features of p, and of (1{class} - p) / pi where a spectrum was."""
    table = small(np.random.default_rng(5))
    env = EDSTriggerEnv(features=lambda _: table, costs=lambda _: COSTS)
    env.reset(seed=2)
    visits, decision = env.unwrapped._visits, env.unwrapped._flying
    prior, counted = visits.prior[0].copy(), table.counted[table.true_class[visits.features]]
    rng, value = np.random.default_rng(0), 0.0
    for p, true in zip(prior, counted, strict=True):
        before = visits.spectra
        visits.decide(0.4, rng)
        value += p + (visits.spectra > before) * (true - p) / 0.4
    outcome = visits.collect(decision)
    assert outcome.value[0] == pytest.approx(value * 1e6 / 50.0**2)


def test_an_undecided_feature_is_refused():
    env = EDSTriggerEnv(features=small)
    env.reset(seed=0)
    with pytest.raises(EstimationError, match="features are not decided on"):
        env.unwrapped._visits.collect(env.unwrapped._flying)


def test_the_rule_that_is_shown_is_that_of_sessions():
    table = small(np.random.default_rng(8))
    env = EDSTriggerEnv(features=lambda _: table, costs=lambda _: COSTS)
    observation, info = env.reset(seed=1)
    visits = env.unwrapped._visits
    sizes = np.full((1, len(visits.features)), 400.0)
    rule = Trade(np.array([400.0]), 4.0, 2.0, 1.0, 0.05).probabilities(sizes, visits.prior, visits.weight)
    assert not env.unwrapped._seen
    assert info["rule"] == pytest.approx(rule[0])
    assert observation[4] == pytest.approx(np.log10(info["rule"]), abs=1e-5)
    np.testing.assert_allclose(observation[8:11], np.log10([4.0, 2.0, 3.0]), atol=1e-6)


@pytest.mark.slow
def test_the_shipped_rule_is_unbiased_and_as_fast_as_a_spectrum_of_everything_with_fewer():
    env = gym.make("autoscope/EDSTrigger-v0")
    rule, full = ([play(env, seed, choose)[2] for seed in range(40)] for choose in (by_rule, everything))
    errors = np.array([info["estimate"] / info["truth"] - 1 for info in rule])
    assert abs(errors.mean()) < 3 * errors.std() / np.sqrt(len(errors))
    held = np.mean([info["ci_low"] <= info["truth"] <= info["ci_high"] for info in rule])
    assert held >= 0.85  # 34 of 40; 95 % coverage falls below it once in 200
    seconds = [np.array([info["beam_time_s"] for info in played]) for played in (rule, full)]
    ratio = np.log(seconds[0] / seconds[1])
    assert ratio.mean() < 3 * ratio.std() / np.sqrt(len(ratio))  # not significantly slower
    spectra = [np.array([info["spectra"] for info in played]) for played in (rule, full)]
    assert spectra[0].sum() < 0.75 * spectra[1].sum()


def test_every_level_is_allowed_and_others_are_refused():
    env = EDSTriggerEnv(features=small)
    with pytest.raises(ConfigurationError, match="the episode is over; reset"):
        env.step(np.int64(0))
    env.reset(seed=0)
    assert env.action_masks().tolist() == [True] * 6
    with pytest.raises(ConfigurationError, match="action 6 is impossible: there are 6 levels"):
        env.step(np.int64(6))


def test_the_map_is_drawn_and_fields_that_are_done_are_coloured():
    env = gym.make("autoscope/EDSTrigger-v0", features=small, render_mode="rgb_array")
    env.reset(seed=0)
    for _ in range(20):
        env.step(np.int64(RARELY))
    picture = env.render()
    assert picture.shape == (84, 84, 3) and picture.dtype == np.uint8
    assert (picture[..., 0] > picture[..., 2]).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"render_mode": "human"}, "render_mode = 'human' is unknown"),
        ({"max_features": 0}, "max_features = 0 must be 1 or more"),
        ({"exploration": 0.0}, "exploration = 0 must be above 0"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ConfigurationError, match=message):
        EDSTriggerEnv(**options)


def test_unknown_reset_options_are_refused():
    with pytest.raises(ConfigurationError, match="reset option 'half_width' is unknown"):
        EDSTriggerEnv(features=small).reset(options={"half_width": 1})


def test_features_that_do_not_fit_are_refused():
    from dataclasses import replace

    table = small(np.random.default_rng(0))
    with pytest.raises(ConfigurationError, match="live has shape"):
        replace(table, live=table.live[:-1])
    with pytest.raises(ConfigurationError, match="in the order of their fields"):
        replace(table, field=table.field[::-1])
    with pytest.raises(ConfigurationError, match="the target counts"):
        replace(table, members=("quartz",))


def test_too_many_decisions_end_an_episode():
    env = EDSTriggerEnv(features=small, max_features=5)
    _, rewards, _, terminated = play(env, 0, everything, options={"relative": 0.01})
    assert len(rewards) == 5 and not terminated
