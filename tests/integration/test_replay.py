"""``autoscope replay`` on real session folders."""

import json
import shutil
from pathlib import Path

import pytest

from autoscope.app.cli import main

WEIGHTS = Path(__file__).parents[2] / "configs" / "policies" / "survey-1.safetensors"


@pytest.fixture(scope="module")
def recorded(specimen, tmp_path_factory):
    """Session folders of the small steel, by policy."""
    from tests.integration.conftest import SESSION

    folder = tmp_path_factory.mktemp("sessions")
    config = folder / "session.toml"
    config.write_text(SESSION.format(specimen=specimen))

    def run(name, *overrides):
        out = folder / name
        if not out.exists():
            assert main(["run", str(config), "--out", str(out), "--set", *overrides]) in (0, 1)
        return out

    return run


@pytest.fixture
def uniform(recorded):
    return recorded("uniform", "targets.0.half_width=0.04")


def replayed(capsys, *arguments):
    capsys.readouterr()
    assert main(["replay", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_recorded_policy_itself(uniform, capsys):
    document = replayed(capsys, uniform, "--policy", "uniform")
    assert (document["schema"], document["can_be_said"]) == ("autoscope.replay/1", True)
    assert document["recorded"] == document["policy"]
    assert document["effective_visits"] == pytest.approx(document["visits"])
    for name in ("fields_ratio", "visit_s_ratio", "beam_time_ratio"):
        assert document[name]["value"] == 1.0
    (quantity,) = document["quantities"]
    assert (quantity["class"], quantity["variance_ratio"]["value"]) == ("pearlite", 1.0)


def test_another_policy_and_its_options(uniform, capsys):
    one = replayed(capsys, uniform, "--policy", "active")
    batch = replayed(capsys, uniform, "--policy", "active", "--option", "batch=4")
    assert one["policy"]["kind"] == "active" and one["policy"]["sha256"] != batch["policy"]["sha256"]
    assert batch["visit_s_ratio"]["value"] < one["visit_s_ratio"]["value"] < 1.05
    ratio = one["quantities"][0]["variance_ratio"]
    assert ratio["low"] < ratio["value"] < ratio["high"]
    assert main(["replay", str(uniform), "--policy", "active"]) == 0
    said = capsys.readouterr().out
    assert "active on what uniform recorded" in said and "beam time, overview included" in said


def test_a_learned_policy(uniform, capsys):
    document = replayed(capsys, uniform, "--policy", "learned", "--weights", WEIGHTS)
    assert document["policy"]["kind"] == "learned" and document["can_be_said"]


def test_nothing_is_written(uniform):
    before = {file.name: file.read_bytes() for file in uniform.iterdir()}
    assert main(["replay", str(uniform), "--policy", "greedy"]) == 0
    assert {file.name: file.read_bytes() for file in uniform.iterdir()} == before


@pytest.mark.parametrize(("policy", "word"), [("raster", "no chance"), ("systematic", "whole grids")])
def test_policies_of_which_nothing_can_be_said(uniform, capsys, policy, word):
    document = replayed(capsys, uniform, "--policy", policy)
    assert not document["can_be_said"] and word in document["statement"]
    assert main(["replay", str(uniform), "--policy", policy]) == 0
    assert "nothing can be said" in capsys.readouterr().out


@pytest.mark.parametrize("policy", ["raster", "systematic"])
def test_sessions_that_say_nothing_of_others(recorded, capsys, policy):
    folder = recorded(policy, f"policy.kind={policy}", "budget.frames=90")
    document = replayed(capsys, folder, "--policy", "uniform")
    assert not document["can_be_said"] and repr(policy) in document["statement"]


def test_records_that_were_changed_are_refused(recorded, capsys):
    folder = recorded("changed", "targets.0.half_width=0.05")
    events = folder / "events.jsonl"
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    first = next(d for d in lines if d["type"] == "observation")
    first["value"] = 1.0 - first["value"]
    events.write_text("".join(json.dumps(d) + "\n" for d in lines))
    assert main(["replay", str(folder), "--policy", "active"]) == 1
    said = capsys.readouterr().err
    assert "step 2" in said or "step 3" in said
    assert "the session was made by another version, or its files were changed" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--policy", "actve"], "--policy"),
        (["--policy", "active", "--option", "bach=4"], "policy.options.bach is unknown"),
        (["--policy", "active", "--option", "batch"], "write key=value"),
        (["--policy", "learned"], "needs weights"),
        (["--policy", "learned", "--weights", "none.safetensors"], "none.safetensors"),
        (["--policy", "uniform", "--weights", "none.safetensors"], "takes no weights"),
    ],
)
def test_bad_usage(uniform, capsys, arguments, said):
    assert main(["replay", str(uniform), *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_configuration_that_was_damaged(uniform, tmp_path, capsys):
    folder = tmp_path / "copy"
    shutil.copytree(uniform, folder)
    (folder / "config.toml").write_text("x = [")
    for command in (["replay", str(folder), "--policy", "active"], ["run", "--resume", str(folder)]):
        finished = command[0] == "run"  # it is not touched, nor is its configuration read
        assert main(command) == (0 if finished else 2)
        assert ("config.toml: not valid TOML" in capsys.readouterr().err) != finished


def test_no_session(tmp_path, capsys):
    assert main(["replay", str(tmp_path), "--policy", "active"]) == 2
    assert str(tmp_path) in capsys.readouterr().err
