"""From a specimen to its table of fields: the overview as a session takes it, the truth of every field."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscope.app import build
from autoscope.app.benchmarking.config import TRAINED, BenchmarkConfig, SpecimenEntry, session_config
from autoscope.app.benchmarking.fingerprints import TABLE_CODE, code_hash, digest
from autoscope.app.benchmarking.table import FieldTable, SurveyCosts, load_table, renamed, save_table
from autoscope.app.benchmarking.unseen import Card, check_unseen
from autoscope.app.config import SYNTHETIC, Config
from autoscope.app.loading import dump_config
from autoscope.app.preparing import groups_of, survey_of
from autoscope.app.running import Checked, check
from autoscope.app.specimens import specimen_path
from autoscope.app.truth import TruthMeasurer
from autoscope.core import ConfigurationError, Frame
from autoscope.records import SessionWriter
from autoscope.session import Journal, Prepared, SessionControl, SessionParts, SessionRunner
from autoscope_simulators import SpecimenFile

Announce = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Problem:
    """A specimen and what is asked of it, ready to be surveyed many times.

    Attributes:
        name: of the specimen.
        entry: its table in the configuration.
        specimen_seed: seed of a synthetic one.
        path: file of its table of fields.
        key: hash of everything that the table depends on.
        table: the table.
    """

    name: str
    entry: SpecimenEntry
    specimen_seed: int
    path: Path
    key: str
    table: FieldTable


def problems_of(
    config: BenchmarkConfig, folder: Path, cards: Sequence[Card], announce: Announce
) -> tuple[tuple[Problem, ...], tuple[str, ...]]:
    """The specimens of a benchmark as tables of fields, from the cache where they are there already.

    Args:
        config: the benchmark.
        folder: of the cached tables.
        cards: of learned parts; a specimen that one of them was trained on is refused.
        announce: told of what takes a while.

    Returns:
        The problems, and the names of specimens that were left out because their file is missing.

    Raises:
        ConfigurationError: a specimen cannot be surveyed as asked, or was seen in training.
        SpecimenError: a specimen file is missing, damaged or has no truth.
    """
    found, skipped = [], []
    for entry in config.specimens:
        if entry.skip_if_missing and _missing(entry):
            skipped.append(entry.label)
            announce(f"{entry.label}: {entry.specimen} is not there, left out")
            continue
        for name, specimen_seed in entry.named():
            session = session_config(entry, specimen_seed, config.benchmark.seed)
            found.append(_problem(name, entry, specimen_seed, session, folder, cards, announce))
    if not found:
        raise ConfigurationError("specimens: not one of the specimens is there")
    return tuple(found), tuple(skipped)


def _missing(entry: SpecimenEntry) -> bool:
    return not entry.specimen.startswith(SYNTHETIC) and not Path(entry.specimen).is_file()


def _problem(
    name: str,
    entry: SpecimenEntry,
    specimen_seed: int,
    session: Config,
    folder: Path,
    cards: Sequence[Card],
    announce: Announce,
) -> Problem:
    with SpecimenFile(specimen_path(session.microscope, announce)) as specimen:
        sha256, own_name = specimen.sha256, specimen.name
    check_unseen(name, sha256, cards, own_name)
    key = digest(_measured(session), sha256, code_hash(TABLE_CODE))
    path = folder / f"{key[:32]}.npz"
    if path.exists():
        table = renamed(load_table(path), name)
    else:
        announce(f"{name}: overview and truth (once)")
        table = tabulate(name, session)
        save_table(table, path)
    return Problem(name, entry, specimen_seed, path, key, table)


def _measured(session: Config) -> dict[str, object]:
    """The part of a configuration that a table depends on; not how well it is to be known."""
    document = session.model_dump(mode="json")
    for key in ("statistics", "policy", "sample", "budget", "eds", "labels"):
        document.pop(key)
    document["targets"] = [
        {k: target[k] for k in ("quantity", "class_name", "min_feature_um")} for target in document["targets"]
    ]
    return document


def tabulate(name: str, session: Config) -> FieldTable:
    """Takes the overview of a specimen and reads the true value of each of its fields.

    Args:
        name: what the benchmark calls the specimen.
        session: the configuration; its seed is that of the microscope.

    Raises:
        ConfigurationError: the configuration does not fit the specimen.
        SpecimenError: the specimen has no truth.
    """
    with check(session) as checked:
        frames = overview_of(checked)
        overview_s = checked.microscope.clock.now_s()
        groups = groups_of(checked.grid, frames, TRAINED)
        if not groups:
            raise ConfigurationError(f"{name}: the overview has no frame")
        position = frames[-1].position
        measures = build.targets_of(session)
        return FieldTable(
            name=name,
            sha256=checked.simulated_specimen.sha256,
            synthetic=checked.simulated_specimen.synthetic,
            grid=checked.grid,
            values=TruthMeasurer(checked.simulated_specimen, checked.grid, measures).values(),
            groups=groups,
            costs=SurveyCosts(
                timing=build.timing_of(session),
                visit_s=checked.microscope.predict_image_s(build.imaging(session.imaging.reference)),
                overview_s=overview_s,
                start_xy_um=(position.x_um, position.y_um),
                focus_every_s=session.focus.every_s,
            ),
        )


def overview_of(checked: Checked) -> list[Frame]:
    """The overview, taken by a session that is stopped when it is complete."""
    taken: list[Frame] = []
    control = SessionControl()
    config, grid = checked.config, checked.grid
    measures = build.targets_of(config)

    def prepare(frames: Sequence[Frame]) -> Prepared:
        taken.extend(frames)
        control.stop()
        measurer = TruthMeasurer(checked.simulated_specimen, grid, measures)
        return Prepared(measurer, survey_of(config, grid, checked.microscope, ()))

    sha256 = build.policy_of(config).sha256
    parts = SessionParts(
        microscope=checked.microscope,
        settings=build.settings_of(config, checked.specimen, checked.microscope),
        grid=grid,
        policy_sha256=sha256,
        prepare=prepare,
    )
    with tempfile.TemporaryDirectory() as folder:
        columns = {"x_um": grid.x_um, "y_um": grid.y_um}
        with SessionWriter.create(Path(folder) / "overview", dump_config(config), columns) as writer:
            journal = Journal(
                writer,
                [measure.target for measure in measures],
                policy_sha256=sha256,
                tier=config.statistics.tier,
                fields_in_region=len(grid),
            )
            SessionRunner(parts, journal, control).run()
    return taken
