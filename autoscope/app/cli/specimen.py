"""``autoscope specimen import | generate | truth``."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK
from autoscope.app.config import SYNTHETIC, MicroscopeConfig
from autoscope.core import ConfigurationError, nearest

if TYPE_CHECKING:
    from autoscope_simulators import SpecimenData


def run_import(options: argparse.Namespace) -> int:
    """Stored micrographs to a specimen file."""
    from autoscope.images import is_spectrum_image
    from autoscope_simulators import import_specimen, write_specimen

    _check_output(options.output)
    classes = () if options.classes is None else tuple(c.strip() for c in options.classes.split(","))
    if any(is_spectrum_image(image) for image in options.images):
        write_specimen(_spectrum_image(options), options.output)
        return _describe(options.output, as_json=options.json)
    if options.map_current_pa is not None:
        raise ConfigurationError("--map-current-pa is for spectrum images (.bcf), and there is none")
    data = import_specimen(
        options.images,
        options.mask,
        pixel_nm=options.pixel_nm,
        class_names=classes,
        name=options.name or options.output.stem,
        detector=options.detector,
        source=options.source,
        licence=options.licence,
        detect_gaps=not options.keep_black,
    )
    write_specimen(data, options.output)
    return _describe(options.output, as_json=options.json)


def _spectrum_image(options: argparse.Namespace) -> SpecimenData:
    """The specimen of a spectrum image; refuses what goes with micrographs only."""
    from autoscope_simulators import import_spectrum_image

    if len(options.images) > 1 or options.mask or options.classes:
        raise ConfigurationError("a spectrum image (.bcf) is imported by itself, without masks and classes")
    current_pa = options.map_current_pa
    if current_pa is not None and not (math.isfinite(current_pa) and current_pa > 0):
        raise ConfigurationError(f"--map-current-pa {current_pa:g} pA must be positive")
    return import_spectrum_image(
        options.images[0],
        pixel_nm=options.pixel_nm,
        name=options.name or options.output.stem,
        source=options.source or None,
        licence=options.licence,
        beam_current_pa=current_pa,
    )


def run_generate(options: argparse.Namespace) -> int:
    """A synthetic specimen with exact truth."""
    from autoscope_simulators import write_specimen
    from autoscope_simulators.synthetic import KINDS, generate
    from autoscope_simulators.synthetic.foreign import foreign_problems, plant_foreign

    kind = options.kind.removeprefix(SYNTHETIC)
    if kind not in KINDS:
        raise ConfigurationError(
            f"no synthetic specimen {kind!r}{nearest(kind, list(KINDS))}; there are {', '.join(KINDS)}"
        )
    if problems := foreign_problems(options.foreign, options.foreign_share):
        raise ConfigurationError(*problems)
    _check_output(options.output)
    size = None if options.size_um is None else (options.size_um[0], options.size_um[1])
    with WorkBar(f"generating {kind}", quiet=options.json) as bar:
        data = generate(kind, seed=options.seed, size_um=size, progress=lambda share: bar.update(share, 1.0))
    data = plant_foreign(data, options.foreign, options.foreign_share, seed=options.seed)
    write_specimen(data, options.output)
    return _describe(options.output, as_json=options.json)


def run_truth(options: argparse.Namespace) -> int:
    """The true value of every quantity of a configuration."""
    from autoscope.app import build
    from autoscope.app.cli.answers import named, with_unit
    from autoscope.app.loading import load_config
    from autoscope.app.specimens import open_specimen
    from autoscope.app.truth import TruthMeasurer
    from autoscope.session import UNITS

    config = load_config(options.config)
    microscope = config.microscope
    if options.specimen is not None:
        microscope = microscope.model_copy(update={"specimen": _named(options.specimen, microscope)})
        config = config.model_copy(update={"microscope": microscope})
    with open_specimen(microscope, Console(stderr=True, quiet=options.json).print) as specimen:
        grid = build.grid_of(config, specimen)
        values = TruthMeasurer(specimen, grid, build.targets_of(config)).truth()
    rows = [
        {"quantity": t.quantity, "class": t.class_name, "truth": float(value), "unit": UNITS[t.quantity]}
        for t, value in zip(config.targets, values, strict=True)
    ]
    if options.json:
        print(json.dumps({"quantities": rows}, indent=2))
    else:
        for row in rows:
            name = named(str(row["quantity"]), str(row["class"]))
            print(f"{name}: {row['truth']:.6f}{with_unit(str(row['unit']))} (exact, over {len(grid)} fields)")
    return OK


def _named(name: str, config: MicroscopeConfig) -> str:
    """A specimen from the command line; the working directory counts, not the configuration's folder."""
    if config.specimen == name or name.startswith(SYNTHETIC):
        return name
    return str(Path(name).resolve())


def _check_output(path: Path) -> None:
    if not path.parent.is_dir():
        raise ConfigurationError(f"{path}: the folder {path.parent} does not exist")
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder; -o wants a file such as specimen.h5")


def _describe(path: Path, *, as_json: bool) -> int:
    from autoscope_simulators import SpecimenFile

    with SpecimenFile(path) as specimen:
        height, width = specimen.shape
        extent = specimen.extent
        valid = specimen.valid_fraction(extent)
        facts = {
            "path": str(path),
            "name": specimen.name,
            "width_px": width,
            "height_px": height,
            "pixel_nm": specimen.pixel_nm,
            "width_um": extent.width_um,
            "height_um": extent.height_um,
            "tiles": len(specimen.tiles),
            "valid_fraction": valid,
            "class_names": specimen.class_names,
            "eds": specimen.has_eds,
        }
    if as_json:
        print(json.dumps(facts, indent=2))
        return OK
    classes = ", ".join(specimen.class_names) if specimen.class_names else "none"
    print(
        f"{path}: {width} x {height} px of {specimen.pixel_nm:g} nm"
        f" ({extent.width_um:g} x {extent.height_um:g} um), {len(specimen.tiles)} tile(s), classes: {classes}"
    )
    if valid < 1:
        print(
            f"{100 * (1 - valid):.2f} % of it is no specimen (gaps between images, and large patches of"
            " exactly black pixels; --keep-black counts those as specimen)"
        )
    return OK
