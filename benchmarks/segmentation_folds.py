"""Segmentation of whole specimens left out: three listed folds for each series of real micrographs.

    python benchmarks/segmentation_folds.py                      # all folds, one after the other
    python benchmarks/segmentation_folds.py --series superalloy --fold 0
    python benchmarks/segmentation_folds.py --series superalloy --fold 1 --labels 5   # few labels
    python benchmarks/segmentation_folds.py --series superalloy --fold 1 --set loss.pixels=focal --out focal
    python benchmarks/segmentation_folds.py --device cuda --jobs 9 --steps 2000 --batch 16

No image of a held-out specimen is seen in training, and none is used to stop or choose: each fold trains for
a fixed number of steps with settings that are fixed here, and its last averaged weights are scored. Folds
that are finished are not repeated, and a fold that was interrupted goes on; ``--table`` prints only.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from autoscope.app.loading import override, validated
from autoscope.perception.evaluation import Evaluation, ImageScores, evaluate_segmenter, pooled_scores
from autoscope.perception.library import load_segmenter
from autoscope.perception.pairs import find_pairs, read_pair
from autoscope.perception.settings import Architecture, Augmentation, Loss, TrainingSettings
from autoscope.perception.trainer import TrainingProgress
from autoscope.perception.training import train_pairs


@dataclass(frozen=True, slots=True)
class Series:
    """Images of one kind of material, and which of them each fold leaves out (by start of name)."""

    classes: tuple[str, ...]
    folds: tuple[tuple[str, ...], ...]
    crop_px: int
    augmentation: Augmentation
    goal: tuple[str, str, float]
    unsure_rim_px: int = 0
    reduction: int = 1


SERIES = {
    # one annealing time (one specimen) each
    "spheroidite": Series(
        classes=("matrix", "cementite"),
        folds=(("train_800C-8H",), ("train_800C-24H",), ("train_800C-85H",)),
        crop_px=256,
        augmentation=Augmentation(scale=0.5),
        goal=("cementite", "f1", 0.90),
        # the masks leave out particles that the image's edge cuts: not learned from, but scored
        unsure_rim_px=30,
    ),
    # spots of the common alloy, and in each fold one alloy or preparation that occurs only once
    "superalloy": Series(
        classes=("matrix", "secondary", "tertiary"),
        folds=(
            ("spot1_", "lshr_"),
            ("spot3_", "spot5_", "45kx_"),
            ("spot4_", "spot6_", "spot7_", "SE_15kv_50kx"),
        ),
        crop_px=256,
        augmentation=Augmentation(scale=0.4, contrast=0.5),
        goal=("mean", "iou", 0.88),
    ),
    # by specimen: the name before _S... or _100cyc...; layers lie level, so crops are hardly turned
    "ebc": Series(
        classes=("background", "oxide", "crack"),
        folds=(
            ("050317_3_",),
            ("040617_3_", "032919_6_", "070516_1_"),
            ("021519_3_", "070516_3_", "040617_2_", "032919_10_"),
        ),
        crop_px=512,
        augmentation=Augmentation(rotation_deg=20.0, flip_vertical=False, contrast=0.5),
        goal=("oxide", "iou", 0.92),
        # what is oxide is decided by the layers above and below
        reduction=2,
    ),
}


def settings_of(series: Series, args: argparse.Namespace) -> TrainingSettings:
    seen_px = (series.crop_px // series.reduction) ** 2
    batch = max(2, (args.batch or 8) * 256**2 // seen_px)
    pretrained = args.encoder_weights is not None
    usual = TrainingSettings(
        architecture=Architecture(
            encoder=args.encoder, decoder_channels=args.decoder, reduction=series.reduction
        ),
        augmentation=series.augmentation,
        loss=Loss(balance=args.balance),
        steps=args.steps,
        batch=batch,
        crop_px=series.crop_px,
        unsure_rim_px=series.unsure_rim_px,
        learning_rate=args.learning_rate,
        encoder_rate=0.3 if pretrained else 1.0,
        validation_share=0.0,
        seed=args.seed,
    )
    document = usual.model_dump(mode="json")
    for item in args.set:
        override(document, item)
    return validated(TrainingSettings, document, name="--set")


def run_fold(name: str, fold: int, args: argparse.Namespace) -> None:
    """Trains where there is no model of these settings yet, and scores where there are no scores yet."""
    series, settings = SERIES[name], settings_of(SERIES[name], args)
    result = scores_file(name, fold, args)
    known = json.loads(result.read_text()) if result.exists() else {}
    if "evaluation" in known:  # else it is the card of a model that was not scored yet
        if known["settings"] != settings.model_dump(mode="json"):
            raise SystemExit(f"{result} was made with other settings: choose another --out")
        return
    pairs = find_pairs(args.data / name / "images", args.data / name / "masks")
    held_out = [p for p in pairs if p.name.startswith(series.folds[fold])]
    training = [p for p in pairs if p not in held_out]
    if args.labels is not None:
        order = np.random.default_rng(args.seed).permutation(len(training))
        training = [training[i] for i in sorted(order[: args.labels])]
    model = args.out / f"{name}-{fold}.safetensors"
    trained_s = None
    if not model.exists():
        began = time.monotonic()
        train_pairs(
            training, series.classes, model,
            settings=settings, encoder_weights=args.encoder_weights, start=args.start, device=args.device,
            progress=Said(f"{name} {fold}"),
        )  # fmt: skip
        trained_s = time.monotonic() - began
    segmenter = load_segmenter(model, device=args.device, views=args.views)
    if segmenter.card.hyperparameters != settings:
        raise SystemExit(f"{model} was trained with other settings: choose another --out")
    found = evaluate_segmenter(segmenter, (read_pair(p, series.classes) for p in held_out))
    content = {
        "series": name,
        "fold": fold,
        "held_out": [p.name for p in held_out],
        "trained_on": [entry.name for entry in segmenter.card.training_data],
        "views": args.views,
        "settings": settings.model_dump(mode="json"),
        "training_s": trained_s,
        "evaluation": found.model_dump(mode="json", by_alias=True),
    }
    result.write_text(json.dumps(content, indent=2))


def scores_file(name: str, fold: int, args: argparse.Namespace) -> Path:
    """Where the scores of a fold are kept; those with views are kept beside those without."""
    return Path(args.out / f"{name}-{fold}{'-views' if args.views else ''}.json")


class Said:
    """Progress as a line every 20 s."""

    def __init__(self, name: str) -> None:
        self._name, self._said = name, time.monotonic()

    def __call__(self, now: TrainingProgress) -> None:
        """Hears of a step."""
        if time.monotonic() - self._said > 20 or now.step == now.steps:
            self._said = time.monotonic()
            print(
                f"{self._name}: step {now.step}/{now.steps}, loss {now.loss:.3f},"
                f" {now.remaining_s:.0f} s to go",
                flush=True,
            )


def table(args: argparse.Namespace) -> dict[str, Any]:
    """Prints scores of every held-out image, and pooled over each series; returns all of it."""
    summary: dict[str, Any] = {}
    lines: list[str] = []
    for name, series in SERIES.items():
        files = [scores_file(name, fold, args) for fold in range(len(series.folds))]
        results = [json.loads(file.read_text()) for file in files if file.exists()]
        results = [result for result in results if "evaluation" in result]
        if not results:
            continue
        print(f"\n{name}: {len(results)} of {len(files)} folds")
        head = "".join(f"{c[:10] + ' IoU':>16}" for c in series.classes)
        print(f"{'image':<44}{'fold':>5}{'mean IoU':>10}{head}{'worst area error':>18}")
        for result in results:
            for one in result["evaluation"]["images"]:
                ious = "".join(f"{_shown(c['iou']):>16}" for c in one["per_class"])
                worst = max((a["error"] for a in one["area_fractions"]), key=abs)
                print(
                    f"{one['image']:<44}{result['fold']:>5}{_shown(one['mean_iou']):>10}{ious}{worst:>+18.4f}"
                )
        confusion = np.sum([r["evaluation"]["confusion"] for r in results], axis=0)
        images = [ImageScores.model_validate(i) for r in results for i in r["evaluation"]["images"]]
        pooled = pooled_scores(confusion, series.classes, images)
        ious = "".join(f"{_shown(c.iou):>16}" for c in pooled.per_class)
        print(f"{'all, pixels pooled':<44}{'':>5}{_shown(pooled.mean_iou):>10}{ious}")
        print(f"{'Dice':<44}{'':>15}{''.join(f'{_shown(c.f1):>16}' for c in pooled.per_class)}")
        reached = _reached(pooled, series.goal)
        what, score, goal = series.goal
        print(f"goal: {what} {score} >= {goal}: {reached:.3f} {'reached' if reached >= goal else 'MISSED'}")
        lines += [_line(name, series, result) for result in results]
        summary[name] = {
            "pooled": pooled.model_dump(mode="json", by_alias=True),
            "training_s": [r["training_s"] for r in results],
            "settings": results[0]["settings"],
        }
    print("\n| series, fold | goal | reached | |\n|---|---|---|---|", *lines, sep="\n")
    return summary


def _line(name: str, series: Series, result: dict[str, Any]) -> str:
    """One fold as a row of a Markdown table."""
    found = Evaluation.model_validate(result["evaluation"])
    what, score, goal = series.goal
    reached = _reached(found, series.goal)
    of = ", ".join(f"{c.class_name} IoU {_shown(c.iou)}" for c in found.per_class)
    verdict = "reached" if reached >= goal else "**missed**"
    measure = {"iou": "IoU", "f1": "Dice"}[score]
    return (
        f"| {name} {result['fold']} ({len(found.images)} images) | {what} {measure} {goal:.2f}"
        f" | {reached:.3f}, {verdict} | {of} |"
    )


def _reached(pooled: Any, goal: tuple[str, str, float]) -> float:
    what, score, _ = goal
    if what == "mean":
        return float(pooled.mean_iou)
    return float(next(getattr(c, score) for c in pooled.per_class if c.class_name == what))


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def run_all(args: argparse.Namespace) -> None:
    """Every fold in a process of its own, ``--jobs`` at a time."""
    own = [word for word in sys.argv[1:] if word != "--table"]
    threads = str(max(1, (os.cpu_count() or 1) // args.jobs))
    environment = os.environ | {"OMP_NUM_THREADS": threads}

    def start(task: tuple[str, int]) -> int:
        command = [sys.executable, __file__, *own, "--series", task[0], "--fold", str(task[1])]
        return subprocess.run(command, env=environment, check=False).returncode

    tasks = [(name, fold) for name in args.series for fold in range(len(SERIES[name].folds))]
    tasks.sort(key=lambda task: -SERIES[task[0]].crop_px)
    with ThreadPoolExecutor(args.jobs) as pool:
        failed = [task for task, code in zip(tasks, pool.map(start, tasks), strict=True) if code]
    for name, fold in failed:
        print(f"{name} {fold}: FAILED", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    data = Path(os.environ.get("AUTOSCOPE_DATA", Path(__file__).parents[2] / "shared" / "data"))
    parser.add_argument("--data", type=Path, default=data)
    parser.add_argument("--out", type=Path, default=Path("build/segmentation_folds"))
    parser.add_argument("--series", nargs="+", choices=sorted(SERIES), default=sorted(SERIES))
    parser.add_argument("--fold", type=int, choices=range(3))
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--batch", type=int, help="crops of 256 x 256 px per step, or as many pixels")
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    parser.add_argument("--encoder", default="resnet18")
    parser.add_argument("--encoder-weights", type=Path)
    parser.add_argument("--from", dest="start", type=Path, help="model whose weights to begin with")
    parser.add_argument("--labels", type=int, help="train on so many images of each fold, drawn by the seed")
    parser.add_argument(
        "--decoder", type=lambda text: tuple(map(int, text.split(","))), default=(256, 128, 64, 32, 16),
        help="channels of the decoder, coarse to fine",
    )  # fmt: skip
    parser.add_argument("--balance", type=float, default=0.0, help="exponent of the class weights")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY.PATH=VALUE",
        help="what goes before the settings above: loss.regions=jaccard (see docs/training-recipes.md)",
    )  # fmt: skip
    parser.add_argument("--views", action="store_true", help="score with mirrored and turned views averaged")
    parser.add_argument("--summary", type=Path, help="write all scores to this one JSON file")
    parser.add_argument("--table", action="store_true", help="only print what there is")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.fold is not None:
        for name in args.series:
            run_fold(name, args.fold, args)
        return
    if not args.table:
        run_all(args)
    summary = table(args)
    if args.summary is not None:
        args.summary.write_text(json.dumps(summary, indent=2))


if __name__ == "__main__":
    main()
