"""Finding the specimen that a configuration names; synthetic ones are generated once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import platformdirs

from autoscope.app.config import SYNTHETIC, MicroscopeConfig
from autoscope.core import ConfigurationError, nearest
from autoscope_simulators import SpecimenFile, write_specimen
from autoscope_simulators.synthetic import KINDS, generate
from autoscope_simulators.synthetic.foreign import foreign_problems, plant_foreign

Announce = Callable[[str], None]


def specimen_path(config: MicroscopeConfig, announce: Announce | None = None) -> Path:
    """The specimen file of a configuration.

    A synthetic specimen is generated on first use into the user's cache folder, under a name that holds
    its kind, seed, size and the hash of the code that generates it.

    Args:
        config: names the specimen.
        announce: told when something is generated, which takes a while.

    Raises:
        ConfigurationError: there is no such kind or file.
    """
    name = config.specimen or ""
    if not name.startswith(SYNTHETIC):
        return Path(name)
    kind = name.removeprefix(SYNTHETIC)
    if kind not in KINDS:
        raise ConfigurationError(
            f"microscope.specimen: no synthetic specimen {kind!r}{nearest(kind, list(KINDS))};"
            f" there are {', '.join(KINDS)}"
        )
    if problems := foreign_problems(config.specimen_foreign, config.specimen_foreign_share):
        raise ConfigurationError(*(f"microscope.specimen_foreign: {problem}" for problem in problems))
    path = _cached(kind, config)
    if not path.exists():
        if announce is not None:
            announce(f"generating the synthetic specimen {kind!r} (once)")
        path.parent.mkdir(parents=True, exist_ok=True)
        data = generate(kind, seed=config.specimen_seed, size_um=config.specimen_size_um)
        planted = plant_foreign(
            data, config.specimen_foreign, config.specimen_foreign_share, seed=config.specimen_seed
        )
        write_specimen(planted, path)
    return path


def open_specimen(config: MicroscopeConfig, announce: Announce | None = None) -> SpecimenFile:
    """Opens the specimen of a configuration; see :func:`specimen_path`."""
    return SpecimenFile(specimen_path(config, announce))


def _cached(kind: str, config: MicroscopeConfig) -> Path:
    size = config.specimen_size_um
    extent = "default" if size is None else f"{size[0]:g}x{size[1]:g}"
    spectra = "" if find_spec("xraylib") else "-no-spectra"
    folder = Path(platformdirs.user_cache_dir("autoscope")) / "specimens"
    planted = ""
    if config.specimen_foreign_share > 0:
        planted = f"-{'+'.join(config.specimen_foreign)}-{config.specimen_foreign_share:g}"
    name = f"{kind}-{config.specimen_seed}-{extent}{planted}-{_generator_hash()}{spectra}.h5"
    return folder / name


def _generator_hash() -> str:
    """Hash of the code that generates and stores specimens, so that a changed one is never mistaken."""
    import autoscope_simulators

    digest = hashlib.sha256()
    root = Path(autoscope_simulators.__file__).parent
    for source in sorted(root.rglob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:12]
