"""How long a session will still take, as its progress says."""

import pytest

from autoscope.session import time_left
from autoscope.survey import QuantityState, Target


def state(half: float, fields: int, **extra: float) -> QuantityState:
    target = Target("area_fraction", "pearlite", 0.02, None, 0.95)
    return QuantityState(target, 0.2, 0.2 - half, 0.2 + half, False, fields, 0, "t", extra)


def test_the_interval_shrinks_as_one_over_the_root_of_the_fields():
    left = time_left((state(0.04, 100),), 5.0, 10_000)
    assert left.p50_s == pytest.approx((400 - 100) * 5.0)
    assert left.p90_s > left.p50_s


def test_before_the_floor_the_large_sample_interval_is_what_shrinks():
    left = time_left((state(0.15, 40, large_sample_half_width=0.024),), 5.0, 10_000)
    assert left.p50_s == pytest.approx((40 * 1.44 - 40) * 5.0)
    narrow = time_left((state(0.15, 40, large_sample_half_width=0.012),), 5.0, 10_000)
    assert narrow.p50_s == pytest.approx((50 - 40) * 5.0)


def test_no_more_fields_than_there_are():
    assert time_left((state(0.2, 100),), 1.0, 150).p90_s == 50.0
