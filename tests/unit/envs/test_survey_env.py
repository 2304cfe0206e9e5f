"""Survey-v0: a whole survey behind the gym interface; the step, the floor and the intervals are its own."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3.common.env_checker import check_env as check_for_stable_baselines3

import autoscope_envs
from autoscope.core import ConfigurationError
from autoscope.survey import (
    DESIGN_OBSERVATION,
    DESIGN_OPTIONS,
    RULE,
    Design,
    Designed,
    FocusKeeper,
    Statistics,
    design_masks,
    design_observation,
    possible,
    rule_action,
    rule_design,
    run,
    step,
)
from autoscope_envs import SurveyEnv, random_world

SMALL = {"side": 16, "max_fields": 200}


def at_random(env, rng):
    masks, at, action = env.unwrapped.action_masks(), 0, []
    for number in env.action_space.nvec:
        action.append(rng.choice(np.flatnonzero(masks[at : at + number])))
        at += number
    return np.array(action)


def play(env, seed, choose):
    observation, info = env.reset(seed=seed)
    seen, rewards, over = [observation], [], False
    while not over:
        observation, reward, terminated, truncated, info = env.step(choose(env))
        seen.append(observation)
        rewards.append(reward)
        over = terminated or truncated
    return np.array(seen), np.array(rewards), info, terminated


def rule(env):
    return env.unwrapped.rule_action()


def test_both_checkers_are_content():
    assert autoscope_envs.SurveyEnv
    env = gym.make("autoscope/Survey-v0").unwrapped
    check_env(env)
    check_for_stable_baselines3(env)


def test_episodes_repeat_under_a_seed_and_differ_between_seeds():
    env = SurveyEnv(**SMALL)

    def played(seed):
        rng = np.random.default_rng(seed)
        return play(env, seed, lambda e: at_random(e, rng))

    one, again, other = played(3), played(3), played(4)
    np.testing.assert_array_equal(one[0], again[0])
    np.testing.assert_array_equal(one[1], again[1])
    assert one[2] == again[2]
    assert one[0].shape != other[0].shape or not np.array_equal(one[0], other[0])


@pytest.mark.parametrize("specimen", ["phase", "inclusions", "coupled"])
def test_the_episode_is_the_survey_that_the_rule_would_run(specimen):
    """The rule through the environment and ``survey.run``: fields, beam time, intervals to the last bit."""
    env = SurveyEnv(specimen=specimen, side=16)
    _, rewards, info, _ = play(env, 7, rule)
    world = env.unwrapped._world
    survey, source = world.survey(Designed("rule", "", rule_design), Statistics("standard", 0.2))
    fields = run(survey, source)
    assert fields == info["fields"] and source.clock_s == info["beam_time_s"]
    assert [(s.ci_low, s.ci_high) for s in survey.states()] == info["intervals"]
    assert rewards.sum() == pytest.approx(-source.clock_s / 200)


def test_the_rule_is_the_active_policy():
    from autoscope_policies import make_policy

    world = random_world(np.random.default_rng(3), specimen="coupled", side=12)
    one, two = (world.survey(policy, Statistics("standard", 0.2))
                for policy in (make_policy("active"), Designed("rule", "", rule_design)))  # fmt: skip
    assert run(*one) == run(*two)
    assert one[1].clock_s == two[1].clock_s
    assert [s.estimate for s in one[0].states()] == [s.estimate for s in two[0].states()]


def test_the_rule_draws_several_fields_at_once_on_a_slow_stage_and_says_so():
    env, sizes = SurveyEnv(specimen="phase", instrument="slow stage", side=24), set()
    observation, _ = env.reset(seed=2)
    over = False
    while not over:
        action = rule(env)
        np.testing.assert_array_equal(rule_action(observation), action)
        sizes.add(Design.of(action).batch)
        observation, _, terminated, truncated, _ = env.step(action)
        over = terminated or truncated
    assert max(sizes) > 1


def test_chances_count_by_the_visit_whatever_is_drawn_together():
    """A uniform draw weighs 1 for the price of spectra, alone or in a batch of eight, give or take one."""
    for batch in (1, 8):
        world = random_world(np.random.default_rng(1), specimen="inclusions", side=16)
        survey, source = world.survey(
            Designed("x", "", lambda view, batch=batch: Design(batch=batch)), Statistics("standard", 0.2)
        )
        chances, decision = [], None
        for _ in range(24):
            decision = step(survey, source, decision)
            chances.append(1 / decision.candidates)
            assert decision.draw_weight == pytest.approx(1, abs=0.01 if batch == 1 else 0.13)
        assert survey.view().past.propensity == pytest.approx(chances[:23])


def test_a_batch_is_one_step_of_the_environment():
    env = SurveyEnv(specimen="phase", side=16)
    env.reset(seed=1)
    *_, info = env.step(Design(batch=8).action)
    assert info["fields"] in (8, 9)  # systematic along a path: its size in expectation, to within one
    assert info["design"]["batch"] == 8


def test_options_without_sense_are_masked_and_the_rule_acts():
    env = SurveyEnv(specimen="phase", side=16)
    env.reset(seed=1)
    masks = dict(zip(DESIGN_OPTIONS, np.split(env.action_masks(), np.cumsum(env.action_space.nvec)[:-1]),
                     strict=True))  # fmt: skip
    assert masks["eds_price"].tolist() == [False, False, True, False]
    assert masks["urgency"].tolist() == [False, True]
    assert masks["travel_exponent"].all() and masks["batch"].all()
    assert masks["refocus"].tolist() == [True, False]  # frames are sharp
    *_, info = env.step(Design(eds_price=3.0, urgency=0.0, travel_exponent=1.0).action)
    assert info["design"]["eds_price"] == 1 and info["design"]["urgency"] == 2
    assert info["design"]["travel_exponent"] == 1


def test_an_action_stands_for_a_design_and_back():
    rng = np.random.default_rng(0)
    for _ in range(50):
        action = np.array([rng.integers(len(options)) for options in DESIGN_OPTIONS.values()])
        np.testing.assert_array_equal(Design.of(action).action, action)
    assert Design.of(RULE.action) == RULE
    np.testing.assert_array_equal(possible(RULE.action, np.zeros(15, bool)), RULE.action)
    for action in ([1, 0], [4, 0, 0, 0, 0], [-1, 0, 0, 0, 0]):
        with pytest.raises(ConfigurationError):
            Design.of(action)
    with pytest.raises(ConfigurationError, match=r"batch = 5"):
        _ = Design(batch=5).action


def test_observations_say_what_the_survey_says():
    env = SurveyEnv(specimen="coupled", side=16)
    observation, _ = env.reset(seed=4)
    said = dict(zip(DESIGN_OBSERVATION, observation.tolist(), strict=True))
    instrument, view = env.unwrapped._world.instrument, env.unwrapped._survey.view()
    assert observation[0] == 3  # no interval yet
    assert said["log2 of the fields that the rule draws at once"] == np.log2(rule_design(view).batch)
    assert said["log10 of seconds of a visit"] == pytest.approx(np.log10(instrument.costs.visit_s), abs=1e-6)
    way = instrument.costs.travel_s(np.array([view.grid.hfw_um]))[0] / instrument.costs.visit_s
    assert observation[14] == pytest.approx(np.log10(way), abs=1e-5)
    assert observation[16] == pytest.approx(
        np.log10(1 + instrument.focus_s / instrument.costs.visit_s), abs=1e-5
    )
    np.testing.assert_array_equal(observation, design_observation(view))
    np.testing.assert_array_equal(env.action_masks(), design_masks(view))
    for _ in range(60):
        observation, *_, info = env.step(RULE.action)
    assert info["fields"] == 60 and observation[6] == pytest.approx(59 / 256)  # one frame is in flight
    state = max(env.unwrapped._survey.states(), key=lambda s: (s.ci_high - s.ci_low) / s.target.half_width)
    lag = (state.ci_high - state.ci_low) / 2 / state.target.half_width
    assert observation[0] == pytest.approx(np.log10(lag), abs=0.05)


def test_a_design_may_be_held_for_some_draws_and_time_counted_in_visits():
    env = SurveyEnv(specimen="phase", side=16, hold=4, reward="visits")
    env.reset(seed=2)
    _, reward, *_, info = env.step(RULE.action)
    assert info["fields"] == 4
    costs, across = env.unwrapped._world.instrument.costs, np.hypot(15 * 50.0, 15 * 50.0)
    visit_s = costs.visit_s + costs.travel_s(np.array([across / 4]))[0]
    assert reward == pytest.approx(-info["beam_time_s"] / (50 * visit_s))


@pytest.mark.parametrize(("sharpness", "runs"), [(0.99, 0), (0.9, 1)])
def test_refocusing_takes_its_time_and_is_offered_where_frames_are_blurred(sharpness, runs, monkeypatch):
    monkeypatch.setattr(FocusKeeper, "relative", sharpness)
    env = SurveyEnv(specimen="phase", side=16)
    env.reset(seed=2)
    for _ in range(4):
        env.step(RULE.action)
    source, before = env.unwrapped._source, env.unwrapped._source.focus_runs
    clock = source.clock_s
    env.step(Design(refocus=True).action)
    assert source.focus_runs == before + runs
    assert source.clock_s - clock > runs * env.unwrapped._world.instrument.focus_s


def test_a_dearer_spectrum_is_taken_less_often():
    number = []
    for price in (0.1, 1.0, 10.0):
        world = random_world(np.random.default_rng(11), specimen="inclusions", side=16)
        survey, source = world.survey(
            Designed("x", "", lambda view, price=price: Design(eds_price=price)), Statistics("standard", 0.2)
        )
        run(survey, source, max_fields=100)
        number.append(source.spectra)
    assert number[0] > number[1] > number[2]


def test_misuse_is_named():
    env = SurveyEnv(**SMALL)
    with pytest.raises(ConfigurationError, match="over"):
        env.step(RULE.action)
    with pytest.raises(ConfigurationError, match="unknown"):
        env.reset(options={"half_width": 1})
    with pytest.raises(ConfigurationError, match="phase"):
        SurveyEnv(specimen="phas")
    with pytest.raises(ConfigurationError, match="slow stage"):
        SurveyEnv(instrument="slow stag")
    for bad in (
        {"side": 4},
        {"hold": 0},
        {"reward": "s"},
        {"max_fields": 1},
        {"render_mode": "human"},
        {"tier": "sure"},
    ):
        with pytest.raises(ConfigurationError):
            SurveyEnv(**bad)


def test_the_picture_is_the_map():
    env = SurveyEnv(render_mode="rgb_array", **SMALL)
    env.reset(seed=0)
    env.step(RULE.action)
    picture = env.render()
    assert picture.shape == (96, 96, 3) and picture.dtype == np.uint8


@pytest.mark.slow
def test_intervals_hold_whatever_the_agent_does():
    """Designs at random from draw to draw, spectra and batches included."""
    env, rng, held = SurveyEnv(side=24, max_fields=300), np.random.default_rng(0), []
    for seed in range(80):
        *_, info, _ = play(env, seed, lambda e: at_random(e, rng))
        held += [low is not None and low <= truth <= high
                 for (low, high), truth in zip(info["intervals"], info["truth"], strict=True)]  # fmt: skip
    assert len(held) > 100 and np.mean(held) >= 0.90
