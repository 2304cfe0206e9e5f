"""Training: a task with a known answer is learnt, to the same bits after an interruption; NaN ends it."""

import random
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
import torch

from autoscope.core import ConfigurationError, ModelError, TrainingError
from autoscope_policies.learned import Choice, EnvironmentCard, Layout, read_policy
from autoscope_policies.training import LearningSettings, Problem
from autoscope_policies.training.cloning import discounted, watch
from autoscope_policies.training.evaluation import episode_seeds, evaluate
from autoscope_policies.training.trainer import CHECKPOINT, learn
from autoscope_policies.training.vectorising import vectorise

LAYOUT = Layout(("wanted", "parity"), (Choice("wanted", ("0", "1", "2")), Choice("parity", ("0", "1"))))
STEPS = 8


class Copying(gym.Env):
    """Say what is shown: each of two choices that is right gives half a point; option 2 may be barred."""

    def __init__(self, *, nan_after=None, masked=True, single=False):
        self.observation_space = gym.spaces.Box(-1, 3, (2,), np.float32)
        self.action_space = gym.spaces.Discrete(3) if single else gym.spaces.MultiDiscrete([3, 2])
        self._nan_after, self._masked, self._played = nan_after, masked, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self._step = 0
        return self._shown(), {}

    def step(self, action):
        wanted = [int(self._seen[0]), int(self._seen[1] > 0)]
        right = np.atleast_1d(action) == wanted[: np.atleast_1d(action).size]
        if self._masked and np.atleast_1d(action)[0] == 2 and not self.action_masks()[2]:
            raise ConfigurationError("option 2 is barred")
        self._step, self._played = self._step + 1, self._played + 1
        reward = float(np.mean(right))
        if self._nan_after is not None and self._played > self._nan_after:
            reward = float("nan")
        return self._shown(), reward, self._step >= STEPS, False, {"beam_time_s": 10.0 * self._step}

    def action_masks(self):
        allowed = np.ones(3 if isinstance(self.action_space, gym.spaces.Discrete) else 5, bool)
        allowed[2] = not self._masked or self._seen[0] == 2
        return allowed

    def _shown(self):
        self._seen = np.array([self.np_random.integers(3), self.np_random.choice([-1, 1])], np.float32)
        return self._seen


def perfect(observation, masks):
    return np.array([int(observation[0]), int(observation[1] > 0)])


def problem(rule=None, layout=LAYOUT, **options):
    make = partial(Copying, **options)
    validation = partial(Copying, **{**options, "nan_after": None})
    return Problem(make, validation, layout, EnvironmentCard(id="tests/Copying-v0"), rule=rule)


def quick(**changes):
    parts = {
        "steps": 6144, "environments": 4, "evaluate_every": 2048, "evaluation_episodes": 8,
        "gamma": 0.5, "learning_rate": 3e-3, "hidden": (16,),
        "ppo": {"n_steps": 64, "batch": 64, "epochs": 4},
    }  # fmt: skip
    return LearningSettings(**{**parts, **changes})


def test_the_task_is_learnt_and_the_file_chooses_as_the_network_did(tmp_path):
    told = []
    done = learn(problem(perfect), quick(), 1, tmp_path / "one", tell=told.append)
    policy = read_policy(done.path, LAYOUT)
    scores = policy.card.scores
    assert scores.mean_return > 7.0 and scores.rule_return == STEPS
    assert scores.gain == pytest.approx(scores.mean_return - STEPS)
    assert scores.mean_beam_time_s == 10.0 * STEPS
    assert done.points[0].step == 0 and done.points[0].validation_return < scores.mean_return
    assert [point.step for point in done.points] == [0, 2048, 4096, 6144]
    assert told[-1].step == 6144 and policy.sha256 == done.policy.sha256
    assert policy.card.algorithm == "maskable_ppo" and policy.card.seed == 1
    assert list((tmp_path / "one" / "tensorboard").glob("events*"))
    seen = np.array([2.0, -1.0], np.float32)
    assert policy.choose(seen, np.ones(5, bool)).tolist() == [2, 0]


class StoppedError(Exception):
    pass


def stop_after(steps):
    def tell(now):
        if now.step > steps:
            raise StoppedError

    return tell


def test_the_same_seed_gives_the_same_bits_and_an_interruption_changes_nothing(tmp_path):
    whole = learn(problem(), quick(steps=4096), 7, tmp_path / "whole")
    with pytest.raises(StoppedError):
        learn(problem(), quick(steps=4096), 7, tmp_path / "parts", tell=stop_after(2048))
    resumed = learn(problem(), quick(steps=4096), 7, tmp_path / "parts", resume=True)
    for one, other in zip(whole.policy.network.weights, resumed.policy.network.weights, strict=True):
        np.testing.assert_array_equal(one, other)
    returns = [[point.validation_return for point in done.points] for done in (whole, resumed)]
    assert returns[0] == returns[1] and len(returns[0]) == 3
    other = learn(problem(), quick(steps=2048), 8, tmp_path / "other")
    assert not np.array_equal(other.policy.network.weights[0], whole.policy.network.weights[0])


def test_interruptions_change_nothing_for_dqn_either(tmp_path):
    layout = Layout(LAYOUT.observations, (LAYOUT.choices[0],))
    settings = partial(
        quick, algorithm="dqn", evaluate_every=512, steps=1024,
        dqn={"learning_starts": 100, "buffer": 700, "train_every": 1, "target_every": 50,
             "exploration_share": 0.5},
    )  # fmt: skip
    task = problem(layout=layout, single=True, masked=False)
    whole = learn(task, settings(), 2, tmp_path / "whole")
    with pytest.raises(StoppedError):
        learn(task, settings(), 2, tmp_path / "parts", tell=stop_after(512))
    parts = learn(task, settings(), 2, tmp_path / "parts", resume=True)
    assert whole.policy.card.network.head == "values"
    for one, other in zip(whole.policy.network.weights, parts.policy.network.weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("algorithm", ["maskable_ppo", "ppo"])
def test_a_clone_does_what_the_rule_does(tmp_path, algorithm):
    cloning = {"steps": 1000, "epochs": 30, "learning_rate": 0.01, "smoothing": 0.1}
    settings = quick(algorithm=algorithm, steps=1, evaluate_every=1, cloning=cloning)
    task = problem(perfect, masked=algorithm == "maskable_ppo")
    done = learn(task, settings, 1, tmp_path / "clone")
    assert done.points[0].step == 0
    assert done.points[0].validation_return == STEPS  # its best option is the rule's
    least = 2 * (-0.95 * np.log(0.95) - 0.05 * np.log(0.05))  # a perfect clone leaves a tenth to all alike
    assert least * 0.8 < done.cloning_loss < least * 2.5


def test_a_rule_that_does_what_is_barred_is_not_cloned():
    environments = vectorise(Copying, quick())
    with pytest.raises(ConfigurationError, match="chose option 2 of choice 0, which is not allowed now"):
        watch(environments, lambda seen, masks: np.array([2, 0]), 64, (3, 2), 0.9)


def test_returns_by_hand():
    rewards = np.array([[1.0, 2.0], [4.0, 8.0], [16.0, 32.0]])
    ends = np.array([[False, True], [True, False], [False, False]])
    found = discounted(rewards, ends, 0.5)
    np.testing.assert_array_equal(found, [[3.0, 2.0], [4.0, np.nan], [np.nan, np.nan]])


def test_plain_ppo_needs_no_masks(tmp_path):
    done = learn(problem(masked=False), quick(algorithm="ppo", steps=4096), 1, tmp_path / "ppo")
    assert done.policy.card.scores.mean_return > 6.0


def test_a_reward_that_is_no_number_ends_training_and_leaves_the_last_checkpoint(tmp_path):
    with pytest.raises(
        TrainingError, match=r"reward of environment 0 is nan.*checkpoint is after 2048 steps"
    ):
        learn(problem(nan_after=700), quick(), 1, tmp_path / "nan")
    kept = (tmp_path / "nan" / CHECKPOINT).read_bytes()
    done = learn(problem(), quick(), 1, tmp_path / "nan", resume=True)
    assert [point.step for point in done.points] == [0, 2048, 4096, 6144]
    assert (tmp_path / "nan" / CHECKPOINT).read_bytes() != kept


def test_a_loss_that_is_no_number_ends_training_before_the_weights_are_touched(tmp_path):
    with pytest.raises(TrainingError, match=r"the loss or its gradient is not a finite number.*below 1e\+30"):
        learn(problem(), quick(learning_rate=1e30), 1, tmp_path / "diverged")
    assert (tmp_path / "diverged" / CHECKPOINT).exists()


def generators():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


def test_global_generators_are_given_back(tmp_path):
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    torch.manual_seed(5)
    before, threads = generators(), torch.get_num_threads()
    learn(problem(), quick(steps=1, evaluate_every=1), 1, tmp_path / "one")
    assert generators() == before and torch.get_num_threads() == threads


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        (
            {"algorithm": "sac"},
            {},
            "'sac' chooses real numbers, and the actions of tests/Copying-v0 are options",
        ),
        ({"algorithm": "dqn"}, {}, "'dqn' makes a single choice"),
        ({"cloning": {"steps": 10}}, {}, "need a rule and one of the PPO family"),
        ({}, {"single": True}, r"the layout names choices of \(3, 2\) options"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(tmp_path, changes, options, message):
    with pytest.raises(ConfigurationError, match=message):
        learn(problem(**options), quick(**changes), 1, tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_an_environment_without_masks_is_told_of_ppo(tmp_path):
    make = partial(gym.make, "CartPole-v1")
    layout = Layout(("x", "speed", "angle", "rate"), (Choice("push", ("left", "right")),))
    task = Problem(make, make, layout, EnvironmentCard(id="CartPole-v1"))
    with pytest.raises(
        ConfigurationError, match=r"needs action_masks\(\), which CartPole-v1 does not offer: use 'ppo'"
    ):
        learn(task, quick(), 1, tmp_path / "none")


def test_checkpoints_are_neither_overwritten_nor_mixed_up(tmp_path):
    folder, settings = tmp_path / "one", quick(steps=1, evaluate_every=1)
    with pytest.raises(ConfigurationError, match="there is no checkpoint to resume from"):
        learn(problem(), settings, 1, folder, resume=True)
    learn(problem(), settings, 1, folder)
    with pytest.raises(ConfigurationError, match="--resume goes on with it"):
        learn(problem(), settings, 1, folder)
    with pytest.raises(ConfigurationError, match="other settings"):
        learn(problem(), quick(hidden=(8,), steps=1, evaluate_every=1), 1, folder, resume=True)
    (folder / CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(ModelError, match="is damaged"):
        learn(problem(), settings, 1, folder, resume=True)


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    folder, settings = tmp_path / "one", quick(steps=1, evaluate_every=1)
    learn(problem(), settings, 1, folder)
    state = torch.load(folder / CHECKPOINT, weights_only=True)
    torch.save({**state, "schema": "autoscope.policy-checkpoint/9"}, folder / CHECKPOINT)
    with pytest.raises(ModelError, match=r"policy-checkpoint/9.*written by another version"):
        learn(problem(), settings, 1, folder, resume=True)


class Blind(Copying):
    """Sees a number that is none after some steps."""

    def _shown(self):
        shown = super()._shown()
        return shown if self._played < 5 else np.array([shown[0], np.nan], np.float32)


def test_an_observation_that_is_no_number_is_named():
    environments = vectorise(Blind, quick(environments=2))
    environments.reset()
    with pytest.raises(TrainingError, match="observation 1 of environment 0 is nan"):
        for _ in range(6):
            environments.step(np.zeros((2, 2), np.int64))


def test_every_policy_meets_the_same_episodes():
    seeds = episode_seeds(1, "validation", 5)
    assert seeds == episode_seeds(1, "validation", 5) and len(set(seeds)) == 5
    assert set(seeds).isdisjoint(episode_seeds(1, "the score", 5))
    environment = Copying()
    one, again = (evaluate(perfect, environment, seeds) for _ in range(2))
    np.testing.assert_array_equal(one.returns, again.returns)
    always = evaluate(lambda seen, masks: np.array([0, 0]), environment, seeds)
    gain, error = always.gain(one)
    difference = always.returns - STEPS
    assert gain == pytest.approx(difference.mean())
    assert error == pytest.approx(difference.std(ddof=1) / np.sqrt(5))
