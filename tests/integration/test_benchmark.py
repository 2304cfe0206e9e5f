"""The benchmark from its command line, on a small synthetic steel."""

import json
import re

import pytest

from autoscope.app.benchmarking.ledger import EPISODES
from autoscope.app.cli import main
from autoscope_simulators import SpecimenFile

AUTOFOCUS_S = 12.0
CONTRACT_KEYS = {
    "specimen", "policy", "tier", "quantity", "class", "half_width", "episodes", "reached", "fields_mean",
    "fields_p90", "beam_time_s_mean", "bias", "rmse", "coverage", "coverage_se", "oracle_share",
}  # fmt: skip


def run_json(capsys, *arguments):
    capsys.readouterr()
    assert main(["benchmark", *map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_what_the_contract_says(write_benchmark, tmp_path, capsys):
    out = tmp_path / "out"
    document = run_json(capsys, write_benchmark(), "--out", out, "--jobs", 1)
    assert document["schema"] == "autoscope.benchmark/1"
    assert [row["policy"] for row in document["rows"]] == ["uniform", "proportional", "oracle"]
    for row in document["rows"]:
        assert set(row) >= CONTRACT_KEYS
        assert (row["specimen"], row["class"], row["tier"]) == ("steel", "pearlite", "standard")
        assert (row["episodes"], row["half_width"], row["reached"]) == (3, 0.05, 1.0)
        assert 50 <= row["fields_mean"] <= 256
        assert row["oracle_share"] > 0
    assert document["rows"][2]["oracle_share"] == 1
    assert json.loads((out / "benchmark.json").read_text()) == document
    page = (out / "benchmark.html").read_text()
    assert page.count("<svg") == 3
    assert not re.search(r'(?:src|href)="(?!#|data:)', page)


def test_a_second_call_goes_on_and_parallel_is_the_same(write_benchmark, tmp_path, capsys):
    config, out = write_benchmark(), tmp_path / "out"
    run_json(capsys, config, "--out", out, "--jobs", 1, "--episodes", 2)
    first = (out / EPISODES).read_text().splitlines()
    assert len(first) == 6
    serial = run_json(capsys, config, "--out", out, "--jobs", 1)
    assert (out / EPISODES).read_text().splitlines()[:6] == first
    assert len((out / EPISODES).read_text().splitlines()) == 9
    assert run_json(capsys, config, "--out", out, "--jobs", 1) == serial
    assert len((out / EPISODES).read_text().splitlines()) == 9
    assert run_json(capsys, config, "--out", tmp_path / "other", "--jobs", 2) == serial
    tighter = write_benchmark(**{"half_width = 0.05": "half_width = 0.04"})
    run_json(capsys, tighter, "--out", out, "--jobs", 1)  # another question: nothing old counts
    assert len((out / EPISODES).read_text().splitlines()) == 18
    assert len(list((out / "tables").iterdir())) == 1  # but the table is still good


@pytest.mark.slow
def test_tables_and_whole_sessions_agree(write_benchmark, tmp_path, capsys):
    policies = {'["uniform", "proportional", "oracle"]': '["uniform", "proportional"]'}
    fast = run_json(
        capsys, write_benchmark(**policies), "--out", tmp_path / "a", "--episodes", 2, "--jobs", 1
    )
    sessions = write_benchmark(**policies, **{"seed = 3": 'seed = 3\nmode = "sessions"'})
    slow = run_json(capsys, sessions, "--out", tmp_path / "b", "--episodes", 2, "--jobs", 2)
    assert (slow["mode"], fast["mode"]) == ("sessions", "tables")

    def in_order(episode):
        """Whatever process was done first."""
        return episode["fields"], episode["answers"][0]["estimate"]

    def first(folder):
        """The first episodes: their overview had the same noise, so everything must be the same."""
        lines = (tmp_path / folder / EPISODES).read_text().splitlines()
        episodes = [json.loads(line) for line in lines]
        return sorted((e for e in episodes if e["number"] == 0), key=in_order)

    for table, session in zip(first("a"), first("b"), strict=True):
        assert table["fields"] == session["fields"]
        assert table["answers"] == session["answers"]
        # a session refocuses on a drop of sharpness too, which a table does not see
        refocused = (session["beam_time_s"] - table["beam_time_s"]) / AUTOFOCUS_S
        assert refocused >= 0
        assert refocused == pytest.approx(round(refocused), abs=1e-6)


def test_the_tables_on_the_terminal(write_benchmark, tmp_path, capsys):
    config = write_benchmark(**{"[[specimens]]": '[[specimens]]\nname = "my [bold] steel"'})
    assert main(["benchmark", str(config), "--out", str(tmp_path / "out"), "--jobs", "1"]) == 0
    printed = capsys.readouterr()
    assert "my [bold] steel" in printed.out
    assert "proportional" in printed.out
    assert str(tmp_path / "out" / "benchmark.html") in printed.out
    assert "9 of 9, my [bold] steel" in printed.err.replace("\\[", "[")


def test_a_specimen_that_was_trained_on_is_refused(write_benchmark, specimen, tmp_path, capsys):
    with SpecimenFile(specimen) as file:
        (tmp_path / "card.json").write_text(json.dumps({"trained_on": [file.sha256]}))
    config = write_benchmark(**{"seed = 3": 'seed = 3\ncards = ["card.json"]'})
    assert main(["benchmark", str(config), "--out", str(tmp_path / "out")]) == 2
    assert "was used to train card.json" in capsys.readouterr().err


def test_specimens_that_are_not_there(write_benchmark, specimen, tmp_path, capsys):
    gone = write_benchmark(**{str(specimen): "gone.h5"})
    assert main(["benchmark", str(gone), "--out", str(tmp_path / "out")]) == 2
    assert "gone.h5" in capsys.readouterr().err
    optional = write_benchmark(**{str(specimen): 'gone.h5"\nskip_if_missing = true\nname = "gone'})
    assert main(["benchmark", str(optional), "--out", str(tmp_path / "out")]) == 2
    assert "not one of the specimens is there" in capsys.readouterr().err


@pytest.mark.parametrize("options", [["--episodes", "1"], ["--jobs", "0"]])
def test_bad_usage(write_benchmark, options, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["benchmark", str(write_benchmark()), *options])
    assert ended.value.code == 2
    assert "is below" in capsys.readouterr().err


def test_an_out_that_is_a_file_is_refused(write_benchmark, tmp_path, capsys):
    out = tmp_path / "out"
    out.write_text("")
    assert main(["benchmark", str(write_benchmark()), "--out", str(out)]) == 2
    assert "is not a folder" in capsys.readouterr().err
