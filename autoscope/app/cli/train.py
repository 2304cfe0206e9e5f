"""``autoscope train``."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from autoscope.app.cli.bars import WorkBar
from autoscope.app.cli.main import OK

if TYPE_CHECKING:
    from autoscope.app.training.running import TrainingRun
    from autoscope_policies.training.progress import LearningPoint, LearningProgress


def run(options: argparse.Namespace) -> int:
    """Trains a policy for each seed, and says how good they are."""
    from autoscope.app.training.config import load_training
    from autoscope.app.training.running import run_training

    config = load_training(options.config, options.set, seed=options.seed, steps=options.steps)
    folder: Path = options.out or Path("trained-policies") / options.config.stem
    seeds, done = config.training.seeds, dict.fromkeys(config.training.seeds, 0)
    with WorkBar("training", quiet=options.json) as bar:

        def tell(seed: int, now: LearningProgress) -> None:
            done[seed] = min(now.step, now.steps)
            bar.update(sum(done.values()), len(seeds) * now.steps, _now(seed, now))

        try:
            trained = run_training(
                config,
                folder,
                name=str(options.config),
                resume=options.resume,
                jobs=options.jobs or min(os.cpu_count() or 1, len(seeds)),
                tell=tell,
            )
        except KeyboardInterrupt:
            print(f"{folder}: the same command with --resume goes on from here", file=sys.stderr)
            raise
    if options.json:
        print(json.dumps(trained.to_json(), indent=2))
    else:
        print_training(trained)
    return OK


def _now(seed: int, now: LearningProgress) -> str:
    text = f"seed {seed}, step {now.step} of {now.steps}"
    return text if now.latest is None else f"{text}, {_judged(now.latest)}"


def _judged(point: LearningPoint) -> str:
    text = f"return {point.validation_return:.3f} ± {point.standard_error:.3f}"
    if point.gain is not None and point.gain_standard_error is not None:
        text += f", {point.gain:+.3f} ± {point.gain_standard_error:.3f} against the rule"
    return text


def print_training(trained: TrainingRun) -> None:
    """The scores on the terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, 140)
    title = "scores, on episodes that had no say in which network is kept"
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for name in ("seed", "steps", "return", "beam time", "rule", "over the rule", "took"):
        table.add_column(name, justify="right", no_wrap=True)
    for seed, policy in trained.policies.items():
        card = policy.policy.card
        scores = card.scores
        if scores is None:
            continue
        time_s, gain = scores.mean_beam_time_s, scores.gain
        table.add_row(
            f"{seed}{' *' if seed == trained.best else ''}",
            f"{card.steps}",
            f"{scores.mean_return:.3f} ± {scores.standard_error:.3f}",
            "–" if time_s is None else f"{time_s:.0f} s",
            "–" if scores.rule_return is None else f"{scores.rule_return:.3f}",
            "–" if gain is None else f"{gain:+.3f} ± {scores.gain_standard_error or 0.0:.3f}",
            f"{policy.seconds:.0f} s",
        )
    console.print(table)
    if len(trained.policies) > 1:
        console.print("* the best seed, which is the one beside them; ± is one standard error", markup=False)
    console.print(f"policy: {trained.weights}", soft_wrap=True, markup=False)
    console.print(f"curves: tensorboard --logdir {trained.folder}", soft_wrap=True, markup=False)
