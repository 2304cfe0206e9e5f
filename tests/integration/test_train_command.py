"""``autoscope train``: from a file to a policy, on again after an interruption, and into a session."""

import json

import gymnasium as gym
import numpy as np
import pytest

from autoscope.app.cli import main
from autoscope.survey import RULE
from autoscope_policies.learned import (
    ChoiceCard,
    DeferenceCard,
    EnvironmentCard,
    Network,
    NetworkCard,
    Normalisation,
    NormalisationCard,
    PolicyCard,
    design_layout,
    read_policy,
    write_policy,
)
from autoscope_simulators import SpecimenFile

CARTPOLE = """
[training]
algorithm = "ppo"
steps = 1024
seeds = [1, 2]
environments = 4
evaluate_every = 512
evaluation_episodes = 4
hidden = [8]
ppo = { n_steps = 64, batch = 64, epochs = 2 }
[training.environment]
id = "CartPole-v1"
options = { sutton_barto_reward = false }
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "train.toml"
    path.write_text(CARTPOLE)
    return path


def test_train_writes_policies_curves_and_what_the_command_prints(config, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["train", str(config), "--out", str(out), "--jobs", "1", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((out / "training.json").read_text())
    assert printed["schema"] == "autoscope.training/1"
    assert [one["seed"] for one in printed["seeds"]] == [1, 2]
    assert [point["step"] for point in printed["seeds"][0]["points"]] == [0, 512, 1024]
    best = max(printed["seeds"], key=lambda one: one["scores"]["mean_return"])
    policy = read_policy(out / "policy.safetensors")
    assert policy.sha256 == printed["sha256"] == best["sha256"]
    assert set(policy.card.hashes) == {"config", "code"}
    assert policy.card.environment.options == {"sutton_barto_reward": False}
    assert (out / "learning.png").read_bytes().startswith(b"\x89PNG")
    assert list((out / "seed-2" / "tensorboard").glob("events*"))


@pytest.mark.slow
def test_seeds_side_by_side_give_the_policies_that_they_give_one_after_the_other(config, tmp_path, capsys):
    hashes = []
    for jobs in ("1", "2"):
        arguments = ["train", str(config), "--out", str(tmp_path / jobs), "--steps", "512", "--jobs", jobs]
        assert main([*arguments, "--json"]) == 0
        hashes.append([one["sha256"] for one in json.loads(capsys.readouterr().out)["seeds"]])
    assert hashes[0] == hashes[1] and hashes[0][0] != hashes[0][1]


@pytest.mark.slow
def test_environments_in_their_own_processes_give_the_same_policy(tmp_path, capsys):
    path, scores, weights = tmp_path / "train.toml", [], []
    path.write_text(
        "[training]\nsteps = 64\nenvironments = 2\nevaluate_every = 64\nevaluation_episodes = 2\n"
        "ppo = { n_steps = 32, batch = 32, epochs = 1 }\n[training.environment]\n"
        'id = "autoscope/FieldSelection-v0"\noptions = { max_fields = 20 }\n'
    )
    for inside in ("false", "true"):
        folder = tmp_path / inside
        given = ["--set", f"training.subprocesses={inside}", "--out", str(folder), "--json"]
        assert main(["train", str(path), *given]) == 0
        scores.append(json.loads(capsys.readouterr().out)["seeds"][0]["scores"])
        weights.append(read_policy(folder / "policy.safetensors").network.weights)
    assert scores[0] == pytest.approx(scores[1])
    for one, other in zip(*weights, strict=True):  # sums over arrays that lie otherwise in memory
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_an_interrupted_training_goes_on(config, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["train", str(config), "--out", str(out), "--seed", "1"]
    assert main([*arguments, "--steps", "512", "--json"]) == 0
    assert main(arguments) == 2
    assert "--resume goes on with it" in capsys.readouterr().err
    assert main([*arguments, "--resume"]) == 0
    shown = capsys.readouterr()
    assert "scores, on episodes that had no say" in shown.out and "seed 1, step 1024 of 1024" in shown.err
    assert [p["step"] for p in json.loads((out / "training.json").read_text())["seeds"][0]["points"]] == [
        0,
        512,
        1024,
    ]
    assert main([*arguments[:3], str(tmp_path / "none"), "--resume"]) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "training.gama=0.9"], "did you mean 'gamma'"),
        (["--set", "training.algorithm='sac'"], "'sac' chooses real numbers"),
        (["--set", "training.algorithm='maskable_ppo'"], "use 'ppo'"),
        (["--set", "training.environment.options.sutton=true"], "unknown key sutton"),
    ],
)
def test_mistakes_touch_nothing(config, tmp_path, capsys, arguments, message):
    assert main(["train", str(config), "--out", str(tmp_path / "out"), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


class Breaking(gym.Env):
    """Its rewards are numbers for some steps only."""

    observation_space, action_space = gym.spaces.Box(-1, 1, (1,), np.float32), gym.spaces.Discrete(2)

    def __init__(self, lasts: int = 100) -> None:
        self._left = lasts

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self._left -= 1
        return (
            np.zeros(1, np.float32),
            1.0 if self._left >= 0 else float("nan"),
            self._left % 4 == 0,
            False,
            {},
        )


def test_a_reward_that_becomes_nan_is_named_and_can_be_gone_on_from(config, tmp_path, capsys):
    gym.register("tests/Breaking-v0", entry_point=Breaking)
    try:
        given = ["training.environment.id='tests/Breaking-v0'", "training.environment.options={lasts=200}"]
        given.append("training.environment.validation={lasts=100000}")
        arguments = ["train", str(config), "--out", str(tmp_path / "out"), "--seed", "1", "--set", *given]
        assert main(arguments) == 1
        said = capsys.readouterr().err
        assert "training stopped after" in said and "reward of environment 0 is nan" in said
        assert "the last good checkpoint is after 512 steps; --resume goes on from it" in said
        assert main([*arguments, "--resume"]) == 0  # every process of training has its own 200 steps
    finally:
        del gym.registry["tests/Breaking-v0"]


def designer(path, favoured, deference=None):
    """A policy file whose network always takes the same option of every parameter."""
    layout = design_layout()
    n, biases = len(layout.observations), np.zeros(layout.n_options, np.float32)
    biases[np.concatenate([[0], np.cumsum(layout.sizes)[:-1]]) + favoured] = 1.0
    network = Network(
        (np.zeros((layout.n_options, n), np.float32),),
        (biases,),
        layout.sizes,
        Normalisation(np.zeros(n), np.ones(n)),
    )
    card = PolicyCard(
        network=NetworkCard(layers=network.layers), observations=layout.observations,
        choices=tuple(ChoiceCard(name=one.name, options=one.options) for one in layout.choices),
        normalisation=NormalisationCard(mean=(0.0,) * n, variance=(1.0,) * n),
        environment=EnvironmentCard(id="autoscope/Survey-v0"), algorithm="maskable_ppo", seed=1, steps=1,
        deference=deference, weights_sha256="",
    )  # fmt: skip
    return write_policy(path, network, card)


def test_a_session_under_a_learned_policy_says_what_it_chose(write_config, tmp_path, capsys):
    policy = designer(tmp_path / "policy.safetensors", RULE.action + np.array([1, 1, 0, 0, 0]))
    config = write_config('weights = "policy.safetensors"', uniform="learned")
    folder = tmp_path / "session"
    assert main(["run", str(config), "--out", str(folder), "--json"]) == 0
    text = "".join(path.read_text() for path in folder.glob("*.jsonl"))
    pilot = "the learned policy chose 4 fields at once; the rule: one field at a time"
    assert f'{pilot}"' in text and f'{pilot}, travel exponent 0.5"' in text
    assert policy.sha256 in text
    assert "learned" in (folder / "report.html").read_text()


def test_a_network_that_is_trusted_with_nothing_gives_the_session_of_the_rule(write_config, tmp_path, capsys):
    nothing = DeferenceCard(margin=0.0, trusted=(), worlds=10)
    designer(tmp_path / "policy.safetensors", RULE.action + np.array([1, 1, 0, 0, 0]), nothing)
    results = []
    for kind, extra in (("learned", 'weights = "policy.safetensors"'), ("active", "")):
        folder = tmp_path / kind
        assert main(["run", str(write_config(extra, uniform=kind)), "--out", str(folder), "--json"]) == 0
        results.append(json.loads(capsys.readouterr().out)["quantities"])
    assert results[0] == results[1]


@pytest.mark.parametrize(
    ("kind", "extra", "message"),
    [
        ("learned", "", "needs weights"),
        ("active", 'weights = "policy.safetensors"', "takes no weights"),
        ("learned", 'weights = "none.safetensors"', "there is no such model file"),
    ],
)
def test_weights_that_do_not_belong(write_config, capsys, kind, extra, message):
    assert main(["run", str(write_config(extra, uniform=kind))]) == 2
    assert message in capsys.readouterr().err


def test_a_policy_for_something_else_is_refused(config, write_config, tmp_path, capsys):
    out = tmp_path / "cartpole"
    assert main(["train", str(config), "--out", str(out), "--seed", "1", "--steps", "1", "--json"]) == 0
    capsys.readouterr()
    session = write_config(f'weights = "{out / "policy.safetensors"}"', uniform="learned")
    assert main(["run", str(session)]) == 2
    assert (
        "observations: it lacks 'log10 of half-width over wanted, target furthest from done'"
        in capsys.readouterr().err
    )


ON_SPECIMENS = """
[training]
steps = 0
environments = 1
hidden = [4]
evaluation_episodes = 2
contrasts = { worlds = 2, plays = 1 }
[training.environment]
id = "autoscope/Survey-v0"
options = { hold = 8, max_fields = 60 }
specimens = "bench.toml"
"""


def test_a_policy_is_trained_on_specimens_and_its_card_names_them(specimen, write_benchmark, tmp_path):
    write_benchmark(**{"half_width = 0.05": "half_width = 0.08"})
    (tmp_path / "train.toml").write_text(ON_SPECIMENS)
    out = tmp_path / "out"
    assert main(["train", str(tmp_path / "train.toml"), "--out", str(out), "--json"]) == 0
    with SpecimenFile(specimen) as opened:
        sha256 = opened.sha256
    card = read_policy(out / "policy.safetensors", design_layout()).card
    assert card.trained_on == (sha256,)
    assert card.scores.mean_beam_time_s > 0
    assert len(list((out / "tables").glob("*.npz"))) == 1
    seen = write_benchmark(**{"seed = 3": f'cards = ["{out / "policy.json"}"]'})
    assert main(["benchmark", str(seen), "--out", str(tmp_path / "seen")]) == 2


def test_only_surveys_are_trained_on_specimens(tmp_path, capsys):
    (tmp_path / "train.toml").write_text(CARTPOLE + 'specimens = "bench.toml"\n')
    assert main(["train", str(tmp_path / "train.toml"), "--out", str(tmp_path / "out")]) == 2
    assert "CartPole-v1 is not played on specimens" in capsys.readouterr().err
