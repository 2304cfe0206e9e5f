"""Running a session from a configuration, or going on with an interrupted one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from numpy.typing import NDArray

import autoscope
from autoscope.app import build
from autoscope.app.census import write_census
from autoscope.app.config import Config
from autoscope.app.eds import eds_problems
from autoscope.app.labels import check_labels, check_queue, labelling_of, learner_of
from autoscope.app.loading import dump_config, recorded_config
from autoscope.app.notifying import ToldSession
from autoscope.app.preparing import preparer
from autoscope.app.specimens import Announce, open_specimen
from autoscope.app.truth import truth_problems
from autoscope.core import (
    AutoscopeError,
    ConfigurationError,
    RecordError,
    SessionFailedError,
    UnreachableError,
)
from autoscope.microscope import Microscope
from autoscope.records import (
    REPORT,
    RESULT,
    Document,
    KindRecord,
    MicroscopeRecord,
    ResumedDocument,
    SampleRecord,
    SessionResult,
    SessionView,
    SessionWriter,
    StartedDocument,
    TargetRecord,
    finished_document,
    open_session,
)
from autoscope.session import (
    CommandListener,
    Journal,
    Labelling,
    Learner,
    Listener,
    Past,
    SessionControl,
    SessionParts,
    SessionRunner,
    overview_tiles,
)
from autoscope.survey import FieldGrid
from autoscope_simulators import SpecimenFile

RESUMABLE = ("stopped_by_operator", "instrument_fault", "failed")
"""Endings after which a session may be taken up again."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A configuration that was checked against its specimen, before anything is touched."""

    config: Config
    specimen: SpecimenFile | None
    grid: FieldGrid
    model: build.ModelChoice
    microscope: Microscope

    @property
    def simulated_specimen(self) -> SpecimenFile:
        """The specimen file.

        Raises:
            ConfigurationError: an instrument has none.
        """
        if self.specimen is None:
            raise ConfigurationError('microscope.kind = "epics" has no specimen file: use "simulated"')
        return self.specimen

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.microscope.close()


def check(config: Config, announce: Announce | None = None) -> Checked:
    """Opens the specimen and builds everything that can be wrong, without touching the instrument.

    Raises:
        ConfigurationError: the configuration does not fit its specimen, model or envelope.
        SpecimenError: the specimen cannot be read.
        ModelError: the model cannot be read.
    """
    epics = config.microscope.kind == "epics"
    specimen = None if epics else open_specimen(config.microscope, announce)
    model = build.model_of(config, specimen)
    _check_classes(config, model, specimen)
    build.policy_of(config)
    check_labels(config, model)
    microscope = (
        build.epics_microscope_of(config) if specimen is None else build.microscope_of(config, specimen)
    )
    try:
        grid = build.grid_of(config, specimen, microscope.envelope)
        settings = build.settings_of(config, specimen, microscope)
        microscope.envelope.check_beam(settings.beam)
        microscope.envelope.check_imaging(settings.overview)
        microscope.envelope.check_imaging(settings.reference)
        overview_tiles(grid, settings.overview, microscope.envelope)
        _check_detector(config, microscope)
    except BaseException:
        microscope.close()
        raise
    return Checked(config, specimen, grid, model, microscope)


def run_session(
    config: Config,
    out: Path | None = None,
    *,
    control: SessionControl | None = None,
    listener: Listener | None = None,
    announce: Announce | None = None,
) -> SessionResult:
    """Runs one autonomous session and writes its folder, result and report.

    Args:
        config: what to measure and how.
        out: the session folder, new or empty; by default one under ``sessions/`` named by time and sample.
        control: lets an operator pause, skip and stop.
        listener: told of every step.
        announce: told of things that take a while before the session begins.

    Raises:
        AutoscopeError: bad configuration, or a file that cannot be used; nothing was touched.
        SessionFailedError: the session failed after it had begun; its folder says how.
    """
    checked = check(config, announce)
    check_queue(config)
    folder = default_folder(config) if out is None else out
    writer = SessionWriter.create(folder, dump_config(config), _columns(checked.grid))
    with writer:
        writer.append(_started(checked))
        return _run(checked, writer, folder, control, listener, None)


def resume_session(
    folder: Path,
    *,
    control: SessionControl | None = None,
    listener: Listener | None = None,
    announce: Announce | None = None,
) -> SessionResult:
    """Goes on with an interrupted session: the same draws, the same intervals.

    A session that finished is not touched; its result is returned. Where its process was killed before it had
    written result and report, they are written.

    Raises:
        RecordError: the session is damaged, or another process is writing it.
        ConfigurationError: the folder is not a session, or the files that it needs are gone.
        SessionFailedError: the session failed again; its folder says how.
    """
    view = existing_session(folder)
    ended = finished_document(view.documents())
    if ended is not None and ended.finish_reason not in RESUMABLE:
        if all((folder / name).exists() for name in (RESULT, REPORT)):
            return view.result()
        with SessionWriter.resume(folder)[0] as writer:
            return _write_up(writer, folder)
    config = recorded_config(folder, view.config_toml)
    checked = check(config, announce)
    check_queue(config)
    writer, documents = SessionWriter.resume(folder)
    with writer:
        if not documents:
            writer.append(_started(checked))
        else:
            _same_files(documents, checked)
            writer.append(ResumedDocument(dropped_frames=writer.dropped_frames))
        past = Past(tuple(documents), open_session(folder))
        return _run(checked, writer, folder, control, listener, past)


def existing_session(folder: Path) -> SessionView:
    """Opens a session folder that a user named.

    Raises:
        ConfigurationError: it is not there, or is not a session; nothing was touched.
    """
    try:
        return open_session(folder)
    except RecordError as error:
        raise ConfigurationError(str(error)) from error


def default_folder(config: Config) -> Path:
    """``sessions/2026-01-31T12-00-00-NAME`` in the working directory."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%S")
    name = config.sample.id or Path(config.microscope.specimen or "session").stem.replace(":", "-")
    safe = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    return Path("sessions") / f"{stamp}-{safe}"


def _run(
    checked: Checked,
    writer: SessionWriter,
    folder: Path,
    control: SessionControl | None,
    listener: Listener | None,
    past: Past | None,
) -> SessionResult:
    policy_sha256, control = build.policy_of(checked.config).sha256, control or SessionControl()
    journal = Journal(
        writer,
        [measure.target for measure in build.targets_of(checked.config)],
        policy_sha256=policy_sha256,
        tier=checked.config.statistics.tier,
        fields_in_region=len(checked.grid),
    )
    config, model, specimen = checked.config, checked.model, checked.specimen
    told = ToldSession(config, folder, checked.microscope, journal, control, listener)
    commands = CommandListener(folder, control, skip_old=past is not None)
    labels = labelling_of(config, model, checked.grid, specimen, folder, journal)
    learners = learner_of(config, model, folder)
    with _let_go(checked.microscope), told, commands, labels as labelling, learners as learner:
        with _failing_on_paper(writer, folder):
            SessionRunner(_parts(checked, labelling, learner), journal, control, told.saw, past).run()
        result = _write_up(writer, folder)
        if told.ended(result.finish_reason):
            result = _write_up(writer, folder)
    return result


@contextmanager
def _let_go(microscope: Microscope) -> Iterator[None]:
    """Closes the microscope afterwards; one that is lost is no news, the records say it."""
    try:
        yield
    finally:
        with suppress(UnreachableError):
            microscope.close()


@contextmanager
def _failing_on_paper(writer: SessionWriter, folder: Path) -> Iterator[None]:
    """A session that fails has a result and a report all the same, as far as the disk takes them.

    Raises:
        SessionFailedError: it failed; everything that was done is in the folder.
    """
    try:
        yield
    except AutoscopeError as error:
        with suppress(AutoscopeError):
            _write_up(writer, folder)
        raise SessionFailedError(str(error)) from error


def _write_up(writer: SessionWriter, folder: Path) -> SessionResult:
    from autoscope.report import write_report

    result = open_session(folder).result()
    writer.write_result(result)
    write_census(folder)
    write_report(folder)
    return result


def _parts(checked: Checked, labelling: Labelling | None, learner: Learner | None) -> SessionParts:
    config, grid, specimen = checked.config, checked.grid, checked.specimen
    warnings = list(checked.model.warnings)
    if grid.unreachable:
        warnings.append(
            f"{grid.unreachable} fields lie under a keep-out zone: they are not part of what is reported on"
        )
    return SessionParts(
        microscope=checked.microscope,
        settings=build.settings_of(config, specimen, checked.microscope),
        grid=grid,
        prepare=preparer(config, specimen, grid, checked.model, checked.microscope),
        policy_sha256=build.policy_of(config).sha256,
        warnings=tuple(warnings),
        labelling=labelling,
        learner=learner,
    )


def _started(checked: Checked) -> StartedDocument:
    config, grid, specimen = checked.config, checked.grid, checked.specimen
    targets = tuple(
        TargetRecord(
            quantity=t.quantity, class_name=t.class_name, half_width=t.half_width, relative=t.relative,
            confidence=t.confidence, min_feature_um=t.min_feature_um,
        )
        for t in config.targets
    )  # fmt: skip
    policy = build.policy_of(config)
    info = checked.microscope.info
    return StartedDocument(
        autoscope_version=autoscope.__version__,
        seed=config.seed,
        microscope=MicroscopeRecord(kind=info.kind, simulated=info.simulated, name=info.name),
        sample=SampleRecord(**config.sample.model_dump()),
        specimen=config.microscope.specimen or "",
        specimen_source="" if specimen is None else specimen.source,
        specimen_licence="" if specimen is None else specimen.licence,
        policy=KindRecord(kind=policy.name, sha256=policy.sha256),
        model=KindRecord(kind=checked.model.kind, sha256=checked.model.sha256),
        tier=config.statistics.tier,
        exploration=config.policy.exploration if policy.floored else None,
        targets=targets,
        classes=checked.model.classes,
        fields_in_region=len(grid),
        region_area_um2=grid.valid_area_um2,
    )


def _columns(grid: FieldGrid) -> Mapping[str, NDArray[Any]]:
    import numpy as np

    return {
        "x_um": grid.x_um,
        "y_um": grid.y_um,
        "row": grid.row,
        "column": grid.column,
        "weight": grid.weight,
        "valid_fraction": grid.valid_fraction,
        "hfw_um": np.asarray(grid.hfw_um),
        "vfw_um": np.asarray(grid.vfw_um),
    }


def _same_files(documents: tuple[Document, ...], checked: Checked) -> None:
    """Refuses to go on with another model than the one that the session began with."""
    started = next(d for d in documents if isinstance(d, StartedDocument))
    if started.model.sha256 != checked.model.sha256:
        raise RecordError(
            "the model's file has changed since the session began; the model that defines the measured value"
            " is frozen for a session: put the old file back, or start a new session"
        )


def _check_classes(config: Config, model: build.ModelChoice, specimen: SpecimenFile | None) -> None:
    """Refuses targets that the model does not know, or that contradict it."""
    measures = build.targets_of(config)
    if config.eds.enabled:
        problems = eds_problems(config, model.classes, specimen)
    elif model.kind == "truth" and specimen is not None:
        problems = [f"targets: {problem}" for m in measures for problem in truth_problems(specimen, m)]
    else:
        known = model.classes
        wrong = [m.target.class_name for m in measures if m.target.class_name not in known]
        problems = [_unknown(name, model.kind, known) for name in wrong]
    if problems:
        raise ConfigurationError(*problems)


def _unknown(name: str, kind: str, known: tuple[str, ...]) -> str:
    if not name:
        return (
            f'targets: quantity = "grain_size" needs class = the class of the grain boundaries with a {kind}'
            f" model, which has {', '.join(known)}; only the specimen's own truth has numbered grains"
        )
    return f"targets: class {name!r} is not one of the {kind} model's: {', '.join(known)}"


def _check_detector(config: Config, microscope: Microscope) -> None:
    if config.beam.detector not in microscope.detectors:
        raise ConfigurationError(
            f"beam.detector = {config.beam.detector!r} is not on this microscope, which has"
            f" {', '.join(microscope.detectors)}"
        )
