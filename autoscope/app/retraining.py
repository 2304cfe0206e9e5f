"""From experts' answers to a model, and whether it is better than the one that they corrected."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscope.core import ConfigurationError, component_rng
from autoscope.labels import LabelQueue
from autoscope.labels.exchange import LabelledFrame, answered_frames, format_of
from autoscope.labels.exchange.frames import write_images
from autoscope.perception import TrainingSettings, load_segmenter, read_card
from autoscope.perception.evaluation import evaluate_segmenter
from autoscope.perception.pairs import find_pairs, read_pair
from autoscope.perception.trainer import TrainingProgress
from autoscope.perception.training import train_pairs

FEWEST = 4
"""Answered frames that training wants: some must be held out."""
SMALLEST_CROP_PX = 32


@dataclass(frozen=True, slots=True)
class Retrained:
    """A model that was trained on answers.

    Attributes:
        path: its file.
        sha256: its card's hash.
        answers: frames that it learnt from.
        held_out: frames that it was judged on, seen by neither model in this training.
        mean_iou: on those.
        mean_iou_before: of the model that it began with, on the same.
    """

    path: Path
    sha256: str
    answers: int
    held_out: int
    mean_iou: float
    mean_iou_before: float

    @property
    def better(self) -> bool:
        """Whether it is better on the frames held out, and so worth using."""
        return self.mean_iou > self.mean_iou_before


def retrain(
    queue: LabelQueue,
    start: Path,
    output: Path,
    *,
    session: str | None = None,
    held_out_share: float = 0.25,
    steps: int = 300,
    seed: int = 0,
    progress: Callable[[TrainingProgress], None] | None = None,
) -> Retrained:
    """Fine-tunes a model on a queue's answers; a share of them, drawn at random, is held out to judge by.

    Args:
        queue: the answers; of two to the same frame the first counts.
        start: the model to begin with; its classes must be the answers'.
        output: the ``.safetensors`` file to write.
        session: only answers to this session's requests.
        held_out_share: share of the frames that is held out, in (0, 1).
        steps: optimiser steps.
        seed: of the choice and of training.
        progress: hears of every step.

    Raises:
        ConfigurationError: there are too few answers, or their classes are not the model's.
        ModelError: the model cannot be read.
    """
    frames = first_answers(queue, session)
    if len(frames) < FEWEST:
        raise ConfigurationError(
            f"{len(frames)} frames are answered: training wants at least {FEWEST}, some to judge it by"
        )
    held_out = _held_out(frames, held_out_share, seed)
    learn = [one for one in frames if one.name not in held_out]
    judge = [one for one in frames if one.name in held_out]
    return fine_tune(learn, judge, start, output, steps=steps, seed=seed, progress=progress)


def first_answers(queue: LabelQueue, session: str | None = None) -> list[LabelledFrame]:
    """Answered frames of a queue or a session; of two answers to the same frame the first."""
    return [one for one in answered_frames(queue, session) if not one.facts["second_opinion"]]


def fine_tune(
    learn: Sequence[LabelledFrame],
    judge: Sequence[LabelledFrame],
    start: Path,
    output: Path,
    *,
    steps: int,
    seed: int,
    progress: Callable[[TrainingProgress], None] | None = None,
) -> Retrained:
    """Trains a model further on some answered frames, and scores it and the old one on others.

    Nothing of the frames to judge by is used in training, not even to choose its best step: for that a share
    of the others is set aside.

    Raises:
        ConfigurationError: the frames' classes are not the model's.
        ModelError: the model cannot be read.
    """
    card, frames = read_card(start), [*learn, *judge]
    _check(frames, card.classes, start)
    smallest = min(min(one.mask.shape) for one in frames)
    settings = TrainingSettings(
        architecture=card.architecture,
        preprocessing=card.preprocessing,
        steps=steps,
        crop_px=max(SMALLEST_CROP_PX, min(card.hyperparameters.crop_px, smallest)),
        learning_rate=card.hyperparameters.learning_rate / 3,  # it begins near a minimum already
        pixel_nm=float(frames[0].facts["pixel_nm"]) or None,
        seed=seed,
    )
    with tempfile.TemporaryDirectory(prefix="autoscope-retrain-") as folder:
        write_images(frames, Path(folder))
        format_of("png").write(frames, Path(folder))
        pairs = find_pairs(Path(folder) / "images", Path(folder) / "masks")
        held_out = {one.name for one in judge}
        own = [pair for pair in pairs if pair.name not in held_out]
        train_pairs(own, card.classes, output, settings=settings, start=start, progress=progress)
        judged = [read_pair(pair, card.classes) for pair in pairs if pair.name in held_out]
        before = evaluate_segmenter(load_segmenter(start), judged)
        after = evaluate_segmenter(load_segmenter(output), judged)
    return Retrained(
        output, read_card(output).sha256, len(learn), len(judge),
        after.mean_iou or 0.0, before.mean_iou or 0.0,
    )  # fmt: skip


def _check(frames: Sequence[LabelledFrame], classes: tuple[str, ...], start: Path) -> None:
    other = next((one for one in frames if one.class_names != classes), None)
    if other is not None:
        raise ConfigurationError(
            f"{other.name} has the classes {', '.join(other.class_names)}, the model {start.name} has"
            f" {', '.join(classes)}: choose a session, or the model that asked"
        )


def _held_out(frames: Sequence[LabelledFrame], share: float, seed: int) -> tuple[str, ...]:
    count = min(max(2, round(share * len(frames))), len(frames) - 2)
    order = component_rng(seed, "held-out answers").permutation(len(frames))
    return tuple(sorted(frames[i].name for i in order[:count]))
