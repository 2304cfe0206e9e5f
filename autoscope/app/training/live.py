"""Environments on a microscope and on tables of a specimen: the same episode, slowly or fast."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from autoscope.app import build
from autoscope.app.benchmarking.table import FieldTable
from autoscope.app.benchmarking.tabulating import overview_of
from autoscope.app.config import Config
from autoscope.app.loading import dump_config
from autoscope.app.preparing import predictor_of, preparer, survey_of
from autoscope.app.running import Checked
from autoscope.app.truth import TruthMeasurer
from autoscope.core import Frame
from autoscope.records import SessionWriter
from autoscope.session import Journal, Prepared, SessionControl
from autoscope.session.instrument import Imaging, InstrumentSource
from autoscope.survey import Decision, Outcome, Policy, Statistics, Survey, Target
from autoscope_envs import Population, SurveyInstrument, TableWorld

MIDDLING = {"drift_s": 5000.0, "spectrum_overhead_s": 2.0, "live_s": 1.0}
"""What a table does not know of its microscope."""


def table_world(
    table: FieldTable,
    targets: tuple[Target, ...],
    seed: int,
    *,
    focus_every_s: float | None = None,
    sharpness_drop: float = 0.15,
) -> TableWorld:
    """A specimen's table of fields as a world to train in: its overview, its truth, its microscope's costs.

    Args:
        table: of the specimen.
        targets: what is asked; they are told by images, no spectra are taken.
        seed: of the draws.
        focus_every_s: longest time between two autofocus runs; None: the table's.
        sharpness_drop: relative drop of sharpness that asks for one.
    """
    make_predictor = partial(predictor_of, len(table.grid), targets, table.groups)
    costs = table.costs
    return TableWorld(
        name=table.name,
        population=Population(table.name, table.grid, table.values, make_predictor().predict()),
        targets=targets,
        instrument=SurveyInstrument(
            costs=costs,
            focus_s=costs.timing.autofocus_s,
            focus_every_s=costs.focus_every_s if focus_every_s is None else focus_every_s,
            sharpness_drop=sharpness_drop,
            **MIDDLING,
        ),
        seed=seed,
        make_predictor=make_predictor,
        start_xy_um=costs.start_xy_um,
    )


class LiveWorld:
    """A specimen on a microscope, its overview taken: an environment's episode is measured frame by frame.

    Args:
        checked: the session's configuration, specimen and microscope; it stays the caller's to close.
        folder: where the episode's records go; new.

    Raises:
        ConfigurationError: the configuration does not fit, or the microscope is no simulated one: an episode
            in training may do what no unattended session may.
    """

    def __init__(self, checked: Checked, folder: Path) -> None:
        self.name = str(checked.simulated_specimen.name)
        self._checked, self._folder = checked, folder
        config, self._frames = checked.config, overview_of(checked)
        measures = build.targets_of(config)
        self._targets = tuple(measure.target for measure in measures)
        self._prepared = _prepared(checked, self._frames)
        values = TruthMeasurer(checked.simulated_specimen, checked.grid, measures).values()
        prediction = survey_of(config, checked.grid, checked.microscope, self._frames).view().prediction
        self.population = Population(self.name, checked.grid, values, prediction)

    def survey(self, policy: Policy, statistics: Statistics) -> tuple[Survey, LiveSource]:
        """A new survey, and the microscope as its source."""
        checked, control = self._checked, SessionControl()
        config = checked.config
        columns = {"x_um": checked.grid.x_um, "y_um": checked.grid.y_um}
        writer = SessionWriter.create(self._folder, dump_config(config), columns)
        journal = Journal(
            writer, self._targets, policy_sha256=policy.sha256, tier=config.statistics.tier,
            fields_in_region=len(checked.grid),
        )  # fmt: skip
        settings = build.settings_of(config, checked.specimen, checked.microscope)
        imaging = Imaging(checked.microscope, settings, journal, control)
        survey = survey_of(
            config, checked.grid, checked.microscope, self._frames, policy=policy, statistics=statistics
        )
        source = InstrumentSource(imaging, checked.grid, self._prepared.measurer, control, _nothing)
        return survey, LiveSource(source, checked, writer)


class LiveSource:
    """The microscope as a source that knows its time.

    Args:
        source: measures fields.
        checked: whose microscope it is.
        writer: of the episode's records, closed by :meth:`close`.
    """

    def __init__(self, source: InstrumentSource, checked: Checked, writer: SessionWriter) -> None:
        self._source, self._clock, self._writer = source, checked.microscope.clock, writer

    @property
    def clock_s(self) -> float:
        """The microscope's clock."""
        return self._clock.now_s()

    def travel(self, decision: Decision) -> None:
        """Sends the stage to a field."""
        self._source.travel(decision)

    def collect(self, decision: Decision) -> Outcome:
        """Measures the frame of a field."""
        return self._source.collect(decision)

    def acquire(self, decision: Decision) -> None:
        """Takes the frame of a field."""
        self._source.acquire(decision)

    def close(self) -> None:
        """Closes the records."""
        self._writer.close()


def _prepared(checked: Checked, frames: Sequence[Frame]) -> Prepared:
    config: Config = checked.config
    return preparer(config, checked.specimen, checked.grid, checked.model, checked.microscope)(frames)


def _nothing() -> None:
    """An episode keeps no running estimate."""
