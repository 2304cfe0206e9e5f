from pathlib import Path

import pytest

from autoscope.app.config import Config
from autoscope.app.loading import config_from, dump_config, load_config
from autoscope.core import ConfigurationError

MINIMAL = """
[microscope]
kind = "simulated"
specimen = "synthetic:pearlite"
[[targets]]
quantity = "area_fraction"
class = "pearlite"
half_width = 0.02
"""


@pytest.fixture
def minimal(tmp_path: Path) -> Path:
    path = tmp_path / "minimal.toml"
    path.write_text(MINIMAL)
    return path


def problems(text: str, tmp_path: Path, *overrides: str) -> str:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_config(path, overrides)
    return "\n".join(caught.value.problems)


def test_only_microscope_and_targets_are_required(minimal: Path) -> None:
    config = load_config(minimal)
    assert config.imaging.reference.hfw_um == 50.0
    assert config.statistics.tier == "standard"
    assert config.policy.exploration == 0.2


def test_what_is_dumped_is_read_back_the_same(minimal: Path, tmp_path: Path) -> None:
    config = load_config(minimal, ["region.rectangle_um=[0, 0, 100, 100]"], seed=3)
    again = tmp_path / "again.toml"
    again.write_text(dump_config(config))
    assert load_config(again) == config


@pytest.mark.parametrize(
    ("override", "read"),
    [
        ("targets.0.half_width=0.01", lambda c: c.targets[0].half_width == 0.01),
        ("seed=12", lambda c: c.seed == 12),
        ('policy.kind="uniform"', lambda c: c.policy.kind == "uniform"),
        ("policy.kind=uniform", lambda c: c.policy.kind == "uniform"),
        ("budget.frames=20", lambda c: c.budget.frames == 20),
        ("envelope.keep_out=[[1, 1, 2, 2]]", lambda c: c.envelope.keep_out == ((1, 1, 2, 2),)),
    ],
)
def test_overrides(minimal: Path, override: str, read: object) -> None:
    config = load_config(minimal, [override])
    assert callable(read)
    assert read(config)


def test_the_seed_option_wins_over_the_file(minimal: Path) -> None:
    assert load_config(minimal, ["seed=1"], seed=9).seed == 9


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("targets.1.half_width=0.1", "'1' is not one of 0 to 0"),
        ("half_width", "write key.path=value"),
        ("seed.x=1", "seed is a value, not a table"),
    ],
)
def test_bad_overrides_are_named(minimal: Path, item: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said.replace(".", r"\.")):
        load_config(minimal, ["seed=1", item])


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    said = problems(MINIMAL.replace("half_width", "half_with"), tmp_path)
    assert "unknown key targets.0.half_with (did you mean 'half_width'?)" in said


def test_every_problem_is_listed_at_once(tmp_path: Path) -> None:
    text = MINIMAL + "[beem]\n[beam]\nkv = -1.0\n[imaging.reference]\nhfw_um = 10.0\ndwel_us = 1.0\n"
    said = problems(text, tmp_path)
    assert "unknown key beem (did you mean 'beam'?)" in said
    assert "beam.kv = -1.0" in said
    assert "unknown key imaging.reference.dwel_us (did you mean 'dwell_us'?)" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("half_width = 0.02", "half_width = 0", "half_width = 0: input should be greater than 0"),
        ("half_width = 0.02", "half_width = nan", "half_width"),
        ("half_width = 0.02", "", "exactly one of half_width (absolute) and relative"),
        ('class = "pearlite"', "", 'quantity = "area_fraction" needs class'),
        ('specimen = "synthetic:pearlite"', "", "needs specimen"),
        ('kind = "simulated"', 'kind = "simulatd"', "microscope.kind = 'simulatd'"),
    ],
)
def test_bad_values_are_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in problems(MINIMAL.replace(old, new), tmp_path)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[statistics]\ntier = 'guaranteed'\n[policy]\nexploration = 0.2", "at least 0.5"),
        ("[model]\nkind = 'threshold'", "needs classes"),
        ("[model]\nkind = 'threshold'\nclasses = ['a', 'b']\nthresholds = [0.2, 0.3]", "1 thresholds, 2"),
        ("[budget]\nbeam_time_s = -5", "budget.beam_time_s = -5"),
        ("[envelope]\nx_um = [10.0, 0.0]", "low < high"),
        ("[region]\nrectangle_um = [0, 0, 1, 1]\npolygon_um = [[0, 0], [1, 0], [1, 1]]", "not both"),
    ],
)
def test_contradictions_are_named(tmp_path: Path, table: str, said: str) -> None:
    assert said in problems(f"{MINIMAL}\n{table}\n", tmp_path)


def test_no_targets_is_one_problem(tmp_path: Path) -> None:
    said = problems('targets = []\n[microscope]\nkind = "simulated"\nspecimen = "x.h5"\n', tmp_path)
    assert "at least one [[targets]]" in said


def test_paths_are_relative_to_the_file_and_become_absolute(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        MINIMAL.replace("synthetic:pearlite", "s/specimen.h5") + '[model]\nweights = "m.safetensors"\n'
    )
    config = load_config(path)
    assert config.microscope.specimen == str(tmp_path / "s/specimen.h5")
    assert config.model.weights == tmp_path / "m.safetensors"


def test_a_missing_file_and_broken_toml_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"nowhere\.toml"):
        load_config(tmp_path / "nowhere.toml")
    assert "not valid TOML" in problems("seed = = 1", tmp_path)


def test_a_configuration_is_frozen(minimal: Path) -> None:
    config = load_config(minimal)
    with pytest.raises(ValueError, match="frozen"):
        config.seed = 3  # type: ignore[misc]


def test_keys_of_the_document_are_not_touched_by_defaults() -> None:
    document = {
        "microscope": {"kind": "simulated", "specimen": "synthetic:pearlite"},
        "targets": [{"quantity": "area_fraction", "class": "x", "half_width": 0.1}],
    }
    assert isinstance(config_from(document), Config)
