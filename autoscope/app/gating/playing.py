"""Who plays the gate's episodes, and how one goes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from autoscope.app.benchmarking.episode import Answer, Episode
from autoscope.app.benchmarking.fingerprints import code_hash, digest
from autoscope.app.gating.config import FamilyEntry, GateSection
from autoscope.core import AutoscopeError, component_rng
from autoscope.survey import (
    DESIGN_OPTIONS,
    Design,
    Designed,
    Policy,
    Statistics,
    SurveyView,
    design_masks,
    possible,
    run,
)
from autoscope_envs import TableWorld, random_world
from autoscope_policies import make_policy
from autoscope_policies.learned import Learned
from autoscope_policies.oracle import NeymanOracle

TUNING, SCORING = "tuning", "scoring"
"""Pools of worlds; no world is in both, and none is one that a policy was trained on."""
RULE_NAME, NAIVE_NAME, STATIC_NAME, GREEDY_NAME, ORACLE_NAME = (
    "rule",
    "naive",
    "tuned static",
    "greedy",
    "oracle",
)
NAIVE = Design(
    travel_exponent=0.0, batch=1, urgency=0.0, eds_price=min(DESIGN_OPTIONS["eds_price"]), refocus=False
)
"""What is done without thinking: travel does not count, spectra cost nothing, all targets alike."""
PLAYING_CODE = (
    "autoscope.core",
    "autoscope.survey",
    "autoscope.estimation",
    "autoscope.eds",
    "autoscope_envs",
    "autoscope_policies",
    "autoscope.app.gating.playing",
)
"""What an episode is run by."""


@dataclass(frozen=True, slots=True)
class Player:
    """A policy in the gate.

    Attributes:
        name: in tables.
        design: that it always makes; None: it is none of constant designs.
        weights: file of a learned policy.
        sha256: of that file.
    """

    name: str
    design: Design | None = None
    weights: Path | None = None
    sha256: str = ""

    @property
    def key(self) -> list[object]:
        """What its play depends on; a network that is trusted with nothing plays as the rule."""
        if self.weights is not None and _learned(self.weights).yields_always:
            return Player(RULE_NAME).key
        action = None if self.design is None else self.design.action.tolist()
        return [action if action is not None else self.name if self.weights is None else "", self.sha256]

    def policy(self, world: TableWorld) -> Policy:
        """The policy, made for one episode."""
        if self.weights is not None:
            return _learned(self.weights)
        if self.design is not None:
            return Designed(self.name, "", Constant(self.design))
        if self.name == ORACLE_NAME:
            likeness = world.population.prediction.value
            wanted = [
                t.goal.wanted(float(v)) for t, v in zip(world.targets, world.population.truth, strict=True)
            ]
            return NeymanOracle(world.population.values, likeness, np.array(wanted))
        return make_policy("active" if self.name == RULE_NAME else self.name)


@lru_cache(maxsize=8)
def _learned(weights: Path) -> Learned:
    return Learned(str(weights))


class Constant:
    """A controller that always sets the same design, as far as its options make sense.

    Args:
        design: the design.
    """

    def __init__(self, design: Design) -> None:
        self._action = design.action

    def __call__(self, view: SurveyView) -> Design:
        """The design, with the rule's options where its own are masked."""
        return Design.of(possible(self._action, design_masks(view)))


def rules() -> tuple[Player, ...]:
    """The hand-written policies that need no tuning."""
    return Player(RULE_NAME), Player(NAIVE_NAME, NAIVE), Player(GREEDY_NAME)


def learned_players(weights: tuple[Path, ...]) -> tuple[Player, ...]:
    """The learned policies, one of each training seed.

    Raises:
        ModelError: a file is missing, damaged, or of another layout.
    """
    return tuple(
        Player(f"learned {number}", weights=path, sha256=_learned(path).sha256)
        for number, path in enumerate(weights, start=1)
    )


@dataclass(frozen=True, slots=True)
class Game:
    """One player on one family's pool: what many episodes are played of.

    Attributes:
        family: specimens and instruments.
        player: who plays.
        pool: of worlds.
        gate: seeds and statistics.
    """

    family: FamilyEntry
    player: Player
    pool: str
    gate: GateSection

    @property
    def key(self) -> str:
        """Hash of everything that an episode depends on but its number."""
        gate = self.gate
        how = [gate.seed, gate.side, gate.tier, gate.exploration, self.pool]
        return digest(self.family.label, self.player.key, how, code_hash(PLAYING_CODE))[:16]

    def world(self, number: int) -> TableWorld:
        """The world of an episode: the same for every player."""
        rng = component_rng(self.gate.seed, f"gate, {self.pool}, {self.family.label}", number)
        return random_world(
            rng, specimen=self.family.specimen, instrument=self.family.instrument, side=self.gate.side
        )


Turn = tuple[Game, tuple[int, ...]]
"""Some episodes of a game, by their numbers."""


def play(turn: Turn) -> list[Episode]:
    """Plays some episodes of a game.

    Raises:
        AutoscopeError: an episode failed; the message says which.
    """
    game, numbers = turn
    done = []
    for number in numbers:
        try:
            done.append(_episode(game, number))
        except AutoscopeError as error:
            # a plain AutoscopeError, since it must travel between processes
            raise AutoscopeError(
                f"family {game.family.label}, policy {game.player.name}, episode {number}: {error}"
            ) from None
    return done


def _episode(game: Game, number: int) -> Episode:
    """One survey to its targets; what it says of each is kept less the truth, which differs by world."""
    world = game.world(number)
    survey, source = world.survey(
        game.player.policy(world), Statistics(game.gate.tier, game.gate.exploration)
    )
    began_s = source.clock_s
    fields = run(survey, source)
    answers = []
    for state, truth in zip(survey.states(), world.population.truth.tolist(), strict=True):
        low = None if state.ci_low is None else state.ci_low - truth
        high = None if state.ci_high is None else state.ci_high - truth
        answers.append(Answer(state.estimate - truth, low, high, state.met))
    return Episode(game.key, number, fields, source.clock_s - began_s, tuple(answers))
