"""Trainings as TOML: defaults, overrides, and every mistake with the nearest right key."""

import pickle

import gymnasium as gym
import numpy as np
import pytest

from autoscope.app.training.config import load_training
from autoscope.app.training.environments import environment_maker, layout_of, rule_of
from autoscope.app.training.roles import ROLES
from autoscope.app.training.running import problem_of
from autoscope.core import ConfigurationError
from autoscope_policies.training import LearningSettings
from autoscope_policies.training.problem import check_environment, masks_of

BARE = '[training.environment]\nid = "autoscope/FieldSelection-v0"\n'


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "train.toml"
        path.write_text(text)
        return path

    return write


def test_the_environment_is_all_that_is_needed(write):
    config = load_training(write(BARE)).training
    assert config.learning == LearningSettings() and config.seeds == (1,)
    assert config.environment.validation_options == {}


def test_overrides_replace_values(write):
    text = "[training]\nsteps = 5\nseeds = [1, 2]\n" + BARE + "options = { max_fields = 9 }\n"
    given = ["training.ppo.batch=32", "training.environment.validation.max_fields=12"]
    config = load_training(write(text), given, seed=4, steps=7).training
    assert (config.steps, config.seeds, config.ppo.batch) == (7, (4,), 32)
    assert config.environment.options == {"max_fields": 9}
    assert config.environment.validation_options == {"max_fields": 12}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[training]\nstep = 5\n" + BARE, "unknown key training.step .did you mean 'steps'"),
        ("[training.ppo]\nbatches = 5\n" + BARE, "unknown key training.ppo.batches .did you mean 'batch'"),
        ("[training]\n", "training.environment is missing"),
        ("[training]\nseeds = [1, 1]\n" + BARE, "seeds: one is given twice"),
        ("[training]\nalgorithm = 'ppp'\n" + BARE, "training.algorithm = 'ppp'"),
        ("[training]\nsteps = -1\n" + BARE, "training.steps = -1"),
    ],
)
def test_what_a_file_may_not_say(write, text, message):
    with pytest.raises(ConfigurationError, match=message):
        load_training(write(text))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("id = 'autoscope/FieldSelect-v0'", "did you mean 'autoscope/FieldSelection-v0'"),
        (
            "options = { max_field = 9 }",
            "training.environment.options: unknown key max_field .did you mean 'max_fields'",
        ),
        ("validation = { max_fields = 'many' }", "training.environment.validation: max_fields = 'many'"),
        ("options = { population = 'big' }", "unknown key population"),
        ("rule = 'unifrom'", "rule = 'unifrom' is unknown .*did you mean 'uniform'"),
    ],
)
def test_an_environment_that_cannot_be_had(write, table, message):
    text = f"[training.environment]\n{table}\n" + ("" if table.startswith("id") else BARE.splitlines()[1])
    with pytest.raises(ConfigurationError, match=message):
        problem_of(load_training(write(text)), name="train.toml")


@pytest.mark.parametrize("id", sorted(set(ROLES) & set(gym.registry) | {"autoscope/FieldSelection-v0"}))
def test_the_names_fit_the_environment_and_its_rules_obey_the_masks(id):
    environment = environment_maker(id, {}, name="t", key="o")()
    layout = layout_of(id, environment)
    check_environment(environment, layout)
    observation, _ = environment.reset(seed=1)
    masks = masks_of(environment)
    assert len(masks) == layout.n_options
    for name in ROLES[id].rules:
        chosen = rule_of(id, name, name="t")(observation, masks)
        offsets = np.concatenate([[0], np.cumsum(layout.sizes)[:-1]])
        assert masks[offsets + chosen].all()
    environment.close()


def test_the_rule_for_spectra_plays_the_level_next_to_the_shipped_probability():
    rule = rule_of("autoscope/EDSTrigger-v0", "", name="t")
    seen = np.zeros(12, np.float32)
    seen[4] = np.log10(0.33)
    assert rule(seen, None).tolist() == [3]


def test_an_environment_of_somebody_else_has_numbers_for_names():
    made = environment_maker("CartPole-v1", {}, name="t", key="o")()
    layout = layout_of("CartPole-v1", made)
    assert layout.observations[-1] == "observation 3" and layout.choices[0].options == ("0", "1")
    assert rule_of("CartPole-v1", "", name="t") is None
    assert rule_of("autoscope/FieldSelection-v0", "none", name="t") is None
    pendulum = gym.make("Pendulum-v1")
    with pytest.raises(ConfigurationError, match="Discrete or MultiDiscrete"):
        layout_of("Pendulum-v1", pendulum)


def test_makers_travel_to_other_processes():
    maker = environment_maker("autoscope/FieldSelection-v0", {"max_fields": 5}, name="t", key="o")
    assert pickle.loads(pickle.dumps(maker)) == maker
