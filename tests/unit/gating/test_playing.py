"""Common worlds, constant designs, and the halving that finds the best of them."""

from dataclasses import replace

import numpy as np
import pytest

from autoscope.app.gating.config import FamilyEntry, GateSection, TuningConfig
from autoscope.app.gating.playing import NAIVE, SCORING, TUNING, Game, Player, play, rules
from autoscope.app.gating.tuning import best_design, designs_of
from autoscope.survey import DESIGN_OPTIONS, RULE, Design

PHASE = FamilyEntry(specimen="phase", instrument="quick stage")
COUPLED = FamilyEntry(specimen="coupled", instrument="slow spectra")


def game(player=None, family=PHASE, pool=SCORING, **changes):
    section = GateSection(weights=("none",), families=(family,), side=12, **changes)
    return Game(family, player or rules()[0], pool, section)


def test_every_player_meets_the_same_worlds_and_pools_share_none():
    one, other = (game(player).world(3) for player in rules()[:2])
    np.testing.assert_array_equal(one.population.values, other.population.values)
    assert (one.seed, one.instrument, one.targets) == (other.seed, other.instrument, other.targets)
    for different in (game(pool=TUNING).world(3), game().world(4), game(seed=2).world(3)):
        assert different.seed != one.seed


def test_episodes_are_the_same_every_time_and_differ_by_player():
    first, second = play((game(), (0, 1))), play((game(), (0, 1)))
    assert first == second
    assert [episode.number for episode in first] == [0, 1]
    assert first[0].beam_time_s > 0 and len(first[0].answers) == 1
    naive = play((game(Player("naive", NAIVE)), (0, 1)))
    assert [e.beam_time_s for e in naive] != [e.beam_time_s for e in first]


def test_the_rule_is_what_active_does():
    rule, active = play((game(), (0,)))[0], play((game(Player("active")), (0,)))[0]
    assert replace(active, cell=rule.cell) == rule


def test_answers_are_less_the_truth():
    (episode,) = play((game(family=COUPLED), (0,)))
    world = game(family=COUPLED).world(0)
    assert len(episode.answers) == len(world.targets) >= 2
    for answer, target in zip(episode.answers, world.targets, strict=True):
        assert abs(answer.estimate) < 6 * target.half_width
        assert answer.ci_low <= answer.estimate <= answer.ci_high


def test_keys_tell_games_apart():
    keys = {g.key for g in (game(), game(rules()[1]), game(pool=TUNING), game(family=COUPLED), game(seed=2))}
    assert len(keys) == 5
    static = [game(Player(name, RULE)).key for name in ("static 7", "static 8")]
    assert static[0] == static[1]  # the same design is the same play


def test_designs_that_make_a_difference():
    phase, coupled = designs_of(game().world(0)), designs_of(game(family=COUPLED).world(0))
    assert phase[0] == coupled[0] == RULE
    sizes = {name: len(options) for name, options in DESIGN_OPTIONS.items()}
    assert len(coupled) == np.prod(list(sizes.values())) / sizes["refocus"]  # frames are sharp at first
    assert len(phase) == sizes["travel_exponent"] * sizes["batch"]


@pytest.mark.parametrize("seed", range(5))
def test_halving_finds_the_best_of_clearly_different_designs(seed):
    rng = np.random.default_rng(seed)
    designs = designs_of(game(family=COUPLED).world(0))
    best = designs[int(rng.integers(len(designs)))]
    asked = []

    def mean_times(left, episodes):
        asked.append((len(left), episodes))
        noise = rng.standard_normal(len(left)) / np.sqrt(episodes)
        return {d: (80.0 if d == best else 100.0) + e for d, e in zip(left, noise, strict=True)}

    assert best_design(designs, TuningConfig(), mean_times) == best
    assert asked == [(96, 4), (24, 16), (6, 64)]


def test_one_design_needs_one_round():
    only = Design(batch=4)
    assert best_design([only], TuningConfig(), lambda left, episodes: dict.fromkeys(left, 1.0)) == only
