"""Trains the overview reader that is shipped, and says how it does on specimens that it has not seen.

    python benchmarks/train_overview.py --data ../shared/data

Synthetic specimens of every kind with seeds from 1000 on and the melt-pool strips of one slice are imaged
by the simulated microscope at several magnifications and dwell times; the strips of the other slice and all
seeds below 1000 are never seen. On one core it takes about five minutes.
"""

from __future__ import annotations

import argparse
import platform
from pathlib import Path

import numpy as np
import torch
from overviews import TRAINING, View, training_views
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from autoscope.perception.overview_card import ReaderCard, TrainedOn, shipped_reader
from autoscope.perception.overview_network import OverviewReader, ReaderShape
from autoscope.perception.overview_training import OverviewSample, ReaderTraining, train_reader
from autoscope.perception.overview_weights import stored_tensors, write_reader
from autoscope.perception.weights import tensors_sha256
from autoscope_simulators.synthetic import FIRST_TRAINING_SEED

STRIPS = ("Slice-2Bottom", "Slice-2Middle", "Slice-2Top")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data"), help="folder of real micrographs"
    )
    parser.add_argument("--per-kind", type=int, default=10, help="synthetic specimens of each kind")
    parser.add_argument("--no-strips", action="store_true", help="synthetic specimens alone")
    parser.add_argument("--steps", type=int, default=ReaderTraining().steps)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, default=shipped_reader())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    strips = () if options.no_strips else STRIPS
    training, shape = ReaderTraining(steps=options.steps), ReaderShape()
    with _bar() as bar:
        task = bar.add_task("imaging specimens", total=2 * (len(TRAINING) * options.per_kind + len(strips)))
        views = []
        for view in training_views(options.per_kind, strips, options.data):
            views.append(view)
            bar.advance(task)
        task = bar.add_task("training", total=training.steps)

        def progress(step: int, left: float) -> None:
            bar.update(task, completed=step, description=f"training: {left:.3f} of the variance left")

        samples = [OverviewSample(view.frames, view.truth, view.classes) for view in views]
        reader, heads = train_reader(samples, shape, training, progress)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    write_reader(options.output, reader, _card(reader, heads, views, shape, training, options.per_kind))
    print(f"{options.output}: {options.output.stat().st_size / 1e6:.2f} MB, {', '.join(heads)}")


def _card(
    reader: OverviewReader,
    heads: tuple[str, ...],
    views: list[View],
    shape: ReaderShape,
    training: ReaderTraining,
    per_kind: int,
) -> ReaderCard:
    seen = dict.fromkeys((view.specimen, view.sha256) for view in views)
    seeds = tuple(range(FIRST_TRAINING_SEED, FIRST_TRAINING_SEED + per_kind))
    return ReaderCard(
        heads=heads,
        features=shape.features,
        width=shape.width,
        trained_on=tuple(TrainedOn(name=name, sha256=sha256) for name, sha256 in seen),
        seeds=dict.fromkeys(sorted(TRAINING), seeds),
        steps=training.steps,
        software={
            "numpy": np.__version__, "python": platform.python_version(), "torch": torch.__version__,
        },
        weights_sha256=tensors_sha256(stored_tensors(reader)),
    )  # fmt: skip


def _bar() -> Progress:
    return Progress(TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())


if __name__ == "__main__":
    main()
