"""How many labels a model needs: query strategies against random choice, on whole specimens left out.

    python benchmarks/active_learning.py --data ../shared/data
    python benchmarks/active_learning.py --series superalloy --strategies random batch --folds 0 1 2

The pool are 400 small square patches of training images; a label is the mask of one. The model is light,
so that many rounds are affordable: fixed features of every pixel (``autoscope.labels.PixelFeatures``) and a
committee of small random forests on the labelled patches. It starts from two random patches, the same for
every strategy, and is scored on images of specimens of which it has seen nothing. "needed" is how many labels
it takes to reach 95 % of the mean IoU that labelling the whole pool gives, and stays so for the next round
(mean over seeds and folds; a run that does not get there before the last round counts with the last round's
number). "never worse" is the share of rounds in which the mean over seeds is not below random's by more than
one standard error of their difference.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent))

from segmentation_folds import SERIES

from autoscope.core import component_rng
from autoscope.labels import STRATEGIES, PixelFeatures, Pool, query_strategy
from autoscope.perception.pairs import find_pairs, read_pair

ROUNDS = (2, 4, 6, 8, 11, 15, 20, 27, 36, 48, 64)
PATCH_PX = {"superalloy": 32, "spheroidite": 32, "ebc": 64}
POOL = 400
LEARNT_PX, VOTED_PX, TESTED_PX = 64, 32, 4000
MEMBERS, TREES, DEPTH = 3, 6, 12


@dataclass(frozen=True, slots=True)
class Fold:
    """Features and classes: ``patches x pixels x d`` of the pool, ``images x pixels x d`` of the test."""

    pool: NDArray[np.float32]
    pool_classes: NDArray[np.uint8]
    described: NDArray[np.float64]
    test: NDArray[np.float32]
    test_classes: NDArray[np.uint8]
    n_classes: int


@dataclass(frozen=True, slots=True)
class Curve:
    """One run: labels and the mean IoU that they gave."""

    series: str
    fold: int
    strategy: str
    seed: int
    labels: tuple[int, ...]
    mean_iou: tuple[float, ...]
    full: float


@cache
def read_fold(data: Path, name: str, fold: int) -> Fold:
    """The patches and test pixels of a fold; which pixels stand for a patch does not depend on the seed."""
    rng, series = np.random.default_rng(fold), SERIES[name]
    pool, test = [], []
    for pair in find_pairs(data / name / "images", data / name / "masks"):
        labelled = read_pair(pair, series.classes)
        mask = labelled.labels
        features = np.moveaxis(PixelFeatures.of(labelled.micrograph.pixels).values, 0, -1)
        if pair.name.startswith(series.folds[fold]):
            at = rng.integers(mask.size, size=TESTED_PX)
            test.append((features.reshape(-1, features.shape[-1])[at], mask.ravel()[at]))
        else:
            pool += list(_patches(features, mask, PATCH_PX[name], rng))
    pool = [pool[i] for i in rng.permutation(len(pool))[:POOL]]
    described = np.array([np.concatenate([f.mean(0), f.std(0)]) for f, _ in pool], float)
    return Fold(
        np.stack([f for f, _ in pool]), np.stack([m for _, m in pool]), described,
        np.stack([f for f, _ in test]), np.stack([m for _, m in test]), len(series.classes),
    )  # fmt: skip


def _patches(
    features: NDArray[np.float32], mask: NDArray[np.uint8], edge: int, rng: np.random.Generator
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
    for top, left in product(
        range(0, mask.shape[0] - edge + 1, edge), range(0, mask.shape[1] - edge + 1, edge)
    ):
        rows, columns = top + rng.integers(edge, size=LEARNT_PX), left + rng.integers(edge, size=LEARNT_PX)
        yield features[rows, columns], mask[rows, columns]


class Committee:
    """Small random forests, each on its own choice of the labelled pixels."""

    def __init__(self, fold: Fold, labelled: NDArray[np.intp], seed: int) -> None:
        from sklearn.ensemble import RandomForestClassifier

        x, y = fold.pool[labelled].reshape(-1, fold.pool.shape[-1]), fold.pool_classes[labelled].ravel()
        self._n = fold.n_classes
        forests = [
            RandomForestClassifier(TREES, max_depth=DEPTH, min_samples_leaf=3, random_state=seed + 1000 * k)
            for k in range(MEMBERS)
        ]
        self._members = [forest.fit(x, y) for forest in forests]

    def votes(self, x: NDArray[np.float32]) -> NDArray[np.float64]:
        """``members x rows x classes``; 0 for a class that no labelled pixel has."""
        votes = np.zeros((MEMBERS, len(x), self._n))
        for vote, member in zip(votes, self._members, strict=True):
            vote[:, member.classes_] = member.predict_proba(x)
        return votes

    def mean_iou(self, fold: Fold) -> float:
        """Over the classes that the test pixels have."""
        said = self.votes(fold.test.reshape(-1, fold.test.shape[-1])).mean(0).argmax(1)
        true = fold.test_classes.ravel()
        iou = [
            ((said == k) & (true == k)).sum() / ((said == k) | (true == k)).sum()
            for k in range(self._n)
            if (true == k).any()
        ]
        return float(np.mean(iou))


def learn(data: Path, grid: tuple[int, ...], name: str, fold_number: int, strategy: str, seed: int) -> Curve:
    """One run of one strategy."""
    fold = read_fold(data, name, fold_number)
    rng, count = component_rng(seed, "query", fold_number), len(fold.pool)
    labelled = component_rng(seed, "start", fold_number).permutation(count)[: grid[0]]
    rounds = [n for n in grid if n <= count]
    committee = Committee(fold, labelled, seed)
    scores = [committee.mean_iou(fold)]
    for n in rounds[1:]:
        left = np.setdiff1d(np.arange(count), labelled)
        rows = fold.pool[left][:, :VOTED_PX]
        votes = committee.votes(rows.reshape(-1, rows.shape[-1])).reshape(MEMBERS, *rows.shape[:2], -1)
        pool = Pool(fold.described[left], votes, fold.described[labelled])
        chosen = query_strategy(strategy).choose(pool, n - len(labelled), rng)
        labelled = np.concatenate([labelled, left[chosen]])
        committee = Committee(fold, labelled, seed)
        scores.append(committee.mean_iou(fold))
    full = Committee(fold, np.arange(count), seed).mean_iou(fold)
    return Curve(name, fold_number, strategy, seed, tuple(rounds), tuple(scores), full)


def needed(curve: Curve) -> int:
    """Labels for 95 % of the whole pool's mean IoU, held for one more round."""
    enough = np.array(curve.mean_iou) >= 0.95 * curve.full
    for i, labels in enumerate(curve.labels):
        if enough[i : i + 2].all():
            return labels
    return curve.labels[-1]


def table(curves: list[Curve]) -> list[dict[str, float | str]]:
    """One row for each series and strategy."""
    rows: list[dict[str, float | str]] = []
    for series in dict.fromkeys(c.series for c in curves):
        baseline = np.array([c.mean_iou for c in curves if (c.series, c.strategy) == (series, "random")])
        for strategy in dict.fromkeys(c.strategy for c in curves):
            mine = [c for c in curves if (c.series, c.strategy) == (series, strategy)]
            scores = np.array([c.mean_iou for c in mine])
            apart = scores - baseline
            error = apart.std(axis=0, ddof=1) / np.sqrt(len(apart))
            rows.append(
                {
                    "series": series,
                    "strategy": strategy,
                    "runs": len(mine),
                    "needed": float(np.mean([needed(c) for c in mine])),
                    "full_mean_iou": float(np.mean([c.full for c in mine])),
                    "mean_iou_over_rounds": float(scores.mean()),
                    "never_worse": float((apart.mean(axis=0) >= -error - 1e-12).mean()),
                }
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("AUTOSCOPE_DATA", "../shared/data")))
    parser.add_argument("--series", nargs="+", default=list(PATCH_PX), choices=list(PATCH_PX))
    parser.add_argument("--strategies", nargs="+", default=list(STRATEGIES), choices=list(STRATEGIES))
    parser.add_argument("--folds", nargs="+", type=int, default=[0])
    parser.add_argument("--seeds", type=int, default=5, help="at least 2")
    parser.add_argument("--rounds", nargs="+", type=int, default=list(ROUNDS), help="labels, ascending")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not (options.data / "superalloy").is_dir():
        raise SystemExit(f"{options.data} does not hold superalloy/, spheroidite/ and ebc/: give --data")
    strategies = ["random", *(s for s in options.strategies if s != "random")]
    curves: list[Curve] = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for name in options.series:
            tasks = list(product([name], options.folds, strategies, range(options.seeds)))
            runs = [pool.submit(learn, options.data, tuple(options.rounds), *task) for task in tasks]
            curves += [run.result() for run in runs]
            if not options.json:
                _print([row for row in table(curves) if row["series"] == name])
    if options.json:
        rows = {"rows": table(curves), "curves": [asdict(curve) for curve in curves]}
        print(json.dumps({"schema": "autoscope.active-learning/1", **rows}, indent=1))


def _print(rows: list[dict[str, float | str]]) -> None:
    print(
        f"\n{'series':12} {'strategy':12} {'runs':>4} {'needed':>7} {'full':>6} {'over rounds':>11}"
        f" {'never worse':>11}"
    )
    for row in rows:
        print(
            f"{row['series']:12} {row['strategy']:12} {row['runs']:4d} {row['needed']:7.1f}"
            f" {row['full_mean_iou']:6.3f} {row['mean_iou_over_rounds']:11.3f} {row['never_worse']:11.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
