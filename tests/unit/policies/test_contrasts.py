"""Contrasts: worlds in which another choice pays are told apart, and the gains are reckoned by hand."""

import gymnasium as gym
import numpy as np
import pytest

from autoscope_policies.learned import Choice, EnvironmentCard, Layout
from autoscope_policies.training import LearningSettings, Problem
from autoscope_policies.training.contrasts import play_contrasts
from autoscope_policies.training.settings import ContrastSettings
from autoscope_policies.training.trainer import learn

LAYOUT = Layout(
    ("kind", "noise"), (Choice("speed", ("slow", "usual", "fast")), Choice("focus", ("no", "yes")))
)
WORLD_COST = 40.0


class Worlds(gym.Env):
    """Worlds of two kinds, far more unlike in cost than any choice makes them: fast pays in one of them only.

    An episode of four steps costs the world's own amount, the same for the same seed; in a world of kind
    1 "fast" takes a fifth off, in one of kind -1 "slow" does; the opposite adds a fifth. Focusing adds a
    tenth; it is barred in every other world.
    """

    def __init__(self):
        self.observation_space = gym.spaces.Box(-5, 5, (2,), np.float32)
        self.action_space = gym.spaces.MultiDiscrete([3, 2])

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._kind = int(self.np_random.choice([-1, 1]))
        self._cost = float(self.np_random.uniform(1.0, WORLD_COST))
        self._barred = bool(self.np_random.integers(2))
        self._step = 0
        return self._shown(), {}

    def step(self, action):
        assert self.action_masks()[3 + action[1]]
        factor = 1 - 0.2 * self._kind * (int(action[0]) - 1) + 0.1 * int(action[1])
        self._step += 1
        return self._shown(), -self._cost * factor / 4, self._step == 4, False, {}

    def action_masks(self):
        return np.array([True, True, True, True, not self._barred])

    def _shown(self):
        return np.array([self._kind, self.np_random.normal()], np.float32)


def usual(observation, masks):
    return np.array([1, 0])


def test_gains_are_those_of_the_choices_alone():
    settings = ContrastSettings(worlds=30, plays=5)
    heard = []
    found = play_contrasts(Worlds(), usual, settings, LAYOUT.sizes, 3, heard.append)
    assert found.actions.shape == (30, 5, 2) and heard[-1] == 30
    assert (found.rule == [1, 0]).all()
    kind = np.array([found.observations[found.world == world][0, 0] for world in range(30)])
    expected = 0.2 * kind[:, None] * (found.actions[..., 0] - 1) - 0.1 * found.actions[..., 1]
    np.testing.assert_allclose(found.gains, expected, atol=1e-9)
    assert 0.2 < np.mean(found.actions[..., 0] != 1) < 0.5  # a half around the rule, a third of it the rule
    again = play_contrasts(Worlds(), usual, settings, LAYOUT.sizes, 3, heard.append)
    np.testing.assert_array_equal(found.gains, again.gains)


def test_the_network_learns_which_choice_pays_in_which_world(tmp_path):
    settings = LearningSettings(
        steps=0, environments=2, hidden=(16,), evaluation_episodes=16,
        contrasts=ContrastSettings(worlds=60, plays=6, epochs=150, learning_rate=0.01),
    )  # fmt: skip
    task = Problem(Worlds, Worlds, LAYOUT, EnvironmentCard(id="tests/Worlds-v0"), rule=usual)
    done = learn(task, settings, 1, tmp_path / "contrasts")
    for kind, speed in ((1.0, 2), (-1.0, 0)):
        assert done.policy.choose(np.array([kind, 0.3], np.float32)).tolist() == [speed, 0]
    scores = done.policy.card.scores
    assert scores.gain == pytest.approx(-0.2 * scores.rule_return, rel=1e-3)
    assert [point.step for point in done.points] == [0]
