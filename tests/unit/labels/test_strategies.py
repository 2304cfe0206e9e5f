"""Query strategies on pools whose answer is known by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscope.core import LabelError
from autoscope.labels.strategies import STRATEGIES, Pool, frame_scores, query_strategy, with_floor


def pool(*frames: list[list[float]], features: list[list[float]] | None = None) -> Pool:
    """A pool of frames with one pixel each; each frame gives its members' probabilities."""
    votes = np.array(frames, float).transpose(1, 0, 2)[:, :, None, :]
    described = np.arange(len(frames), dtype=float)[:, None] if features is None else np.array(features)
    return Pool(described, votes, np.empty((0, described.shape[1])))


SURE, TORN, EVEN = [0.9, 0.05, 0.05], [0.5, 0.5, 0.0], [1 / 3, 1 / 3, 1 / 3]


def test_measures_by_hand() -> None:
    three = pool([SURE], [TORN], [EVEN])
    assert frame_scores(three, "uncertainty") == pytest.approx([0.1, 0.5, 2 / 3])
    assert frame_scores(three, "margin") == pytest.approx([0.15, 1.0, 1.0])
    entropy = -(0.9 * np.log(0.9) + 0.1 * np.log(0.05))
    assert frame_scores(three, "entropy") == pytest.approx([entropy, np.log(2), np.log(3)])


def test_a_committee_that_agrees_scores_nothing_however_unsure_it_is() -> None:
    one, other = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]
    agreed, apart = pool([EVEN, EVEN], [one, other]), pool([one, other])
    assert frame_scores(agreed, "committee")[0] == pytest.approx(0.0, abs=1e-6)
    assert frame_scores(apart, "committee")[0] == pytest.approx(np.log(2), abs=1e-4)
    with pytest.raises(LabelError, match="committee of one"):
        frame_scores(pool([EVEN]), "committee")


@pytest.mark.parametrize(
    ("name", "expected"), [("uncertainty", [2, 1]), ("entropy", [2, 1]), ("margin", {1, 2})]
)
def test_the_least_sure_come_first(name: str, expected: list[int] | set[int]) -> None:
    chosen = query_strategy(name).choose(pool([SURE], [TORN], [EVEN]), 2, np.random.default_rng(1))
    assert (set(chosen.tolist()) if isinstance(expected, set) else chosen.tolist()) == expected


def test_density_prefers_the_typical_among_the_equally_unsure() -> None:
    crowd = pool([TORN], [TORN], [TORN], [TORN], features=[[0.0], [0.1], [-0.1], [9.0]])
    chosen = query_strategy("density").choose(crowd, 4, np.random.default_rng(1))
    assert chosen.tolist()[-1] == 3


def test_a_ranked_batch_takes_no_twins() -> None:
    twins = pool([EVEN], [EVEN], [TORN], features=[[0.0, 0.0], [0.0, 0.0], [5.0, 5.0]])
    chosen = query_strategy("batch").choose(twins, 2, np.random.default_rng(1))
    assert 2 in chosen
    assert len({0, 1} & set(chosen.tolist())) == 1


@pytest.mark.parametrize("name", STRATEGIES)
@given(seed=st.integers(0, 2**31), frames=st.integers(1, 12), count=st.integers(1, 15))
def test_every_strategy_names_each_frame_once_and_leaves_the_global_generator(
    name: str, seed: int, frames: int, count: int
) -> None:
    rng = np.random.default_rng(seed)
    votes = rng.dirichlet(np.ones(3), (2, frames, 4))
    given_pool = Pool(rng.standard_normal((frames, 3)), votes, rng.standard_normal((seed % 3, 3)))
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1]  # noqa: NPY002
    first = query_strategy(name).choose(given_pool, count, np.random.default_rng(seed))
    again = query_strategy(name).choose(given_pool, count, np.random.default_rng(seed))
    assert first.tolist() == again.tolist()
    assert len(set(first.tolist())) == len(first) == min(count, frames)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_a_sample_with_a_floor_has_the_size_and_the_chances_that_it_says() -> None:
    scores = np.array([0.0, 1.0, 3.0, 0.0])
    _, chance = with_floor(scores, 2, 0.5, np.random.default_rng(0))
    assert chance == pytest.approx([0.25, 0.5, 1.0, 0.25])
    counts = np.zeros(4)
    for seed in range(2000):
        counts[with_floor(scores, 2, 0.5, np.random.default_rng(seed))[0]] += 1
    assert counts / 2000 == pytest.approx(chance, abs=0.04)
    with pytest.raises(LabelError, match="floor"):
        with_floor(scores, 2, 0.0, np.random.default_rng(0))


def test_an_unknown_strategy_names_the_nearest() -> None:
    with pytest.raises(LabelError, match="did you mean 'margin'"):
        query_strategy("margins")
    with pytest.raises(LabelError, match="no measure"):
        frame_scores(pool([EVEN]), "sureness")
