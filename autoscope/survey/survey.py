"""The survey: who has been drawn, what was measured, what is known, and which field comes next."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from autoscope.core import EstimationError
from autoscope.estimation import QuantityTracker, check_values
from autoscope.estimation.growing import GrowingTable
from autoscope.survey.conditions import Conditions, Prices
from autoscope.survey.drawing import check_prediction
from autoscope.survey.grid import FieldGrid
from autoscope.survey.predicted import Predicted
from autoscope.survey.protocols import (
    Correction,
    Decision,
    Offer,
    Outcome,
    Policy,
    Predictor,
    QuantityState,
    SurveyView,
    Target,
)
from autoscope.survey.remaining import Left
from autoscope.survey.reporting import reported, share_left
from autoscope.survey.sampling import Prepared, Sampler
from autoscope.survey.showing import Seconds, Standing, shown, with_features
from autoscope.survey.spending import ExtraCost
from autoscope.survey.statistics import Statistics
from autoscope.survey.visits import OpenDraw, known_values, opened, with_values
from autoscope.survey.way import Way


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
        focus_s: seconds of an autofocus run, which policies may weigh.
        spectrum_s: seconds of a spectrum beside its live time; None where no spectra are taken.
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
        focus_s: float = 0.0,
        spectrum_s: float | None = None,
    ) -> None:
        self._grid, self._targets, self._policy, self._predictor = grid, targets, policy, predictor
        exploration = statistics.exploration if policy.floored else 0.0
        self._exploration, self._sampler = exploration, Sampler(grid, targets, exploration, seed)
        self._tier = statistics.tier
        self._way = Way(grid, travel_s, visit_s, start_xy_um)
        self._extra, self._extra_s = extra, 0.0
        self._prices = Prices(travel_s, visit_s, focus_s, spectrum_s)
        self._conditions = Conditions()
        self._view: SurveyView | None = None
        self._left, self._weight_left = Left(np.arange(len(grid))), 1.0
        self._names = tuple(f"{target.quantity} of {target.class_name}" for target in targets)
        self._goals = tuple(target.goal for target in targets)
        self._bounds = tuple(zip(*(target.measured_bounds for target in targets), strict=True))
        self._trackers, self._met_by_model = self._new_trackers(), False
        self._open: deque[OpenDraw] = deque()
        self._closed: list[OpenDraw] = []
        self._pending: deque[Decision] = deque()
        self._steps = self._draws = self._measured = self._lost = 0
        self._correction: Correction | None = None
        self._prepared: Prepared | None = None
        self._states: tuple[QuantityState, ...] | None = None
        self._predicted: Predicted | None = None
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
    def xy_um(self) -> tuple[float, float]:
        """Where the stage stands after the last decision."""
        return self._way.xy_um

    @property
    def pending(self) -> tuple[Decision, ...]:
        """Decisions whose outcome has not been observed, oldest first."""
        return tuple(self._pending)

    @property
    def met(self) -> bool:
        """Whether every target is reached on what has been observed."""
        if self._correction is None:
            return self._met_by_model
        return all(state.met for state in self.states())

    @property
    def met_by_model(self) -> bool:
        """Whether every target is reached as far as the model alone can tell."""
        return self._met_by_model

    @property
    def exhausted(self) -> bool:
        """Whether every field of the population has been visited and observed."""
        return not self._pending and not self._unvisited()

    @property
    def all_decided(self) -> bool:
        """Whether every field has been decided on; what is in flight may still have to be observed."""
        return not self._unvisited()

    def states(self) -> tuple[QuantityState, ...]:
        """Where each target stands, on complete draws alone."""
        if self._states is None or self._correction is not None:  # answers may come at any time
            self._states = tuple(map(self._state, range(len(self._targets))))
        return self._states

    def correct_with(self, correction: Correction) -> None:
        """Lets experts' answers correct what is reported; to be said before the first field comes back."""
        self._correction = correction

    def _state(self, k: int) -> QuantityState:
        target, tracker = self._targets[k], self._trackers[k]
        own = now = reported(target, tracker.reading)
        corrected = None
        if self._correction is not None:
            corrected = self._correction.read(k, tracker.reading, tracker.first_phase)
        extra = own.extra
        if corrected is not None:
            now = reported(target, corrected)
            before = {"model_estimate": own.estimate, "model_low": own.ci_low, "model_high": own.ci_high}
            known = {name: value for name, value in before.items() if value is not None}
            extra = {**corrected.extra, **now.extra, **known}
        return QuantityState(
            target=target,
            estimate=now.estimate,
            ci_low=now.ci_low,
            ci_high=now.ci_high,
            met=now.met,
            fields_measured=self._measured,
            fields_lost=self._lost,
            estimator=now.estimator,
            extra=extra,
            covers="model" if corrected is None else "expert-corrected",
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
        if not self._unfinished:
            again = self._correction is not None  # with other values a tracker may bet for longer
            bounded = tuple(again or tracker.bets for tracker in self._trackers)
            sampled = self._sampler.sample(self._prepare(), self.xy_um, bounded)
            readings = [tracker.reading for tracker in self._trackers]
            left = share_left(self._goals, readings, self.observed, len(self._grid))
            self._open.append(opened(sampled, self._weight_left, left))
            self._draws += 1
        return self._hand_out(self._open[-1])

    def offer(self) -> Offer | None:
        """What the policy will be offered at the next draw, before it chooses; asking changes nothing.

        Returns:
            The candidates; None where the policy does not choose between slots, where fields of the last draw
            are still to be handed out, or where none remains.

        Raises:
            EstimationError: as :meth:`decide` does.
        """
        if self._unfinished or not len(self._left):
            return None
        return self._prepare().offer

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
            low, high = self._bounds
            check_values(values, low, high, step=decision.step, field=decision.field, names=self._names)
            self._predictor.update(decision.field, values)
            if self._extra is not None:
                self._extra.observe(decision.predicted, outcome.extra_s)
        self._pending.popleft()
        self._prepared = self._view = self._states = None
        self._note(outcome)
        self._take(self._open[0], values, outcome.variance)

    def _take(
        self, draw: OpenDraw, values: NDArray[np.float64] | None, variance: NDArray[np.float64] | None
    ) -> None:
        place = draw.observed
        predicted = [float(fixed.predicted[place]) for fixed in draw.sampled.draws]
        measured = [math.nan] * len(self._targets) if values is None else values.tolist()
        share = float(draw.sampled.actual[place]) / draw.sampled.together
        self._came_back.append(int(draw.fields[place]), share, *predicted, *measured)
        if values is None:
            self._lost += 1
        else:
            self._measured += 1
            draw.values[:, place] = values
            draw.measured[place] = True
            if variance is not None:
                draw.variance[:, place] = variance
                draw.noisy = True
        if self._correction is not None:
            drawn, chance = draw.sampled.draws[0], float(draw.sampled.actual[place])
            self._correction.visited(drawn.step - 1, float(drawn.weight[place]), chance, values)
        draw.observed += 1
        if draw.observed == len(draw.fields):
            self._closed.append(self._open.popleft())
            self._track(draw)

    def _new_trackers(self) -> tuple[QuantityTracker, ...]:
        return tuple(QuantityTracker(len(self._grid), target.goal, self._tier) for target in self._targets)

    def _track(self, draw: OpenDraw) -> None:
        rows = zip(self._trackers, draw.sampled.draws, draw.values, draw.variance, strict=True)
        for tracker, fixed, row, spread in rows:
            tracker.observe(fixed, row, draw.measured, spread if draw.noisy else None)
        self._met_by_model = all(tracker.reading.met for tracker in self._trackers)

    def remeasure(self, values: Sequence[NDArray[np.float64] | None], predictor: Predictor) -> None:
        """Takes up what another model measures on every field that came back.

        What was decided stays: the fields, propensities, predictions and weights of all draws are those that
        were fixed when they were made. What comes of them begins anew: intervals, and what the predictor
        learns for the draws to come.

        Args:
            values: ``targets`` each, in the order in which the fields came back; None where nothing could be
                measured.
            predictor: one that has learnt nothing yet.

        Raises:
            EstimationError: the values are of other fields than came back, or outside the bounds of their
                quantity. The survey is unchanged then.
        """
        before = np.array(self._came_back.rows)
        known = known_values(before, values, self._targets)
        self._came_back = with_values((*self._closed, *self._open), before, values)
        self._trackers, self._met_by_model = self._new_trackers(), False
        self._predictor = predictor
        for field, value in known:
            predictor.update(field, value)
        for draw in self._closed:
            self._track(draw)
        self._prepared = self._view = self._states = None
        self._predicted = None

    @property
    def _unfinished(self) -> bool:
        """Whether fields of the last draw are still to be handed out."""
        return bool(self._open) and self._open[-1].decided < len(self._open[-1].fields)

    def _unvisited(self) -> bool:
        return self._unfinished or len(self._left) > 0

    def view(self) -> SurveyView:
        """What the policy is shown at the next draw; the same until something is drawn or observed.

        Raises:
            EstimationError: the predictor returned something that would make the estimate wrong.
        """
        if self._view is None:
            prediction = self._predictor.predict()
            if self._predicted is None or prediction is not self._predicted.source:
                check_prediction(prediction, self._targets, len(self._grid), self._draws + 1)
                self._predicted = Predicted(prediction, self._extra)
            self._view = self._viewed(self._left, self._predicted)
        return self._view

    def _prepare(self) -> Prepared:
        """The next draw's proposal, and what is offered; the same until something is drawn or observed."""
        if self._prepared is None:
            view = self.view()
            proposal = self._policy.propose(view)
            self._prepared = self._sampler.prepare(self._draws + 1, self._left, view, proposal)
        return self._prepared

    def _note(self, outcome: Outcome) -> None:
        """Keeps how a field was taken; from a table there is nothing to keep."""
        if outcome.sharpness is None and outcome.focus_age_s is None and not self._extra_s + outcome.extra_s:
            return
        self._extra_s += outcome.extra_s
        now, came_back = self._conditions, self.observed + 1
        self._conditions = Conditions(
            now.sharpness if outcome.sharpness is None else outcome.sharpness,
            now.focus_age_s if outcome.focus_age_s is None else outcome.focus_age_s,
            self._extra_s / came_back,
        )

    def _viewed(self, left: Left, predicted: Predicted) -> SurveyView:
        readings = [tracker.reading for tracker in self._trackers]
        seconds: Seconds = partial(self._way.seconds, self.xy_um)
        if self._extra is not None:
            seconds = partial(with_features, seconds, self._extra.feature_s, predicted.features)
        now = {
            "grid": self._grid, "prediction": predicted.shown, "drawn": self._draws,
            "targets": self._targets, "exploration": self._exploration, "prices": self._prices,
            "conditions": self._conditions, "tier": self._tier, "kept": predicted.kept,
        }  # fmt: skip
        standing = Standing(self._goals, readings, self._came_back, len(self._came_back), left)
        return shown(now, standing, seconds)

    def _hand_out(self, draw: OpenDraw) -> Decision:
        place = draw.decided
        field = int(draw.fields[place])
        predicted = np.array([fixed.predicted[place] for fixed in draw.sampled.draws])
        visit_s = self._way.visit(field)
        extra_s = 0.0 if self._extra is None else float(self._extra.seconds(predicted))
        draw.decided += 1
        self._steps += 1
        self._left = self._left.without(field)
        self._weight_left -= float(self._grid.weight[field])
        self._sampler.drawn(field)
        self._prepared = self._view = None
        decision = Decision(
            step=self._steps,
            draw=draw.sampled.draws[0].step,
            field=field,
            propensity=float(draw.sampled.logged[place]),
            candidates=draw.sampled.candidates,
            predicted=predicted,
            predicted_cost_s=visit_s + extra_s,
            reason=draw.sampled.reason,
            last_of_draw=draw.decided == len(draw.fields),
            visit_s=visit_s,
            refocus=draw.sampled.refocus and draw.decided == 1,
            eds_price=draw.sampled.eds_price,
            draw_weight=draw.draw_weight(place),
            error_weight=draw.error_weight(place),
        )
        self._pending.append(decision)
        return decision
