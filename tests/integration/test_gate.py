"""The gate from its command line, with networks that always choose the same design."""

import json

import numpy as np
import pytest

from autoscope.app.cli import main
from autoscope.survey import RULE, Design
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
    write_policy,
)

GATE = """
[gate]
weights = {weights}
families = [{families}]
episodes = 6
side = 12
seed = 4
tuning = {{ first = 2, keep = 0.1, episodes = 3 }}
"""
PHASE = '{ specimen = "phase", instrument = "quick stage" }'
COSTLY = '{ specimen = "phase", instrument = "costly focus" }'
POLICIES = ["rule", "naive", "greedy", "tuned static", "learned 1", "learned 2", "learned 3"]


def constant(path, design, seed, deference=None):
    """A network of one layer with nothing but biases: it always prefers one option of each choice."""
    layout = design_layout()
    sizes = tuple(len(choice.options) for choice in layout.choices)
    bias = np.concatenate([np.eye(n)[at] for n, at in zip(sizes, design.action, strict=True)])
    inputs, hidden = len(layout.observations), 1
    network = Network(
        weights=(np.zeros((hidden, inputs), np.float32), np.zeros((len(bias), hidden), np.float32)),
        biases=(np.zeros(hidden, np.float32), bias.astype(np.float32)),
        sizes=sizes,
        normalisation=Normalisation(np.zeros(inputs), np.ones(inputs), 1e-8, 10.0),
    )
    card = PolicyCard(
        network=NetworkCard(layers=network.layers, activation=network.activation, head=network.head),
        observations=layout.observations,
        choices=tuple(ChoiceCard(name=one.name, options=one.options) for one in layout.choices),
        normalisation=NormalisationCard(mean=(0.0,) * inputs, variance=(1.0,) * inputs),
        environment=EnvironmentCard(id="autoscope/Survey-v0", options={}),
        algorithm="maskable_ppo", seed=seed, steps=1, deference=deference, weights_sha256="",
    )  # fmt: skip
    write_policy(path, network, card)
    return path


@pytest.fixture
def write_gate(tmp_path):
    def write(*designs, families=(PHASE,), deference=None, **replacements):
        files = [
            constant(tmp_path / f"seed-{n}.safetensors", design, n, deference).name
            for n, design in enumerate(designs, 1)
        ]
        text = GATE.format(weights=json.dumps(files), families=", ".join(families))
        for old, new in replacements.items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "gate.toml"
        path.write_text(text)
        return path

    return write


def run_json(capsys, *arguments):
    capsys.readouterr()
    assert main(["benchmark", *map(str, arguments), "--jobs", "1", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.slow
def test_networks_that_are_trusted_with_nothing_do_what_the_rule_does(write_gate, tmp_path, capsys):
    out, nothing = tmp_path / "out", DeferenceCard(margin=0.0, trusted=(), worlds=10)
    slow = [Design(batch=8)] * 3
    document = run_json(capsys, write_gate(*slow, deference=nothing), "--out", out)
    assert (document["schema"], document["verdict"]) == ("autoscope.gate/1", "not worse")
    (family,) = document["families"]
    assert [row["policy"] for row in family["rows"]] == [*POLICIES, "oracle"]
    times = {row["policy"]: row["beam_time_s"] for row in family["rows"]}
    episodes = (out / "episodes.jsonl").read_text().splitlines()
    assert len(episodes) == len(set(episodes))  # each is played once
    assert times["learned 1"] == times["learned 2"] == times["rule"]
    assert family["pooled"]["mean"] == pytest.approx(times["rule"] - times[family["best_rule"]])
    assert len(family["by_seed"]) == 3 and family["verdict"] != "worse"
    assert 0 <= family["learned"]["coverage_low"] <= family["learned"]["coverage"] <= 1
    page = (out / "gate.html").read_text()
    assert "phase, quick stage" in page and "src=" not in page and "<svg" in page
    assert json.loads((out / "gate.json").read_text()) == document


@pytest.mark.slow
def test_a_second_call_plays_nothing_again(write_gate, tmp_path, capsys):
    config, out = write_gate(RULE), tmp_path / "out"
    first = run_json(capsys, config, "--out", out)
    episodes = (out / "episodes.jsonl").read_bytes()
    assert run_json(capsys, config, "--out", out) == first
    assert (out / "episodes.jsonl").read_bytes() == episodes
    more = run_json(capsys, config, "--out", out, "--episodes", 8)
    assert more["episodes"] == 8 and (out / "episodes.jsonl").read_bytes().startswith(episodes)


@pytest.mark.slow
def test_a_bad_network_fails(write_gate, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("autoscope.survey.design_view.REFOCUS_BELOW", 2.0)  # offered, sharp or not
    bad = Design(travel_exponent=0.0, batch=1, urgency=0.0, eds_price=0.1, refocus=True)
    config = write_gate(bad, bad, bad, families=(COSTLY, PHASE))
    assert main(["benchmark", str(config), "--out", str(tmp_path / "out"), "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert "fail: slower than the best rule on phase, costly focus" in said
    assert "the rule stays the default" in said
    document = json.loads((tmp_path / "out" / "gate.json").read_text())
    assert document["families"][0]["verdict"] == "worse"
    assert document["families"][0]["pooled"]["relative"] > 0.5


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("episodes = 6", "episods = 6", "did you mean 'episodes'"),
        ('"phase"', '"fase"', "did you mean 'phase'"),
        ('"quick stage"', '"quickstage"', "did you mean 'quick stage'"),
        ("seed-1", "seed-7", "seed-7"),
        (f"[{PHASE}]", f"[{PHASE}, {PHASE}]", "one is given twice"),
    ],
)
def test_bad_configurations(write_gate, tmp_path, capsys, old, new, said):
    config = write_gate(RULE, **{old: new})
    assert main(["benchmark", str(config), "--out", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
