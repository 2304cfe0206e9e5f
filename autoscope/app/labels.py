"""The experts' part of a session, from its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoscope.app.build import ModelChoice, targets_of
from autoscope.app.config import Config
from autoscope.app.fine_tuning import FineTuningProcess
from autoscope.core import ConfigurationError
from autoscope.labels import LabelQueue
from autoscope.records import label_session, open_session, started_document
from autoscope.session import Journal, Labelling, LabelSettings, Learner, LearnSettings, MaskReader
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
    trainable = model.kind == "segmentation" and model.weights is not None
    if config.labels.finetune and not (trainable and str(model.weights).endswith(".safetensors")):
        problems.append(
            "labels.finetune = true: only a segmentation model of a .safetensors file can learn from answers,"
            f" not {model.kind}{'' if model.weights is None else f' {model.weights}'}: leave finetune out"
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
            _name_in_queue(folder),
            journal,
        )


@contextmanager
def learner_of(config: Config, model: ModelChoice, folder: Path) -> Iterator[Learner | None]:
    """Who lets the model learn from the answers; None where it is not to. Ends with everything it started."""
    labels = config.labels
    if labels.queue is None or not labels.finetune or model.weights is None:
        yield None
        return
    settings = LearnSettings(labels.finetune_after, labels.finetune_held_out, model.weights, model.sha256)
    trainer = FineTuningProcess(
        labels.queue, _name_in_queue(folder), steps=labels.finetune_steps, seed=config.seed
    )
    try:
        yield Learner(settings, trainer)
    finally:
        trainer.end()


def _name_in_queue(folder: Path) -> str:
    return label_session(folder, started_document(open_session(folder).documents()))
