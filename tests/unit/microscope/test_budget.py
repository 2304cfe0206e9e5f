"""Budgets and the dose map, against hand-computed overlaps and a brute-force raster."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoscope.core import BudgetError, ConfigurationError, Rectangle
from autoscope.microscope import Account, Budget, DoseMap

FIELD = Rectangle(0.0, 0.0, 10.0, 10.0)


@pytest.mark.parametrize("name", ["beam_time_s", "dose_e_per_nm2", "eds_live_s", "frames"])
@pytest.mark.parametrize("value", [0, -1.0, math.nan, math.inf])
def test_limits_must_be_positive(name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=rf"budget\.{name} = .* must be positive"):
        Budget(**{name: value})


@pytest.mark.parametrize(
    ("budget", "demand", "unit"),
    [
        (Budget(beam_time_s=10.0), {"time_s": 10.1}, "s"),
        (Budget(frames=1), {"frames": 2}, "frames"),
        (Budget(eds_live_s=5.0), {"eds_live_s": 5.1}, "s"),
        (Budget(dose_e_per_nm2=1.0), {"exposed": FIELD, "dose_e_per_nm2": 1.1}, "e/nm2"),
    ],
)
def test_one_call_cannot_exceed_a_budget(budget: Budget, demand: dict[str, object], unit: str) -> None:
    account = Account(budget)
    with pytest.raises(BudgetError) as caught:
        account.check(**demand)  # type: ignore[arg-type]
    assert caught.value.unit == unit
    assert getattr(budget, caught.value.name) == caught.value.limit
    Account(Budget()).check(**demand)  # type: ignore[arg-type]


def test_a_budget_may_be_spent_to_its_last_bit() -> None:
    account = Account(Budget(beam_time_s=0.3, frames=3, dose_e_per_nm2=0.3))
    for _ in range(3):
        account.check(time_s=0.1, frames=1, exposed=FIELD, dose_e_per_nm2=0.1)
        account.time(account.spent.beam_time_s + 0.1)
        account.frame(FIELD, 0.1)
    for demand in ({"time_s": 1e-3}, {"frames": 1}, {"exposed": FIELD, "dose_e_per_nm2": 1e-3}):
        with pytest.raises(BudgetError):
            account.check(**demand)  # type: ignore[arg-type]


def test_the_account_adds_up() -> None:
    account = Account(Budget())
    account.travel(3.0)
    account.travel(4.0)
    account.time(5.0)
    account.time(4.0)  # a clock that was read late takes nothing back
    account.spectrum(1.5)
    account.frame(FIELD, 2.0)
    account.frame(Rectangle(20, 0, 30, 10), 1.0)
    spent = account.spent
    assert (spent.stage_travel_um, spent.beam_time_s, spent.eds_live_s, spent.spectra) == (7.0, 5.0, 1.5, 1)
    assert (spent.frames, spent.dose_e_per_nm2_max) == (2, 2.0)


def test_dose_by_hand() -> None:
    doses = DoseMap()
    assert doses.peak_with(FIELD, 1.0) == 1.0
    doses.add(FIELD, 1.0)
    assert doses.peak_with(FIELD, 1.0) == 2.0
    assert doses.peak_with(Rectangle(5, 5, 15, 15), 0.5) == 1.5  # a quarter overlaps
    assert doses.peak_with(Rectangle(10, 0, 20, 10), 0.5) == 0.5  # they touch
    doses.add(Rectangle(8, 0, 18, 10), 2.0)
    assert doses.peak_with(FIELD, 1.0) == 4.0  # the strip from 8 to 10 has received 3
    assert doses.peak_with(Rectangle(0, 0, 7, 10), 1.0) == 2.0
    doses.add(Rectangle(-100, -100, 100, 100), 0.25)  # an overview
    assert doses.peak_with(Rectangle(50, 50, 60, 60), 1.0) == 1.25


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.tuples(*[st.integers(0, 18)] * 2, *[st.integers(1, 9)] * 2, st.integers(1, 5)), max_size=12),
    st.tuples(*[st.integers(0, 18)] * 2, *[st.integers(1, 9)] * 2),
)
def test_dose_against_a_raster(
    exposures: list[tuple[int, int, int, int, int]], last: tuple[int, int, int, int]
) -> None:
    doses, raster = DoseMap(), np.zeros((30, 30))
    for x, y, width, height, dose in exposures:
        doses.add(Rectangle(x, y, x + width, y + height), dose)
        raster[y : y + height, x : x + width] += dose
    x, y, width, height = last
    expected = raster[y : y + height, x : x + width].max() + 1
    assert doses.peak_with(Rectangle(x, y, x + width, y + height), 1.0) == pytest.approx(expected)


@settings(max_examples=50, deadline=None)
@given(st.floats(0.01, 500), st.floats(-1e4, 1e4), st.integers(2, 12))
def test_fields_that_tile_a_region_are_exposed_once(width_um: float, corner_um: float, count: int) -> None:
    account = Account(Budget(dose_e_per_nm2=1.5))
    for row in range(count):
        for column in range(count):
            x, y = corner_um + (column + 0.5) * width_um, corner_um + (row + 0.5) * width_um
            field = Rectangle(x - width_um / 2, y - width_um / 2, x + width_um / 2, y + width_um / 2)
            account.check(exposed=field, dose_e_per_nm2=1.0)
            account.frame(field, 1.0)
    assert account.spent.dose_e_per_nm2_max == 1.0


def test_many_fields_under_one_overview_stay_fast() -> None:
    doses, rng = DoseMap(), np.random.default_rng(0)
    for x, y in rng.uniform(0, 500, (1000, 2)):
        doses.add(Rectangle(x, y, x + 20, y + 20), 1.0)
    assert doses.peak_with(Rectangle(0, 0, 520, 520), 1.0) > 3.0
