"""``autoscope labels``: answers to other programs' files, masks from them, and a model from the answers."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK
from autoscope.core import ConfigurationError
from autoscope.labels import LabelQueue
from autoscope.labels.exchange import answered_frames, format_of, import_frames
from autoscope.labels.exchange.frames import write_images


def run_export(options: argparse.Namespace) -> int:
    """Writes every answer of a queue, or of one session."""
    kind, folder = format_of(options.format), options.output
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(f"{folder} exists and is not an empty folder: choose another -o")
    with _existing(options.queue) as queue:
        frames = list(answered_frames(queue, options.session))
    write_images(frames, folder)
    kind.write(frames, folder)
    return _said(
        options,
        {"exported": len(frames), "format": options.format, "folder": str(folder)},
        f"{folder}: {len(frames)} answers as {options.format}",
    )


def run_import(options: argparse.Namespace) -> int:
    """Puts masks into a queue as answers of an expert."""
    classes = tuple(name.strip() for name in options.classes.split(",")) if options.classes else ()
    with LabelQueue.open(options.queue) as queue:
        frames = format_of(options.format).read(options.folder, classes or _classes_of(queue))
        count = import_frames(queue, frames, options.expert)
    return _said(
        options,
        asdict(count),
        f"{count.answered} requests answered, {count.added} frames added with their answer,"
        f" {count.repeated} were there already",
    )


def run_retrain(options: argparse.Namespace) -> int:
    """Fine-tunes a model on the answers."""
    from autoscope.app.retraining import retrain

    with _existing(options.queue) as queue, WorkBar("training", quiet=options.json) as bar:
        done = retrain(
            queue, options.start, options.output, session=options.session, steps=options.steps,
            seed=options.seed, progress=lambda now: bar.update(now.step, now.steps, f"loss {now.loss:.3f}"),
        )  # fmt: skip
    verdict = "better: use it" if done.better else "not better: keep the one that it began with"
    return _said(
        options,
        asdict(done) | {"path": str(done.path), "better": done.better},
        f"{done.path}: learnt from {done.answers} answers; mean IoU on {done.held_out} others"
        f" {done.mean_iou:.4f}, before {done.mean_iou_before:.4f}: {verdict}",
    )


def _existing(url: str) -> LabelQueue:
    """Opens a queue that must be there: a misspelt file name must not make an empty one.

    Raises:
        ConfigurationError: its file is not there.
    """
    file = url.removeprefix("sqlite:///")
    if file != url and file and not Path(file).is_file():
        raise ConfigurationError(f"--queue {url}: there is no file {file}")
    return LabelQueue.open(url)


def _classes_of(queue: LabelQueue) -> tuple[str, ...]:
    known = {request.class_names for request in queue.requests(limit=1_000_000)}
    if len(known) != 1:
        what = "no requests" if not known else "requests of different classes"
        raise ConfigurationError(f"--classes: the queue has {what}: say a,b,c in mask-value order")
    return known.pop()


def _said(options: argparse.Namespace, document: dict[str, object], text: str) -> int:
    print(json.dumps(document) if options.json else text)
    return OK
