"""The survey: who has been drawn, what was measured, what is known, and which field comes next."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError, Prediction, component_rng
from autoscope.estimation import Draw, QuantityTracker, check_values
from autoscope.estimation.growing import GrowingTable
from autoscope.survey.batching import (
    batch_of,
    fix_batch,
    inclusion_probabilities,
    short_tour,
    systematic_choice,
)
from autoscope.survey.drawing import (
    check_prediction,
    fix_draw,
    floored,
    pick,
    reckoned,
    units_of,
)
from autoscope.survey.grid import FieldGrid
from autoscope.survey.protocols import (
    Decision,
    Outcome,
    Past,
    Policy,
    Predictor,
    Proposal,
    QuantityState,
    SurveyView,
    Target,
)
from autoscope.survey.reporting import reported
from autoscope.survey.spending import ExtraCost
from autoscope.survey.statistics import Statistics

_Array = TypeVar("_Array", bound=NDArray[Any])


@dataclass(slots=True)
class _OpenDraw:
    """A draw that is made and not completely observed.

    Attributes:
        draws: for each target, what was fixed.
        candidates: how many units had a chance.
        logged: ``k``, the propensities that the decision documents carry.
        actual: ``k``, the probabilities given the past.
        reason: why.
        values: ``targets x k``, measured so far.
        variance: ``targets x k``, of measured values that are estimates themselves.
        measured: ``k``, False for a field that could not be measured.
        decided: fields handed out.
        observed: fields that came back.
    """

    draws: tuple[Draw, ...]
    candidates: int
    logged: NDArray[np.float64]
    actual: NDArray[np.float64]
    reason: str
    values: NDArray[np.float64]
    variance: NDArray[np.float64]
    measured: NDArray[np.bool_]
    decided: int = 0
    observed: int = 0

    @property
    def fields(self) -> NDArray[np.intp]:
        return self.draws[0].fields


class Survey:
    """One adaptive measurement of a region.

    ``decide`` and ``observe`` alternate with a lag of one: a decision is made while the frame of the
    decision before it is in flight, and knows only what was observed. Everything about a draw, its
    distribution, the prediction of every field and the weight, is fixed when it is made. Repeating the
    same calls with the same outcomes gives the same decisions, whatever the process.

    Args:
        grid: the population.
        targets: what is asked; the survey is done when all are met, each with its own confidence.
        policy: proposes distributions.
        predictor: predicts the fields.
        statistics: tier and exploration floor.
        seed: seed of the draws.
        travel_s: seconds for stage moves of these lengths (um, array in and out).
        visit_s: seconds of a visit apart from travel.
        start_xy_um: where the stage stands when the survey begins.
        extra: what fields cost beyond that, where they do; it learns from the outcomes.
    """

    def __init__(
        self,
        *,
        grid: FieldGrid,
        targets: tuple[Target, ...],
        policy: Policy,
        predictor: Predictor,
        statistics: Statistics,
        seed: int,
        travel_s: Callable[[NDArray[np.float64]], NDArray[np.float64]],
        visit_s: float,
        start_xy_um: tuple[float, float],
        extra: ExtraCost | None = None,
    ) -> None:
        self._grid, self._targets, self._policy, self._predictor = grid, targets, policy, predictor
        self._statistics, self._seed = statistics, seed
        self._travel_s, self._visit_s, self._xy_um = travel_s, visit_s, start_xy_um
        self._extra = extra
        self._free = np.ones(len(grid), bool)
        self._names = tuple(f"{target.quantity} of {target.class_name}" for target in targets)
        self._trackers = tuple(QuantityTracker(len(grid), target.goal, statistics.tier) for target in targets)
        self._open: deque[_OpenDraw] = deque()
        self._pending: deque[Decision] = deque()
        self._steps = self._draws = self._measured = self._lost = 0
        self._came_back = GrowingTable(2 + 2 * len(targets))  # field, propensity, predicted, measured

    @property
    def targets(self) -> tuple[Target, ...]:
        """What is asked."""
        return self._targets

    @property
    def observed(self) -> int:
        """How many fields came back, those that could not be measured included."""
        return self._measured + self._lost

    @property
    def pending(self) -> tuple[Decision, ...]:
        """Decisions whose outcome has not been observed, oldest first."""
        return tuple(self._pending)

    @property
    def met(self) -> bool:
        """Whether every target is reached on what has been observed."""
        return all(tracker.reading.met for tracker in self._trackers)

    @property
    def exhausted(self) -> bool:
        """Whether every field of the population has been visited and observed."""
        return not self._pending and not self._unvisited()

    def states(self) -> tuple[QuantityState, ...]:
        """Where each target stands, on complete draws alone."""
        return tuple(
            self._state(target, tracker)
            for target, tracker in zip(self._targets, self._trackers, strict=True)
        )

    def _state(self, target: Target, tracker: QuantityTracker) -> QuantityState:
        now = reported(target, tracker.reading)
        return QuantityState(
            target=target,
            estimate=now.estimate,
            ci_low=now.ci_low,
            ci_high=now.ci_high,
            met=now.met,
            fields_measured=self._measured,
            fields_lost=self._lost,
            estimator=now.estimator,
            extra=now.extra,
        )

    def decide(self) -> Decision | None:
        """Chooses the next field from what was observed, never from the decision in flight.

        Returns:
            The decision, or None when every field has been decided on.

        Raises:
            EstimationError: two decisions are unobserved already, or the policy or the predictor
                returned something that would make the estimate wrong. The survey is unchanged then.
        """
        if len(self._pending) > 1:
            raise EstimationError(
                f"step {self._steps + 1} was to be decided with {len(self._pending)} outcomes missing;"
                " at most one frame is in flight when a decision is made",
                step=self._steps + 1,
            )
        if not self._unvisited():
            return None
        if not self._open or self._open[-1].decided == len(self._open[-1].fields):
            self._open.append(self._draw(np.flatnonzero(self._free)))
            self._draws += 1
        return self._hand_out(self._open[-1])

    def observe(self, decision: Decision, outcome: Outcome) -> None:
        """Takes in what came of the oldest decision in flight.

        Raises:
            EstimationError: it is not the oldest decision in flight, or a value lies outside the bounds
                that are declared for its quantity. The survey is unchanged then.
        """
        if not self._pending or decision.step != self._pending[0].step:
            expected = f"step {self._pending[0].step}" if self._pending else "nothing"
            raise EstimationError(
                f"step {decision.step}, field {decision.field} was observed, but {expected} is awaited;"
                " outcomes come in the order of the decisions, each once",
                step=decision.step,
                field=decision.field,
            )
        values = None if outcome.value is None else np.asarray(outcome.value, float)
        if values is not None:
            low, high = zip(*(t.measured_bounds for t in self._targets), strict=True)
            check_values(values, low, high, step=decision.step, field=decision.field, names=self._names)
            self._predictor.update(decision.field, values)
            if self._extra is not None:
                self._extra.observe(decision.predicted, outcome.extra_s)
        self._pending.popleft()
        self._take(self._open[0], values, outcome.variance)

    def _take(
        self, draw: _OpenDraw, values: NDArray[np.float64] | None, variance: NDArray[np.float64] | None
    ) -> None:
        place, missing = draw.observed, np.full(len(self._targets), np.nan)
        self._came_back.append(
            draw.fields[place], draw.actual[place],
            *(fixed.predicted[place] for fixed in draw.draws), *(missing if values is None else values),
        )  # fmt: skip
        if values is None:
            self._lost += 1
        else:
            self._measured += 1
            draw.values[:, draw.observed] = values
            draw.measured[draw.observed] = True
            if variance is not None:
                draw.variance[:, draw.observed] = variance
        draw.observed += 1
        if draw.observed == len(draw.fields):
            self._open.popleft()
            rows = zip(self._trackers, draw.draws, draw.values, draw.variance, strict=True)
            for tracker, fixed, row, spread in rows:
                tracker.observe(fixed, row, draw.measured, spread)

    def _unvisited(self) -> bool:
        unfinished = bool(self._open) and self._open[-1].decided < len(self._open[-1].fields)
        return unfinished or bool(self._free.any())

    def _draw(self, remaining: NDArray[np.intp]) -> _OpenDraw:
        step = self._draws + 1
        prediction = self._predictor.predict()
        check_prediction(prediction, self._targets, len(self._grid), step)
        proposal = self._policy.propose(self._view(remaining, prediction))
        believed = reckoned(prediction, proposal, remaining, step)
        drawn = self._draw_batch if proposal.batch is not None else self._draw_unit
        draws, actual, candidates = drawn(step, proposal, remaining, believed)
        shape = (len(self._targets), len(draws[0].fields))
        logged = actual if proposal.inclusion is None else np.full(shape[1], proposal.inclusion)
        return _OpenDraw(
            draws, candidates, logged, actual, proposal.reason, np.zeros(shape), np.zeros(shape),
            np.zeros(shape[1], bool),
        )  # fmt: skip

    @property
    def _exploration(self) -> float:
        return self._statistics.exploration if self._policy.floored else 0.0

    def _draw_unit(
        self, step: int, proposal: Proposal, remaining: NDArray[np.intp], believed: Prediction
    ) -> tuple[tuple[Draw, ...], NDArray[np.float64], int]:
        """Draws a field, or a group; returns it, its fields' probabilities, and how many had a chance."""
        units = units_of(proposal, remaining, step)
        probability = floored(proposal.probability, self._exploration, step)
        chosen = pick(probability, component_rng(self._seed, "draw", step))
        draws = fix_draw(step, units, probability, chosen, self._grid.weight, believed, self._targets)
        actual = np.full(len(draws[0].fields), probability[chosen])
        return draws, actual, int(np.count_nonzero(probability))

    def _draw_batch(
        self, step: int, proposal: Proposal, remaining: NDArray[np.intp], believed: Prediction
    ) -> tuple[tuple[Draw, ...], NDArray[np.float64], int]:
        """Draws a batch; returns it, its fields' inclusion probabilities, and how many had a chance."""
        batch = batch_of(proposal, len(remaining), step)
        probability = floored(proposal.probability, self._exploration, step)
        inclusion = inclusion_probabilities(probability, batch.size)
        start = float(component_rng(self._seed, "draw", step).random())
        chosen = systematic_choice(inclusion, batch.order, start)
        at = remaining[chosen]
        chosen = chosen[short_tour(self._grid.x_um[at], self._grid.y_um[at], self._xy_um)]
        draws = fix_batch(
            step, remaining, inclusion, batch.order, chosen, self._grid.weight, believed, self._targets
        )
        return draws, inclusion[chosen], int(np.count_nonzero(inclusion))

    def _view(self, remaining: NDArray[np.intp], prediction: Prediction) -> SurveyView:
        readings = [tracker.reading for tracker in self._trackers]
        half_width = np.array(
            [
                np.inf if r.ci_low is None or r.ci_high is None else (r.ci_high - r.ci_low) / 2
                for r in readings
            ]
        )
        shown = Prediction(_read_only(prediction.value), _read_only(prediction.spread))
        cost_s = self._cost_s(remaining, prediction.value)
        wanted = np.array([t.goal.wanted(r.estimate) for t, r in zip(self._targets, readings, strict=True)])
        return SurveyView(
            self._grid, _read_only(remaining), shown, _read_only(cost_s), self._draws,
            self._targets, _read_only(half_width), _read_only(wanted), self._exploration, self._past(),
        )  # fmt: skip

    def _past(self) -> Past:
        columns, n = _read_only(self._came_back.rows).T, len(self._targets)
        return Past(columns[0].astype(np.intp), columns[1], columns[2 : 2 + n], columns[2 + n :])

    def _cost_s(self, fields: NDArray[np.intp], predicted: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds of fields; ``predicted`` is of all fields."""
        travel_s = self._way_s(fields)
        return travel_s if self._extra is None else travel_s + self._extra.seconds(predicted[:, fields])

    def _way_s(self, fields: NDArray[np.intp]) -> NDArray[np.float64]:
        dx, dy = self._grid.x_um[fields] - self._xy_um[0], self._grid.y_um[fields] - self._xy_um[1]
        return self._travel_s(np.hypot(dx, dy)) + self._visit_s

    def _hand_out(self, draw: _OpenDraw) -> Decision:
        place = draw.decided
        field = int(draw.fields[place])
        predicted = np.array([fixed.predicted[place] for fixed in draw.draws])
        cost_s = float(self._way_s(draw.fields[place : place + 1])[0])
        if self._extra is not None:
            cost_s += float(self._extra.seconds(predicted))
        draw.decided += 1
        self._steps += 1
        self._free[field] = False
        self._xy_um = float(self._grid.x_um[field]), float(self._grid.y_um[field])
        decision = Decision(
            step=self._steps,
            draw=draw.draws[0].step,
            field=field,
            propensity=float(draw.logged[place]),
            candidates=draw.candidates,
            predicted=predicted,
            predicted_cost_s=cost_s,
            reason=draw.reason,
            last_of_draw=draw.decided == len(draw.fields),
        )
        self._pending.append(decision)
        return decision


def _read_only(values: _Array) -> _Array:
    view = values.view()
    view.flags.writeable = False
    return view
