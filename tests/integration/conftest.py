from collections.abc import Callable
from pathlib import Path

import pytest

from autoscope_simulators import write_specimen
from autoscope_simulators.synthetic import generate

SESSION = """
seed = 3
[microscope]
kind = "simulated"
specimen = "{specimen}"
[sample]
id = "A-17"
operator = "tester"
[imaging.overview]
hfw_um = 128.0
width_px = 128
height_px = 128
[imaging.reference]
hfw_um = 16.0
width_px = 64
height_px = 64
dwell_us = 3.0
[[targets]]
quantity = "area_fraction"
class = "pearlite"
half_width = 0.05
[model]
kind = "truth"
[policy]
kind = "uniform"
"""

BENCHMARK = """
[benchmark]
episodes = 3
seed = 3
policies = ["uniform", "proportional", "oracle"]
[[specimens]]
specimen = "{specimen}"
[specimens.imaging.overview]
hfw_um = 128.0
width_px = 128
height_px = 128
[specimens.imaging.reference]
hfw_um = 16.0
width_px = 64
height_px = 64
dwell_us = 3.0
[[specimens.targets]]
quantity = "area_fraction"
class = "pearlite"
half_width = 0.05
"""


@pytest.fixture(scope="session")
def specimen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small synthetic steel, 256 x 256 um: 16 x 16 fields of 16 um."""
    path = tmp_path_factory.mktemp("specimen") / "steel.h5"
    write_specimen(generate("pearlite", seed=5, size_um=(256.0, 256.0)), path)
    return path


@pytest.fixture
def write_config(specimen: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a configuration for the small steel, with replacements and further tables."""

    def write(extra: str = "", **replacements: str) -> Path:
        text = SESSION.format(specimen=specimen)
        for old, new in replacements.items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "session.toml"
        path.write_text(text + extra)
        return path

    return write


@pytest.fixture
def write_benchmark(specimen: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes a benchmark's configuration on the small steel, with replacements."""

    def write(**replacements: str) -> Path:
        text = BENCHMARK.format(specimen=specimen)
        for old, new in replacements.items():
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "bench.toml"
        path.write_text(text)
        return path

    return write
