"""Contrasts: what an option is worth in which world is learnt from few, very noisy episodes played twice."""

from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from autoscope.core import ConfigurationError
from autoscope_policies.learned import Choice, Deference, EnvironmentCard, Layout, read_policy
from autoscope_policies.training import LearningSettings, Problem
from autoscope_policies.training.contrasts import Contrasts, _design_rows, play_contrasts
from autoscope_policies.training.settings import ContrastSettings
from autoscope_policies.training.trainer import learn

LAYOUT = Layout(("world", "nothing"), (Choice("gear", ("0", "1", "2")), Choice("lamp", ("0", "1"))))
STEPS = 5


class Driving(gym.Env):
    """Gear 2 is best uphill (+1), gear 0 downhill (-1), by a tenth of the return; luck moves it tenfold.

    Gear 1 is the rule's. The lamp costs a twentieth. Episodes of a seed have the same luck.
    """

    def __init__(self, barred=False):
        self.observation_space = gym.spaces.Box(-1, 1, (2,), np.float32)
        self.action_space, self._barred = gym.spaces.MultiDiscrete([3, 2]), barred

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._uphill = self.np_random.choice([-1, 1])
        self._length = 2 * float(np.exp(self.np_random.normal()))
        self._step = 0
        return self._shown(), {}

    def step(self, action):
        cost = 1 - 0.1 * self._uphill * (int(action[0]) - 1) + 0.05 * int(action[1])
        self._step += 1
        return self._shown(), -self._length * cost / STEPS, self._step == STEPS, False, {}

    def action_masks(self):
        return np.array([True, True, not self._barred, True, True])

    def _shown(self):
        return np.array([self._uphill, self.np_random.normal()], np.float32).clip(-1, 1)


def rule(observation, masks):
    return np.array([1, 0])


def test_what_is_best_in_which_world_is_learnt_without_any_further_step(tmp_path):
    problem = Problem(Driving, Driving, LAYOUT, EnvironmentCard(id="tests/Driving-v0"), rule=rule)
    settings = LearningSettings(
        steps=0, environments=1, evaluation_episodes=40, hidden=(16,), contrasts={"worlds": 40, "plays": 4}
    )
    told = []
    done = learn(problem, settings, 1, tmp_path / "one", tell=told.append)
    policy = read_policy(done.path, LAYOUT)
    for noise in (-0.5, 0.0, 0.5):
        assert policy.choose(np.array([1, noise], np.float32)).tolist() == [2, 0]
        assert policy.choose(np.array([-1, noise], np.float32)).tolist() == [0, 0]
    assert policy.card.scores.gain > 5 * policy.card.scores.gain_standard_error > 0
    assert [now.step for now in told[:40]] == list(range(1, 41)) and told[0].steps == 40
    curves = EventAccumulator(str(tmp_path / "one" / "tensorboard")).Reload()
    for worlds in ("learnt_from", "held_out"):
        unexplained = curves.Scalars(f"contrasts/unexplained_in_worlds_{worlds}")
        assert [point.step for point in unexplained] == list(range(settings.contrasts.epochs + 1))
        assert unexplained[0].value > 0.9 and 0 < min(point.value for point in unexplained) < 0.5


def test_plays_are_compared_with_the_rule_in_the_same_world():
    settings = ContrastSettings(worlds=10, plays=5)
    found = play_contrasts(Driving(), rule, settings, (3, 2), 3, lambda number: None)
    assert found.actions.shape == (10, 5, 2) and set(found.world.tolist()) == set(range(10))
    uphill = np.array([found.observations[found.world == world][0, 0] for world in range(10)])
    gear, lamp = np.moveaxis(np.where(found.departs, found.actions, [1, 0]), -1, 0)
    cost = 1 - 0.1 * uphill[:, None] * (gear - 1) + 0.05 * lamp
    np.testing.assert_allclose(found.gains, (1 - cost) / np.maximum(cost, 1), atol=1e-6)
    again = play_contrasts(Driving(), rule, settings, (3, 2), 3, lambda number: None)
    np.testing.assert_array_equal(again.actions, found.actions)
    np.testing.assert_array_equal(again.departs, found.departs)


def test_what_is_barred_is_not_played():
    found = play_contrasts(
        Driving(barred=True), rule, ContrastSettings(worlds=20, plays=5), (3, 2), 3, lambda number: None
    )
    assert set(np.unique(found.actions[..., 0])) == {0, 1}


def test_rows_say_what_differs_from_the_rule():
    found = Contrasts(
        np.zeros((2, 2), np.float32),
        np.zeros(2, np.intp),
        np.array([[[2, 0], [1, 0], [0, 1]]]),
        np.array([[0.1, 0.0, -0.5]]),
        np.array([[1, 0], [2, 0]]),  # the rule changed its mind
        np.array([[[True, False], [False, True], [True, True]]]),
    )
    inputs, gains, weight = _design_rows(found, (3, 2))
    np.testing.assert_array_equal(inputs[0].numpy(), [[0, -1, 1, 0, 0], [0, 0, 0, 0, 0], [1, -1, 0, -1, 1]])
    np.testing.assert_array_equal(inputs[1].numpy(), [[0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 0, -1, -1, 1]])
    np.testing.assert_allclose(gains[0].numpy(), [0.1, 0.0, -0.5])
    assert weight.shape == gains.shape and float(weight.mean()) == 1.0


def test_contrasts_want_a_rule(tmp_path):
    problem = Problem(partial(Driving), Driving, LAYOUT, EnvironmentCard(id="tests/Driving-v0"))
    with pytest.raises(ConfigurationError, match="need a rule"):
        learn(problem, LearningSettings(steps=0, contrasts={"worlds": 4}), 1, tmp_path / "none")


def test_a_network_is_trusted_with_what_was_better_than_the_rule(tmp_path):
    """The gear is worth a tenth; whether the lamp is on is nothing that the network may decide."""
    problem = Problem(Driving, Driving, LAYOUT, EnvironmentCard(id="tests/Driving-v0"), rule=rule)
    settings = LearningSettings(
        steps=0, environments=1, evaluation_episodes=40, hidden=(16,),
        contrasts={"worlds": 40, "plays": 4}, trust={"worlds": 30},
    )  # fmt: skip
    told = []
    done = learn(problem, settings, 1, tmp_path / "one", tell=told.append)
    policy = read_policy(done.path, LAYOUT)
    yields = policy.card.deference
    assert yields.trusted == ("gear",) and yields.worlds == 30 and yields.margin == pytest.approx(0.02 / 0.03)
    assert yields.evidence["gear"].gain > 0.05 and yields.evidence["gear"].p < 1e-3
    assert policy.choose(np.array([1, 0.0], np.float32), None, np.array([1, 1])).tolist() == [2, 1]
    assert told[-1].step == told[-1].steps == 70


class Indifferent(Driving):
    """No gear and no lamp makes a difference beyond luck."""

    def step(self, action):
        self._step += 1
        luck = float(np.random.default_rng([self._step, *map(int, action), int(1e6 * self._length)]).normal())
        return self._shown(), -self._length * (1 + 0.3 * luck) / STEPS, self._step == STEPS, False, {}


def test_where_nothing_is_better_the_rule_remains(tmp_path):
    problem = Problem(Indifferent, Indifferent, LAYOUT, EnvironmentCard(id="tests/Driving-v0"), rule=rule)
    settings = LearningSettings(
        steps=0, environments=1, evaluation_episodes=20, hidden=(16,),
        contrasts={"worlds": 10, "plays": 2, "caution": 0.0}, trust={"worlds": 30},
    )  # fmt: skip
    done = learn(problem, settings, 1, tmp_path / "one")
    assert done.policy.card.deference.trusted == ()
    assert done.policy.card.scores.gain == 0.0
    assert done.policy.choose(np.array([1, 0.0], np.float32), None, np.array([0, 1])).tolist() == [0, 1]


def test_a_network_departs_only_where_it_is_trusted_and_sure():
    outputs = [np.array([0.0, 1.0, 3.0], np.float32), np.array([2.0, 0.0], np.float32)]
    usual = np.array([1, 1])
    assert Deference(1.9, (True, True)).choose(outputs, usual).tolist() == [2, 0]
    assert Deference(2.1, (True, True)).choose(outputs, usual).tolist() == [1, 1]
    assert Deference(0.0, (False, True)).choose(outputs, usual).tolist() == [1, 0]
    barred = [np.array([0.0, -np.inf, 3.0], np.float32), outputs[1]]
    assert Deference(100.0, (True, False)).choose(barred, usual).tolist() == [2, 1]
