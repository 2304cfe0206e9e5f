"""How much a controller of designs could gain: the best departure from the rule in each world, in hindsight.

    OMP_NUM_THREADS=1 python benchmarks/design_headroom.py --out FILE.jsonl [--specimen phase] \
        [--instrument "slow stage"] [--worlds 24] [--repeats 4] [--only "batch = 8"] [--json]

Each world is surveyed by the rule and by departures from it in one parameter that stay the same to the end,
`repeats` times with other draws, the same ones for all. Of the logarithm of beam time over the rule's are
printed the mean of each departure, ± one standard error over the worlds; by how much its effect differs
between worlds (standard deviation, what chance does within a world taken off; 0 where no more than that was
seen); and what would be gained by departing only where it pays, if that were known of each world and effects
were normal over the worlds. Then the same of choosing for each world what suits it best, the rule included:

    at most   chosen and judged on the same plays: chance flatters it
    at least  chosen on all plays of the world but one, and judged on that one, in turn

A controller that sees a world at a glance, and keeps to one departure, gains something between the two. Plays
are kept in FILE.jsonl; the same command goes on from there, and adds to it where more are asked for.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoscope.survey import (
    DESIGN_OPTIONS,
    Design,
    Designed,
    Proposal,
    Statistics,
    SurveyView,
    rule_design,
    run,
)
from autoscope_envs import random_world

FIRST_SEED = 950_000
"""Of the worlds; none of them is trained on."""
EXPLORATION = 0.2
FLOORS = (0.05, 0.4)
"""Shares of a draw that are uniform, beside the default."""
TILTS = (0.5, 1.5)
"""Powers of the rule's distribution: flatter, and steeper."""
RULE_NAME = "the rule"


@dataclass(frozen=True, slots=True)
class Departure:
    """What is done otherwise than by the rule, in every draw.

    Attributes:
        parameter: of the design, by name; empty: none.
        value: that it keeps.
        exploration: the floor.
        tilt: power of the distribution before the floor.
    """

    parameter: str = ""
    value: float = 0.0
    exploration: float = EXPLORATION
    tilt: float = 1.0

    def design(self, view: SurveyView) -> Design:
        """The rule's design but for the parameter."""
        design = rule_design(view)
        if not self.parameter:
            return design
        kind = type(getattr(design, self.parameter))
        return replace(design, **{self.parameter: kind(self.value)})

    def policy(self) -> Designed:
        """The policy that does it."""
        return _Tilted(self.design, self.tilt)


class Row(NamedTuple):
    """A line of the table.

    Attributes:
        choice: what was done.
        mean: of the logarithm of beam time over the rule's.
        error: standard error of it.
        between: standard deviation of the effect over the worlds, without what is chance; None: not told.
        known: mean if a world departed only where it pays; None: not told.
    """

    choice: str
    mean: float
    error: float
    between: float | None = None
    known: float | None = None


class _Tilted(Designed):
    """A design whose distribution is raised to a power."""

    def __init__(self, controller: Callable[[SurveyView], Design], tilt: float) -> None:
        super().__init__("headroom", "", controller)
        self._tilt = tilt

    def propose(self, view: SurveyView) -> Proposal:
        """A draw of the design, flatter or steeper."""
        proposal = super().propose(view)
        if self._tilt == 1:
            return proposal
        tilted = proposal.probability**self._tilt
        return replace(proposal, probability=tilted / tilted.sum())


def main() -> int:
    """Plays what is missing, and prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--specimen", default="phase", choices=("phase", "inclusions", "coupled"))
    parser.add_argument("--instrument", default="slow stage")
    parser.add_argument("--worlds", type=int, default=24)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the departures, as they are printed")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.worlds < 2 or options.repeats < 2:
        parser.error("--worlds and --repeats must be 2 or more: the error and the choice need them")
    known = departures(options.specimen)
    if options.only:
        if unknown := set(options.only) - set(known):
            parser.error(f"--only {min(unknown)!r} is none of: {', '.join(known)}")
        known = {name: known[name] for name in known if name in (RULE_NAME, *options.only)}
    found = headroom(played(options, known), list(known))
    if options.json:
        family = [options.specimen, options.instrument]
        print(json.dumps({"family": family, "rows": [row._asdict() for row in found]}, indent=2))
        return 0
    print(f"{options.specimen}, {options.instrument}: {options.worlds} worlds x {options.repeats} plays")
    print(f"{'':28} {'mean':>15} {'between':>9} {'if known':>9}")
    for row in found:
        more = () if row.between is None or row.known is None else (row.between, row.known)
        print(f"{row.choice:28} {100 * row.mean:+7.1f} ± {100 * row.error:4.1f} %", end="")
        print(*(f"{100 * number:8.1f}" for number in more))
    return 0


def departures(specimen: str) -> dict[str, Departure]:
    """Those that make a difference to a kind of specimen, by name; the rule first."""
    found = {RULE_NAME: Departure()}
    parameters = ["travel_exponent", "batch"]
    parameters += ["eds_price"] if specimen != "phase" else []
    parameters += ["urgency"] if specimen == "coupled" else []
    for name in parameters:
        default = None if name == "batch" else getattr(Design(), name)  # the rule chooses the fields at once
        for value in DESIGN_OPTIONS[name]:
            if value != default:
                found[f"{name} = {value:g}"] = Departure(name, value)
    found |= {f"exploration = {floor:g}": Departure(exploration=floor) for floor in FLOORS}
    return found | {f"tilt = {tilt:g}": Departure(tilt=tilt) for tilt in TILTS}


def played(options: argparse.Namespace, known: dict[str, Departure]) -> NDArray[np.float64]:
    """``worlds x repeats x departures``, seconds of beam time."""
    kept: dict[tuple[object, ...], float] = {}
    if options.out.exists():
        for line in options.out.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            kept[tuple(row["play"])] = row["beam_time_s"]
    found = np.empty((options.worlds, options.repeats, len(known)))
    with options.out.open("a", encoding="utf-8") as file:
        for world, repeat, k in np.ndindex(*found.shape):
            name = list(known)[k]
            play = (options.specimen, options.instrument, options.side, world, repeat, name)
            if play not in kept:
                kept[play] = beam_time_s(options, world, repeat, known[name])
                file.write(json.dumps({"play": play, "beam_time_s": kept[play]}) + "\n")
                file.flush()
            found[world, repeat, k] = kept[play]
    return found


def beam_time_s(options: argparse.Namespace, world: int, repeat: int, departure: Departure) -> float:
    """Of one survey."""
    rng = np.random.default_rng(FIRST_SEED + world)
    made = random_world(rng, specimen=options.specimen, instrument=options.instrument, side=options.side)
    made = replace(made, seed=made.seed + repeat)
    survey, source = made.survey(departure.policy(), Statistics("standard", departure.exploration))
    run(survey, source, max_fields=1500)
    return source.clock_s


def headroom(times: NDArray[np.float64], names: list[str]) -> list[Row]:
    """Rows of the table.

    Args:
        times: ``worlds x repeats x departures``; the rule is the first.
        names: ``departures``.
    """
    gain = np.log(times / times[:, :, :1])
    by_world = gain.mean(axis=1)
    told = [_effect(name, gain[:, :, k]) for k, name in enumerate(names) if k]
    repeats = gain.shape[1]
    judged = []
    for left_out in range(repeats):
        rest = np.delete(gain, left_out, axis=1).mean(axis=1)
        judged.append(np.take_along_axis(gain[:, left_out], rest.argmin(axis=1)[:, None], axis=1)[:, 0])
    told.append(_row("each world's best: at most", by_world.min(axis=1)))
    told.append(_row("each world's best: at least", np.mean(judged, axis=0)))
    return told


def _effect(name: str, gain: NDArray[np.float64]) -> Row:
    """A departure by itself; ``gain`` is ``worlds x repeats``.

    The variance between worlds is that of their means less that of chance (one-way analysis of variance), and
    the mean of min(0, x) of a normal x is m F(-m / s) - s f(m / s).
    """
    row, chance = _row(name, gain.mean(axis=1)), float(gain.var(axis=1, ddof=1).mean())
    between = math.sqrt(max(float(gain.mean(axis=1).var(ddof=1)) - chance / gain.shape[1], 0.0))
    known = min(row.mean, 0.0)
    if between > 0:
        normal = NormalDist()
        known = row.mean * normal.cdf(-row.mean / between) - between * normal.pdf(row.mean / between)
    return row._replace(between=between, known=known)


def _row(choice: str, by_world: NDArray[np.float64]) -> Row:
    return Row(choice, float(by_world.mean()), float(by_world.std(ddof=1)) / math.sqrt(len(by_world)))


if __name__ == "__main__":
    raise SystemExit(main())
