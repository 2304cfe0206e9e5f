"""``autoscope train``: from a file to a policy, on again after an interruption, and into a session."""

import json

import numpy as np
import pytest

from autoscope.app.cli import main
from autoscope.survey import RULE
from autoscope_policies.learned import (
    ChoiceCard,
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
    assert main(["train", str(config), "--out", str(out), "--json"]) == 0
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


def test_an_interrupted_training_goes_on(config, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["train", str(config), "--out", str(out), "--seed", "1"]
    assert main([*arguments, "--steps", "512", "--json"]) == 0
    assert main(arguments) == 2
    assert "--resume goes on with it" in capsys.readouterr().err
    assert main([*arguments, "--resume"]) == 0
    shown = capsys.readouterr()
    assert "on episodes that chose no network" in shown.out and "seed 1, step 1024 of 1024" in shown.err
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
    assert not list((tmp_path / "out").glob("**/*.safetensors"))


def designer(path, favoured):
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
        weights_sha256="",
    )  # fmt: skip
    return write_policy(path, network, card)


def test_a_session_under_a_learned_policy_says_what_it_chose(write_config, tmp_path, capsys):
    policy = designer(tmp_path / "policy.safetensors", RULE.action + np.array([1, 1, 0, 0, 0]))
    config = write_config('weights = "policy.safetensors"', uniform="learned")
    folder = tmp_path / "session"
    assert main(["run", str(config), "--out", str(folder), "--json"]) == 0
    text = "".join(path.read_text() for path in folder.glob("*.jsonl"))
    assert (
        "the learned policy chose travel exponent 1, 4 fields at once; the rule: travel exponent 0.5" in text
    )
    assert policy.sha256 in text
    assert "learned" in (folder / "report.html").read_text()


def test_a_network_that_copies_the_rule_gives_the_session_of_the_rule(write_config, tmp_path, capsys):
    designer(tmp_path / "policy.safetensors", RULE.action)
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
