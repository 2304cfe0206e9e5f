"""One seed, and streams that have nothing in common."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autoscope.core import StepNumbers, component_rng


def first(seed: int, component: str, *keys: int) -> int:
    return int(component_rng(seed, component, *keys).integers(1 << 62))


def test_the_same_arguments_give_the_same_stream() -> None:
    assert first(7, "draw", 3) == first(7, "draw", 3)


def test_a_key_of_zero_is_not_no_key() -> None:
    streams = [first(7, "draw"), first(7, "draw", 0), first(7, "draw", 0, 0), first(7, "draw", 1)]
    assert len(set(streams)) == 4


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2**40),
            st.sampled_from(["draw", "noise", "drift"]),
            st.lists(st.integers(0, 2**31), max_size=3).map(tuple),
        ),
        min_size=2, max_size=2, unique=True,
    )
)  # fmt: skip
def test_different_arguments_give_different_streams(pair: list[tuple[int, str, tuple[int, ...]]]) -> None:
    (seed, name, keys), (other_seed, other_name, other_keys) = pair
    assert first(seed, name, *keys) != first(other_seed, other_name, *other_keys)


@given(
    seed=st.integers(0, 2**31) | st.integers(0, 2**200),
    component=st.sampled_from(["draw", "offer"]),
    steps=st.lists(st.integers(0, 200) | st.integers(0, 2**32 - 1), min_size=1, max_size=5),
)
def test_the_numbers_of_steps_are_the_first_of_their_generators(
    seed: int, component: str, steps: list[int]
) -> None:
    number = StepNumbers(seed, component)
    assert [number(step) for step in steps] == [component_rng(seed, component, s).random() for s in steps]
