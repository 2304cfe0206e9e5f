from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from autoscope.perception.reliability import BINS, AreaInterval, ReliabilityCounter
from autoscope.perception.reliability_picture import draw_reliability


def frames(count: int = 3, classes: int = 3) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        probability = np.moveaxis(rng.dirichlet(np.full(classes, 0.4), (20, 31)), -1, 0).astype(np.float16)
        truth = rng.integers(0, classes, (20, 31)).astype(np.uint8)
        made.append((truth, probability.argmax(axis=0).astype(np.uint8), probability))
    return made


def counted(parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> ReliabilityCounter:
    counter = ReliabilityCounter(3)
    for part in parts:
        counter.add(*part)
    return counter


def test_calibration_error_is_that_of_netcal() -> None:
    parts = frames()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ece = pytest.importorskip("netcal.metrics").ECE(BINS)
        chance = np.concatenate([p.reshape(3, -1).T for *_, p in parts]).astype(np.float32)
        expected = ece.measure(chance, np.concatenate([t.ravel() for t, *_ in parts]))
    assert counted(parts).result().ece == pytest.approx(expected, abs=1e-5)


def test_scores_by_hand() -> None:
    counter = ReliabilityCounter(2)
    probability = np.array([[[0.75, 0.5]], [[0.25, 0.5]]], np.float16)
    counter.add(np.array([[0, 1]], np.uint8), np.array([[0, 0]], np.uint8), probability)
    found = counter.result()
    assert found.brier == pytest.approx((2 * 0.25**2 + 2 * 0.5**2) / 2)
    assert found.nll == pytest.approx(-(np.log(0.75) + np.log(0.5)) / 2)
    assert found.ece == pytest.approx((0.25 + 0.5) / 2)
    assert found.error_auroc is None
    assert found.area_coverage is None
    assert sum(one.share for one in found.bins) == pytest.approx(1.0)


def test_a_probability_of_zero_for_the_truth_is_bounded() -> None:
    counter = ReliabilityCounter(2)
    counter.add(np.array([[1]], np.uint8), np.array([[0]], np.uint8), np.array([[[1.0]], [[0.0]]]))
    assert counter.result().nll == pytest.approx(-np.log(2.0**-24))


def test_finding_errors_is_the_rank_statistic() -> None:
    rng, counter = np.random.default_rng(1), ReliabilityCounter(3)
    entropies, wrongs = [], []
    for _ in range(3):
        wrong = rng.random((40, 50)) < 0.2
        entropy = np.clip(rng.normal(0.4 + 0.3 * wrong, 0.2), 0, np.log(3)).astype(np.float16)
        counter.add_entropy("total", entropy, wrong)
        entropies.append(entropy.ravel())
        wrongs.append(wrong.ravel())
    entropy, wrong = np.concatenate(entropies).astype(float), np.concatenate(wrongs)
    expected = mannwhitneyu(entropy[wrong], entropy[~wrong]).statistic / (wrong.sum() * (~wrong).sum())
    assert counter.result().error_auroc == pytest.approx(expected, abs=1e-3)


def test_coverage_counts_what_is_known() -> None:
    counter = counted(frames(1))
    known = [
        AreaInterval(class_name=n, mean=0.5, low=0, high=1, covered=c)
        for n, c in zip("abc", (True, False, True), strict=True)
    ]
    counter.add_coverage([*known, AreaInterval(class_name="d", mean=0.5, low=0, high=1)])
    assert counter.result().area_coverage == pytest.approx(2 / 3)


def test_the_diagram_is_drawn(tmp_path: Path) -> None:
    draw_reliability(counted(frames(1)).result(), tmp_path / "r.png")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")
