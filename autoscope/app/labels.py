"""The experts' part of a session, from its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoscope.app.build import ModelChoice, targets_of
from autoscope.app.config import Config
from autoscope.core import ConfigurationError
from autoscope.labels import LabelQueue
from autoscope.records import label_session, open_session, started_document
from autoscope.session import Journal, Labelling, LabelSettings, MaskReader
from autoscope.survey import FieldGrid
from autoscope_simulators import SpecimenFile


def check_labels(config: Config, model: ModelChoice) -> None:
    """Refuses a queue whose answers could not be used; does not open it.

    Raises:
        ConfigurationError: the model is the truth itself, or the tier has no corrected interval.
    """
    if config.labels.queue is None:
        return
    problems = []
    if model.kind == "truth":
        problems.append(
            "labels.queue: the classes are read from the specimen's own truth, there is nothing for experts"
            ' to correct: choose model.kind = "segmentation" or "threshold"'
        )
    if config.statistics.tier != "standard":
        problems.append(
            f'labels.queue: statistics.tier = "{config.statistics.tier}" has no interval that answers can'
            ' correct: use "standard", or leave the queue out'
        )
    if problems:
        raise ConfigurationError(*problems)


def check_queue(config: Config) -> None:
    """Opens the queue once, before a session touches anything; makes it where there is none.

    Raises:
        QueueError: it cannot be opened.
    """
    if config.labels.queue is not None:
        LabelQueue.open(config.labels.queue).close()


@contextmanager
def labelling_of(
    config: Config,
    model: ModelChoice,
    grid: FieldGrid,
    specimen: SpecimenFile | None,
    folder: Path,
    journal: Journal,
) -> Iterator[Labelling | None]:
    """The experts' part of a session whose first document is written; None without a queue.

    Raises:
        QueueError: the queue cannot be opened.
    """
    labels = config.labels
    if labels.queue is None:
        yield None
        return
    measures = targets_of(config)
    settings = LabelSettings(
        labels.max_requests, labels.share, labels.floor, labels.strategy, labels.wait_s, config.seed
    )
    with LabelQueue.open(
        labels.queue, lease_s=labels.lease_s, second_opinion_share=labels.second_opinions
    ) as queue:
        yield Labelling(
            queue,
            settings,
            MaskReader(model.classes, grid, measures, specimen),
            [measure.target for measure in measures],
            model.sha256,
            label_session(folder, started_document(open_session(folder).documents())),
            journal,
        )
