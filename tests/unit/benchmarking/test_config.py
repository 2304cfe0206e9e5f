from pathlib import Path

import pytest

from autoscope.app.benchmarking.config import load_benchmark
from autoscope.core import ConfigurationError

MINIMAL = """
[benchmark]
policies = ["uniform", { kind = "systematic", options = { fields_per_grid = 6 } }, "oracle"]
[[specimens]]
specimen = "synthetic:pearlite"
specimen_seeds = [3, 4]
[[specimens.targets]]
quantity = "area_fraction"
class = "pearlite"
half_width = 0.02
"""


@pytest.fixture
def load(tmp_path):
    def read(text=MINIMAL, **options):
        path = tmp_path / "bench.toml"
        path.write_text(text)
        return load_benchmark(path, **options)

    return read


def test_the_defaults(load):
    config = load()
    table = config.benchmark
    assert (table.mode, table.tiers, table.baseline) == ("tables", ("standard",), "uniform")
    assert [(p.name, p.kind, p.predictor) for p in table.policies] == [
        ("uniform", "uniform", "trained"),
        ("systematic", "systematic", "trained"),
        ("oracle", "oracle", "trained"),
    ]
    assert dict(table.policies[1].options) == {"fields_per_grid": 6}
    assert config.specimens[0].named() == (("pearlite-3", 3), ("pearlite-4", 4))
    assert table.exploration.guaranteed == 0.5


def test_the_number_of_episodes_can_be_replaced(load):
    assert load(episodes=7).benchmark.episodes == 7


def test_paths_are_relative_to_the_file_and_know_the_environment(load, tmp_path, monkeypatch):
    monkeypatch.setenv("SPECIMENS", "inside")
    text = MINIMAL.replace("synthetic:pearlite", "$SPECIMENS/steel.h5").replace("specimen_seeds = [3, 4]", "")
    entry = load(text.replace("policies", 'cards = ["card.json"]\npolicies')).specimens[0]
    assert Path(entry.specimen) == tmp_path / "inside" / "steel.h5"
    assert entry.named() == (("steel", 0),)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("policies", "polices", "unknown key benchmark.polices (did you mean 'policies'?)"),
        ('"oracle"', '"uniforn"', "'uniforn' is unknown (did you mean 'uniform'?)"),
        ("specimen_seeds", "specimen_seed", "unknown key specimens.0.specimen_seed (did you mean"),
        ("half_width", "half_with", "unknown key specimens.0.targets.0.half_with"),
        ("fields_per_grid", "fields_per_gird", "did you mean 'fields_per_grid'?"),
        ("policies = [", 'baseline = "best"\npolicies = [', "baseline: 'best' is not the name of one"),
        ("policies = [", 'policies = ["uniform", ', "policies: one is named twice"),
        ("policies = [", 'mode = "sessions"\npolicies = [', "'oracle' knows the truth"),
        ("policies = [", "exploration = { guaranteed = 0.2 }\npolicies = [", "exploration.guaranteed = 0.2"),
        ("policies = [", "episodes = 1\npolicies = [", "episodes = 1"),
        ("specimen_seeds = [3, 4]", "specimen_seeds = [3, 3]", "pearlite-3 stands for two specimens"),
        ("specimen_seeds = [3, 4]", "specimen_seeds = []", "one of specimen_seeds is needed"),
        ("synthetic:pearlite", "steel.h5", "only a synthetic specimen has specimen_seeds"),
    ],
)
def test_what_is_wrong_is_named(load, old, new, said):
    assert MINIMAL.count(old) >= 1
    with pytest.raises(ConfigurationError) as caught:
        load(MINIMAL.replace(old, new, 1))
    assert said in "\n".join(caught.value.problems)


def test_the_shipped_benchmark_can_be_read():
    root = Path(__file__).parents[3]
    config = load_benchmark(root / "configs" / "benchmark.toml")
    seeds = [s for entry in config.specimens for s in entry.specimen_seeds]
    assert all(seed < 1000 for seed in seeds)  # those from 1000 on are for training
