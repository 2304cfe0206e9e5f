from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscope.perception.area_distribution import (
    QUANTILES,
    AreaDistribution,
    area_distributions,
    fraction_of,
    log_odds,
)
from autoscope.perception.area_fitting import (
    PRIOR_DEGREES,
    PRIOR_FRAMES,
    PRIOR_SCALE,
    KnownFrame,
    fit_area_spread,
)

NAMES = ("a", "b")


def frame(found: float, truth: float, entropy: float = 0.1, quarters: tuple[float, ...] = ()) -> KnownFrame:
    true = np.array([truth, *(quarters or (truth,) * 4)])
    both = np.stack([true, 1 - true], axis=1)
    return KnownFrame(np.tile([found, 1 - found], (5, 1)), both, entropy, 10_000)


@given(st.floats(0, 1))
def test_log_odds_and_back(fraction: float) -> None:
    assert fraction_of(log_odds(fraction)) == pytest.approx(fraction, abs=1e-9)


@given(st.floats(0, 1), st.floats(-1, 1), st.floats(0.01, 3), st.floats(3, 50))
def test_quantiles_ascend_within_0_and_1(found: float, shift: float, scale: float, degrees: float) -> None:
    area = AreaDistribution("a", found, float(log_odds(found)) + shift, scale, degrees)
    values = [area.quantile(share) for share in QUANTILES]
    assert values == sorted(values)
    assert values[0] >= 0.0
    assert values[-1] <= 1.0
    assert area.quantile(0.001) <= area.mean <= area.quantile(0.999)


def test_the_spread_of_frames_by_hand() -> None:
    pairs = [(0.2, 0.25), (0.3, 0.27), (0.1, 0.12)]
    errors = np.array([float(log_odds(t) - log_odds(f)) for f, t in pairs])
    found = fit_area_spread([frame(*pair) for pair in pairs], NAMES)
    total = PRIOR_FRAMES + 3
    squares = PRIOR_DEGREES * PRIOR_SCALE**2 + ((errors - errors.mean()) ** 2).sum()
    squares += PRIOR_FRAMES * 3 / total * errors.mean() ** 2
    assert found.degrees == PRIOR_DEGREES + 3
    assert found.per_class[0].shift == pytest.approx(errors.sum() / total)
    assert found.per_class[0].scale == pytest.approx(np.sqrt(squares / (PRIOR_DEGREES + 3) * (1 + 1 / total)))
    assert found.per_class[1].shift == pytest.approx(-found.per_class[0].shift)
    assert found.per_class[0].patch_ratio == 1.0


def test_unsure_and_small_frames_have_wider_intervals() -> None:
    uneven = (0.1, 0.3, 0.25, 0.2)
    spread = fit_area_spread([frame(0.2, 0.21, quarters=uneven), frame(0.22, 0.2, quarters=uneven)], NAMES)
    assert spread.per_class[0].patch_ratio > 1.2

    def width(entropy: float, pixels: int) -> float:
        area = area_distributions(spread, np.array([0.2, 0.8]), entropy, pixels)[0]
        return area.scale

    assert width(0.2, 10_000) == pytest.approx(2 * width(0.1, 10_000))
    assert width(0.1, 2_500) == pytest.approx(spread.per_class[0].patch_ratio * width(0.1, 10_000))
    assert width(0.1, 40_000) == width(0.1, 10_000)


@pytest.mark.parametrize("count", [2, 5, 12])
def test_intervals_hold_the_truth_as_often_as_they_say(count: int) -> None:
    """Frames that are wrong together in a way the model describes: coverage over many calibrations."""
    rng, held = np.random.default_rng(count), []
    for _ in range(600):
        scale = PRIOR_SCALE * np.sqrt(PRIOR_DEGREES / rng.chisquare(PRIOR_DEGREES))
        shift = rng.normal(0, scale / np.sqrt(PRIOR_FRAMES))
        truth = rng.uniform(0.1, 0.4, count + 1)
        found = fraction_of(log_odds(truth) - rng.normal(shift, scale, count + 1))
        spread = fit_area_spread([frame(f, t) for f, t in zip(found[1:], truth[1:], strict=True)], NAMES)
        low, high = area_distributions(spread, np.array([found[0], 1 - found[0]]), 0.1, 10_000)[0].interval()
        held.append(low <= truth[0] <= high)
    assert 0.87 < np.mean(held) < 0.93
