"""The conformance suite of policies: what a survey, and an honest interval, need of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Prediction, Rectangle
from autoscope.survey import (
    Decision,
    FixedPredictor,
    Policy,
    Proposal,
    Statistics,
    Survey,
    SurveyView,
    TableSource,
    Target,
    lay_grid,
    step,
)
from autoscope.testing.checks import ConformanceError, require
from autoscope.testing.promises import Promise, promises

MakePolicy = Callable[[], Policy]
"""Makes a fresh policy; a check may call it more than once."""

Watch = Callable[[SurveyView, Proposal], None]

_COLUMNS, _ROWS, _FIELD_UM = 12, 8, 10.0
_SEED, _EXPLORATION = 7, 0.3
_SUM_TOLERANCE = 1e-6


def policy_checks() -> tuple[Promise[Policy], ...]:
    """Every promise of a policy, one check each.

    Returns:
        The checks; each is called with a function that makes the policy, and raises `ConformanceError`
        where a promise is broken.
    """
    return promises(
        (
            it_says_what_it_is,
            proposals_are_distributions,
            proposals_depend_on_the_view_alone,
            every_draw_has_a_propensity,
            a_survey_ends_in_a_census,
            the_same_seed_gives_the_same_survey,
        )
    )


def it_says_what_it_is(make: MakePolicy) -> None:
    """A policy has a name, says whether the floor applies, and hashes its parameters the same each time."""
    policy = make()
    require(isinstance(policy.name, str) and policy.name != "", f"its name is {policy.name!r}")
    require(isinstance(policy.floored, bool), f"floored is {policy.floored!r}, not True or False")
    require(
        re.fullmatch("[0-9a-f]{64}", policy.sha256) is not None,
        f"sha256 is {policy.sha256!r}, not 64 hexadecimal digits",
    )
    require(make().sha256 == policy.sha256, "two that were made alike have different hashes")


def proposals_are_distributions(make: MakePolicy) -> None:
    """A proposal gives every candidate a probability from 0, and all of them together 1."""

    def watch(view: SurveyView, proposal: Proposal) -> None:
        probability, groups = proposal.probability, proposal.groups
        count = len(view.remaining) if groups is None else len(groups)
        require(probability.shape == (count,), f"{count} candidates have {probability.shape} probabilities")
        require(bool(np.isfinite(probability).all()), "a probability is not a finite number")
        require(bool((probability >= 0).all()), f"a probability is {probability.min():g}")
        total = float(probability.sum())
        require(abs(total - 1) <= _SUM_TOLERANCE, f"the probabilities sum to {total:g}")
        if groups is not None:
            drawn = np.sort(np.concatenate(groups))
            require(
                np.array_equal(drawn, view.remaining), "the groups are not the remaining fields, each once"
            )

    _play(_Watched(make(), watch))


def proposals_depend_on_the_view_alone(make: MakePolicy) -> None:
    """The same view gives the same proposal again, and from another policy that was made alike."""
    other = make()

    def watch(view: SurveyView, proposal: Proposal) -> None:
        for again in (policy.propose(view), other.propose(view)):
            require(
                np.array_equal(again.probability, proposal.probability),
                f"draw {view.drawn + 1} was proposed differently when it was asked for again",
            )

    policy = make()
    _play(_Watched(policy, watch))


def every_draw_has_a_propensity(make: MakePolicy) -> None:
    """Every field is drawn with a probability above 0 and at most 1, which is logged."""
    for decision in _play(make()).decisions:
        require(
            0 < decision.propensity <= 1,
            f"field {decision.field} was drawn with the propensity {decision.propensity:g}",
        )


def a_survey_ends_in_a_census(make: MakePolicy) -> None:
    """Where no target can be met, every field is visited exactly once and the estimate is the truth."""
    try:
        played = _play(make())
    except Exception as error:  # whatever it raises, a survey that does not end is the answer
        raise ConformanceError(f"it raised {type(error).__name__}: {error}") from error
    fields = sorted(decision.field for decision in played.decisions)
    count = _COLUMNS * _ROWS
    require(fields == list(range(count)), f"{len(set(fields))} of {count} fields in {len(fields)} visits")
    estimate, truth = played.survey.states()[0].estimate, float(_values().mean())
    require(abs(estimate - truth) < 1e-9, f"the census says {estimate:g}, the truth is {truth:g}")


def the_same_seed_gives_the_same_survey(make: MakePolicy) -> None:
    """Two surveys of one seed visit the same fields with the same propensities."""
    first, second = (
        [(decision.field, decision.propensity) for decision in _play(make()).decisions] for _ in range(2)
    )
    require(first == second, "they did not")


class _Watched:
    """A policy whose every proposal is looked at."""

    def __init__(self, policy: Policy, watch: Watch) -> None:
        self._policy, self._watch = policy, watch
        self.name, self.sha256, self.floored = policy.name, policy.sha256, policy.floored

    def propose(self, view: SurveyView) -> Proposal:
        proposal = self._policy.propose(view)
        self._watch(view, proposal)
        return proposal


@dataclass(frozen=True, slots=True)
class _Played:
    survey: Survey
    decisions: tuple[Decision, ...]


def _values() -> NDArray[np.float64]:
    """What the fields hold: a gradient, and noise that no overview sees."""
    column = np.tile(np.arange(_COLUMNS), _ROWS)
    noise = np.random.default_rng(_SEED).normal(0.0, 0.05, _COLUMNS * _ROWS)
    return np.clip(0.1 + 0.6 * column / _COLUMNS + noise, 0.0, 1.0)


def _play(policy: Policy) -> _Played:
    """A survey that no target ends: over a table, to the census."""
    box = Rectangle(0.0, 0.0, _COLUMNS * _FIELD_UM, _ROWS * _FIELD_UM)
    values = _values()
    guess = np.full((1, len(values)), float(values.mean()))
    spread = np.atleast_2d(0.05 + 0.2 * np.tile(np.arange(_COLUMNS), _ROWS) / _COLUMNS)
    survey = Survey(
        grid=lay_grid(box, [box], _FIELD_UM, _FIELD_UM),
        targets=(Target("area_fraction", "phase", 1e-9, None, 0.95),),
        policy=policy,
        predictor=FixedPredictor(Prediction(guess, spread)),
        statistics=Statistics(exploration=_EXPLORATION),
        seed=_SEED,
        travel_s=lambda distance_um: 1.0 + distance_um / 500.0,
        visit_s=3.0,
        start_xy_um=(0.0, 0.0),
    )
    source, decisions = TableSource(values), list[Decision]()
    pending: Decision | None = None
    while True:
        pending = step(survey, source, pending)
        if pending is not None:
            decisions.append(pending)
        elif survey.met or survey.exhausted:
            return _Played(survey, tuple(decisions))
