"""Running the gate: tuning, choosing the best rule, scoring, and the verdict; on from where it was left."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import autoscope
from autoscope.app.benchmarking.episode import Episode
from autoscope.app.benchmarking.ledger import Ledger
from autoscope.app.gating.config import FamilyEntry, GateConfig
from autoscope.app.gating.playing import (
    NAIVE_NAME,
    ORACLE_NAME,
    SCORING,
    STATIC_NAME,
    TUNING,
    Game,
    Player,
    Turn,
    learned_players,
    play,
    rules,
)
from autoscope.app.gating.tuning import best_design, designs_of
from autoscope.app.gating.verdicts import (
    FamilyResult,
    Paired,
    PolicyRow,
    Verdict,
    beam_times,
    family_verdict,
    gate_verdict,
    holm,
    paired_difference,
    row_of,
)
from autoscope.app.scaling import map_over
from autoscope.survey import Design

SCHEMA = "autoscope.gate/1"
LEARNED_NAME = "learned"
"""All learned policies put together."""
BATCH = 4
"""Episodes that a process runs before it reports."""

Advance = Callable[[int, int, str], None]
"""Told how many episodes of a stage are done, of how many, and what the stage is."""


@dataclass(frozen=True, slots=True)
class Gate:
    """A finished gate.

    Attributes:
        config: what was compared.
        families: the results.
        learned: the learned policies put together, in each family.
        verdict: of the whole.
        why: in a sentence.
        players: the learned policies.
    """

    config: GateConfig
    families: tuple[FamilyResult, ...]
    learned: tuple[PolicyRow, ...]
    verdict: Verdict
    why: str
    players: tuple[Player, ...]

    def to_json(self) -> dict[str, Any]:
        """The document that the command prints."""
        gate = self.config.gate
        return {
            "schema": SCHEMA,
            "autoscope_version": autoscope.__version__,
            "verdict": self.verdict,
            "why": self.why,
            "episodes": gate.episodes,
            "seed": gate.seed,
            "significance": gate.significance,
            "test": "paired t, two-sided, Holm over families",
            "learned": [
                {"policy": p.name, "weights": str(p.weights), "sha256": p.sha256} for p in self.players
            ],
            "families": [
                {**asdict(family), "learned": asdict(row)}
                for family, row in zip(self.families, self.learned, strict=True)
            ],
        }


@dataclass(frozen=True, slots=True)
class _Field:
    """The players of one family.

    Attributes:
        static: the tuned design.
        best_rule: name of the rule that the learned ones are compared with.
        episodes: of the scoring pool, by player's name.
    """

    family: FamilyEntry
    static: Design
    best_rule: str
    episodes: Mapping[str, tuple[Episode, ...]]

    def times(self, name: str) -> NDArray[np.float64]:
        """``episodes``, seconds of a player."""
        return beam_times(self.episodes[name])


class GateRunner:
    """Plays what is not in the folder yet.

    Args:
        config: what to compare.
        folder: of finished episodes.
        jobs: processes.
        ray: address of a Ray cluster that plays instead.
        advance: hears of progress.
    """

    def __init__(
        self, config: GateConfig, folder: Path, *, jobs: int, ray: str | None = None,
        advance: Advance | None = None,
    ) -> None:  # fmt: skip
        self._gate, self._config, self._jobs, self._ray = config.gate, config, jobs, ray
        self._ledger, self._advance = Ledger(folder), advance or _still

    def run(self) -> Gate:
        """The whole gate.

        Raises:
            ModelError: a learned policy cannot be used.
            AutoscopeError: an episode failed, or a process was killed.
        """
        learned = learned_players(self._gate.weights)
        fields = [self._family(family, learned) for family in self._gate.families]
        against = [_differences(field, learned) for field in fields]
        adjusted = holm([best.p for best, _ in against])
        results = tuple(
            FamilyResult(
                family=field.family.label,
                static=field.static.said(),
                best_rule=field.best_rule,
                rows=tuple(row_of(name, episodes) for name, episodes in field.episodes.items()),
                by_seed=tuple(
                    paired_difference(field.times(player.name), field.times(field.best_rule))
                    for player in learned
                ),
                pooled=best,
                naive=naive,
                p_adjusted=p,
                verdict=family_verdict(best, p, self._gate.significance),
            )
            for field, (best, naive), p in zip(fields, against, adjusted, strict=True)
        )
        rows = tuple(
            row_of(LEARNED_NAME, [e for player in learned for e in field.episodes[player.name]])
            for field in fields
        )
        verdict, why = gate_verdict(results, rows, len(learned), self._gate.least_seeds)
        return Gate(self._config, results, rows, verdict, why, learned)

    def _family(self, family: FamilyEntry, learned: Sequence[Player]) -> _Field:
        """Tunes, chooses the best rule on worlds that were not tuned on, and plays the scoring pool."""
        static = self._tuned(family)
        candidates = (*rules(), Player(STATIC_NAME, static))
        last = self._gate.tuning.episodes
        chosen = self._played(family, candidates, TUNING, range(last, 2 * last))
        times = {name: float(beam_times(episodes).mean()) for name, episodes in chosen.items()}
        best_rule = min(times, key=lambda name: times[name])
        players = [*candidates, *learned]
        if Game(family, candidates[0], SCORING, self._gate).world(0).features is None:
            players.append(Player(ORACLE_NAME))
        episodes = self._played(family, players, SCORING, range(self._gate.episodes))
        return _Field(family, static, best_rule, episodes)

    def _tuned(self, family: FamilyEntry) -> Design:
        designs = designs_of(Game(family, rules()[0], TUNING, self._gate).world(0))
        return best_design(designs, self._gate.tuning, partial(self._mean_times, family))

    def _mean_times(
        self, family: FamilyEntry, designs: Sequence[Design], episodes: int
    ) -> Mapping[Design, float]:
        players = {design: Player(f"static {number}", design) for number, design in enumerate(designs)}
        played = self._played(family, tuple(players.values()), TUNING, range(episodes))
        return {design: float(beam_times(played[player.name]).mean()) for design, player in players.items()}

    def _played(
        self, family: FamilyEntry, players: Sequence[Player], pool: str, numbers: range
    ) -> dict[str, tuple[Episode, ...]]:
        """Episodes of players by name; those that are not on disk yet are played."""
        games = {player.name: Game(family, player, pool, self._gate) for player in players}
        unlike = {game.key: game for game in games.values()}
        turns: list[Turn] = []
        for start in range(numbers.start, numbers.stop, BATCH):
            for game in unlike.values():
                there = self._ledger.of(game.key, numbers.stop)
                wanted = range(start, min(start + BATCH, numbers.stop))
                missing = tuple(number for number in wanted if number not in there)
                if missing:
                    turns.append((game, missing))
        done, total = 0, sum(len(missing) for _, missing in turns)
        for _, episodes in map_over(play, turns, jobs=self._jobs, ray=self._ray):
            self._ledger.add(episodes)
            done += len(episodes)
            self._advance(done, total, f"{family.label}, {pool}, {len(players)} policies")
        return {
            name: tuple(self._ledger.of(game.key, numbers.stop)[number] for number in numbers)
            for name, game in games.items()
        }


def _differences(field: _Field, learned: Sequence[Player]) -> tuple[Paired, Paired]:
    """The mean of the learned policies less the best rule, and less naive practice.

    Training seeds meet the same worlds, which are what is independent: they are averaged in each.
    """
    mine = np.asarray(np.mean([field.times(player.name) for player in learned], axis=0))
    best, naive = (paired_difference(mine, field.times(name)) for name in (field.best_rule, NAIVE_NAME))
    return best, naive


def to_text(gate: Gate) -> str:
    """The document as JSON text."""
    return json.dumps(gate.to_json(), indent=2, allow_nan=False) + "\n"


def _still(done: int, total: int, stage: str) -> None:
    """Nobody listens."""
