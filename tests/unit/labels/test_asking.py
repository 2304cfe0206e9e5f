"""How unsure a frame is, and its chance of being asked for."""

from __future__ import annotations

import numpy as np
import pytest

from autoscope.labels import Chances, frame_score, uncertainty_map


def test_entropy_goes_from_sure_to_all_alike() -> None:
    p = np.zeros((3, 1, 3), np.float16)
    p[0, 0, 0] = 1.0
    p[:, 0, 1] = 1 / 3
    p[:2, 0, 2] = 0.5
    assert uncertainty_map(p)[0] == pytest.approx([0.0, 1.0, np.log(2) / np.log(3)], abs=1e-3)
    assert frame_score(p, "uncertainty") == pytest.approx((1 + np.log(2) / np.log(3)) / 3, abs=1e-3)
    assert frame_score(p, "margin") == pytest.approx((0 + 1 + 1) / 3, abs=1e-3)
    assert frame_score(p, "uniform") == frame_score(None, "uncertainty") == 0.0


def test_the_chance_rises_with_the_score_and_never_vanishes() -> None:
    chances = Chances(share=0.4, floor=0.25)
    assert chances.chance(0.2) == pytest.approx(0.4)  # the first is its own mean
    assert chances.chance(0.4) == pytest.approx(0.4 * (0.25 + 0.75 * 2))
    assert chances.chance(0.0) == pytest.approx(0.4 * 0.25)
    assert chances.chance(100.0) == 1.0


def test_without_scores_every_frame_is_alike() -> None:
    chances = Chances(share=0.3, floor=0.5)
    assert [chances.chance(0.0) for _ in range(3)] == pytest.approx([0.3] * 3)


def test_the_share_is_what_was_asked_for() -> None:
    rng, chances = np.random.default_rng(1), Chances(share=0.3, floor=0.5)
    drawn = [chances.chance(float(score)) for score in rng.gamma(4.0, 0.05, 4000)]
    assert np.mean(drawn) == pytest.approx(0.3, abs=0.02)
