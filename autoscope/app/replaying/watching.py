"""A policy that draws as it always does, while another one is asked what it would have done."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import component_rng
from autoscope.survey import Policy, Proposal, Survey, SurveyView
from autoscope.survey.visit_chances import VisitChances, visit_chances


@dataclass(frozen=True, slots=True)
class Visits:
    """Fields that came back, with the chances that two policies gave them; ``n`` visits in their order.

    Attributes:
        draw: ``n``, draw of each, counted from 0 without gaps.
        weight: ``n``, a_i.
        measured: ``targets x n``; NaN where a field could not be measured.
        predicted: ``targets x n``, fixed at the draw.
        rest: ``targets x n``, sum of a f over all fields that remained at the draw.
        remaining: ``n``, how many remained.
        own: ``n``, chance that the visit had, batches taken field by field.
        other: ``n``, chance that the other policy would have given it.
        own_variance: ``targets x n``, that the own policy predicted of the pseudo-value of a visit.
        other_variance: ``targets x n``, that the other one predicts.
        own_s: ``n``, seconds that a visit was expected to take at the draw.
        other_s: ``n``, seconds that a visit by the other policy would have been expected to take.
        beyond_s: ``n``, seconds beyond travel and frame that it took, less those expected.
    """

    draw: NDArray[np.intp]
    weight: NDArray[np.float64]
    measured: NDArray[np.float64]
    predicted: NDArray[np.float64]
    rest: NDArray[np.float64]
    remaining: NDArray[np.float64]
    own: NDArray[np.float64]
    other: NDArray[np.float64]
    own_variance: NDArray[np.float64]
    other_variance: NDArray[np.float64]
    own_s: NDArray[np.float64]
    other_s: NDArray[np.float64]
    beyond_s: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.draw)


@dataclass(frozen=True, slots=True)
class _Draw:
    """A draw while its fields are not known yet."""

    remaining: NDArray[np.intp]
    rest: NDArray[np.float64]
    own: VisitChances
    other: VisitChances
    beyond_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Visited:
    """A field that was drawn: its draw, its chances there, and the seconds that were expected beyond."""

    draw: int
    at: _Said
    own: float
    other: float
    beyond_s: float


@dataclass(frozen=True, slots=True)
class _Said:
    """What is the same for all fields of a draw."""

    remaining: int
    rest: NDArray[np.float64]
    own: VisitChances
    other: VisitChances


class Watching:
    """A policy that proposes what ``own`` proposes and notes what ``other`` would have.

    Args:
        own: whose draws are made.
        other: who is asked.
        exploration: the floor of both, where they have one.
        seed: of the batches that are drawn for what tours cost.
        where: the stage's position when a draw is made.
    """

    def __init__(
        self,
        own: Policy,
        other: Policy,
        exploration: float,
        seed: int,
        where: Callable[[], tuple[float, float]],
    ) -> None:
        self.name, self.sha256, self.floored = own.name, own.sha256, own.floored
        self._own, self._other, self._seed, self._where = own, other, seed, where
        self._own_floor = exploration if own.floored else 0.0
        self._other_floor = exploration if other.floored else 0.0
        self._open: _Draw | None = None
        self._draws = 0
        self._visited: dict[int, _Visited] = {}
        self._obstacle = ""

    @property
    def obstacle(self) -> str:
        """Why nothing can be said of the other policy, in a sentence; empty where something can."""
        return self._obstacle

    def propose(self, view: SurveyView) -> Proposal:
        """The own policy's proposal."""
        proposal = self._own.propose(view)
        if not self._obstacle:
            self._settle(view.remaining)
            self._open = self._opened(view, proposal)
        return proposal

    def visits(self, survey: Survey, extra_s: NDArray[np.float64] | None = None) -> Visits:
        """All fields that came back; to be asked once the survey has ended.

        Args:
            survey: that drew with this policy.
            extra_s: ``n``, seconds that each field took beyond travel and frame; None: none did.
        """
        view = survey.view()
        self._settle(view.remaining)
        past = view.past
        rows = [self._visited[field] for field in past.fields.tolist()]
        took_s = np.zeros(len(rows)) if extra_s is None else extra_s
        return Visits(
            draw=np.array([row.draw for row in rows], np.intp),
            weight=view.grid.weight[past.fields],
            measured=past.measured,
            predicted=past.predicted,
            rest=np.array([row.at.rest for row in rows]).T,
            remaining=np.array([row.at.remaining for row in rows], float),
            own=np.array([row.own for row in rows]),
            other=np.array([row.other for row in rows]),
            own_variance=np.array([row.at.own.variance for row in rows]).T,
            other_variance=np.array([row.at.other.variance for row in rows]).T,
            own_s=np.array([row.at.own.visit_s for row in rows]),
            other_s=np.array([row.at.other.visit_s for row in rows]),
            beyond_s=took_s - np.array([row.beyond_s for row in rows]),
        )

    def _opened(self, view: SurveyView, proposal: Proposal) -> _Draw | None:
        xy_um, start = self._where(), float(component_rng(self._seed, "replay", view.drawn + 1).random())
        own = visit_chances(proposal, self._own_floor, view, xy_um, start)
        other = visit_chances(self._other.propose(view), self._other_floor, view, xy_um, start)
        self._obstacle = _unlogged(self._own, own) or _impossible(self._other, other)
        if own is None or other is None or self._obstacle:
            return None
        grid, remaining = view.grid, view.remaining
        way = np.hypot(grid.x_um[remaining] - xy_um[0], grid.y_um[remaining] - xy_um[1])
        beyond_s = view.cost_s - view.prices.travel_s(way) - view.prices.visit_s
        rest = view.prediction.value[:, remaining] @ grid.weight[remaining]
        return _Draw(remaining, rest, own, other, beyond_s)

    def _settle(self, remaining: NDArray[np.intp]) -> None:
        """Takes up which fields the last draw took."""
        draw, self._open = self._open, None
        if draw is None:
            return
        drawn = np.setdiff1d(draw.remaining, remaining, assume_unique=True)
        if not len(drawn):
            return
        said = _Said(len(draw.remaining), draw.rest, draw.own, draw.other)
        for place in np.searchsorted(draw.remaining, drawn).tolist():
            self._visited[int(draw.remaining[place])] = _Visited(
                self._draws, said, float(draw.own.share[place]), float(draw.other.share[place]),
                float(draw.beyond_s[place]),
            )  # fmt: skip
        self._draws += 1


def _unlogged(policy: Policy, chances: VisitChances | None) -> str:
    """Why draws of a policy say nothing of another one's; empty where they do."""
    if chances is None:
        return (
            f"the session's policy {policy.name!r} does not draw fields one by one with a chance each, so its"
            " record says nothing of how another policy would have done"
        )
    if not (chances.share > 0).all():
        return (
            f"the session's policy {policy.name!r} gave most fields no chance at all, so its record says"
            " nothing of them"
        )
    return ""


def _impossible(policy: Policy, chances: VisitChances | None) -> str:
    """Why nothing can be said of a policy from draws with a chance for each field; empty where it can."""
    if chances is None:
        return (
            f"{policy.name!r} draws whole grids or chooses among random offers: single fields that were drawn"
            " with other chances do not say how precise that would have been"
        )
    if not (chances.share > 0).all():
        return (
            f"{policy.name!r} would have given fields no chance: what the session saw of them has no weight,"
            " and its estimate would have no interval"
        )
    return ""
