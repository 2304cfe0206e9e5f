"""What the survey consumes: policies, predictors of fields, and sources of measurements."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Prediction
from autoscope.estimation import FirstPhase, Goal, Reading
from autoscope.survey.conditions import Conditions, Prices
from autoscope.survey.grid import FieldGrid


@dataclass(frozen=True, slots=True)
class Target:
    """A quantity and how well it must be known.

    Attributes:
        quantity: ``"area_fraction"`` and the like.
        class_name: the class it is about.
        half_width: wanted half-width of the interval, absolute, or None.
        relative: wanted half-width relative to the estimate, or None. One of the two is given.
        confidence: coverage of the interval.
        low: lowest possible value of the quantity on one field.
        high: highest possible value on one field.
        guess: what a field may well have before anything was measured; None: the middle of the bounds.
        scatter: by how much fields may well differ from it; None: a quarter of the bounds' distance.
        reciprocal: whether one over the mean over the fields is what is reported, as the mean lineal
            intercept is one over the boundaries met for each micrometre. Fields, bounds, predictions and
            all that policies see are in the unit of the mean.
        one_feature: value of a field that holds one feature, where the quantity counts; 0 where not.
        measured: lowest and highest result of measuring one field, where that is an unbiased estimate which
            may lie outside of what is possible; None: the bounds.
    """

    quantity: str
    class_name: str
    half_width: float | None
    relative: float | None
    confidence: float
    low: float = 0.0
    high: float = 1.0
    guess: float | None = None
    scatter: float | None = None
    reciprocal: bool = False
    one_feature: float = 0.0
    measured: tuple[float, float] | None = None

    @property
    def measured_bounds(self) -> tuple[float, float]:
        """Lowest and highest result of measuring one field."""
        return (self.low, self.high) if self.measured is None else self.measured

    @property
    def goal(self) -> Goal:
        """What its tracker is asked."""
        return Goal(
            self.low, self.high, self.confidence, self.half_width, self.relative, self.reciprocal,
            self.one_feature,
        )  # fmt: skip

    def sampled(self, least_probability: float) -> Target:
        """The same target where values are estimates from spectra on a sample, each by this chance or more.

        They may lie outside of what is possible by as much as one over that chance.
        """
        span, factor = self.high - self.low, 1 / least_probability
        return replace(self, measured=(self.low - factor * span, self.high + factor * span))

    def reported(self, mean: float) -> float:
        """What is reported when the mean over the fields is this."""
        if not self.reciprocal:
            return mean
        return 1 / mean if mean > 0 else math.inf


@dataclass(frozen=True, slots=True)
class Past:
    """The ``m`` fields that came back so far, in the order of their visits; never the frame in flight.

    Attributes:
        fields: ``m`` indices.
        propensity: ``m``, probability of each at its draw, given the past of the draw, over the fields that
            the draw was to have: of a field that was drawn with others, its chance at one visit.
        predicted: ``targets x m``, predictions that were fixed at the draw.
        measured: ``targets x m``; NaN where the field could not be measured.
    """

    fields: NDArray[np.intp]
    propensity: NDArray[np.float64]
    predicted: NDArray[np.float64]
    measured: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.fields)


def no_past(n_targets: int = 1) -> Past:
    """What has come back before the first field."""
    none = np.empty((n_targets, 0))
    return Past(np.empty(0, np.intp), np.empty(0), none, none)


@dataclass(frozen=True, slots=True)
class SurveyView:
    """All that a policy may know when it chooses: never the frame in flight.

    Attributes:
        grid: the population.
        remaining: ``r`` indices of fields that were not drawn yet, ascending.
        prediction: of every field.
        cost_s: ``r``, predicted seconds to travel to and image each remaining field from here.
        drawn: how many draws have been made.
        targets: what is asked.
        half_width: ``targets``, present half-widths; infinity before there is an interval.
        wanted: ``targets``, absolute half-widths that are wanted at the present estimates; NaN or 0 where a
            relative one cannot be told yet. Empty: not said.
        exploration: share of the draw that the survey will make uniform.
        past: what came back.
        prices: what the instrument's actions take.
        conditions: how the last field was taken.
        tier: of the intervals.
        kept: what was worked out from grid, targets, prices and prediction alone, by name: the
            same from view to view, and empty again when the prediction is another one.
    """

    grid: FieldGrid
    remaining: NDArray[np.intp]
    prediction: Prediction
    cost_s: NDArray[np.float64]
    drawn: int
    targets: tuple[Target, ...]
    half_width: NDArray[np.float64]
    wanted: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    exploration: float = 0.0
    past: Past = field(default_factory=no_past)
    prices: Prices = field(default_factory=Prices)
    conditions: Conditions = field(default_factory=Conditions)
    tier: str = "standard"
    kept: dict[str, Any] = field(default_factory=dict, compare=False)

    def seconds_to(self, fields: NDArray[np.intp]) -> NDArray[np.float64]:
        """``cost_s`` of some of the remaining fields alone."""
        return self.cost_s[self.remaining.searchsorted(fields)]


@dataclass(frozen=True, slots=True)
class Batch:
    """Several fields in one draw, systematically along a path: each with its own inclusion probability.

    A random start and equal steps along the cumulated inclusion probabilities give each field exactly its
    probability and spread the fields over the path (Madow, Ann. Math. Stat. 20 (1949) 333).

    Attributes:
        size: how many fields, in expectation and to within one.
        order: ``r``, positions in the proposal's ``probability`` in the order of the path.
    """

    size: int
    order: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Offer:
    """Candidates of a draw, of which one is to be chosen.

    Attributes:
        fields: ``k`` indices, all different.
        inclusion: ``k``, probability with which each was to be offered.
        predicted: ``targets x k``, what is predicted there.
        spread: ``targets x k``, residual spread that is expected.
        cost_s: ``k``, predicted seconds to travel to and image each.
    """

    fields: NDArray[np.intp]
    inclusion: NDArray[np.float64]
    predicted: NDArray[np.float64]
    spread: NDArray[np.float64]
    cost_s: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.fields)


@dataclass(frozen=True, slots=True)
class Slots:
    """A draw in two phases: some fields are offered, one of them is chosen.

    The fields are drawn from the proposal's ``probability``, after the floor, systematically along a path
    (:class:`Batch`); the choice between them is floored too. The propensity is the product of the two.

    Attributes:
        number: how many fields are offered; all, where fewer remain.
        order: ``r``, positions in the proposal's ``probability`` in the order of the path; None: as is.
        weigh: gives each field of an offer its probability; they sum to 1. Depends on the offer and on what
            the policy was shown with the view alone.
        even: whether each remaining field is to be offered with the same chance. The proposal's
            ``probability`` is not looked at then, and the draw needs no pass over the fields.
    """

    number: int
    order: NDArray[np.intp] | None
    weigh: Callable[[Offer], NDArray[np.float64]]
    even: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """A distribution over candidates, before the exploration floor.

    Attributes:
        probability: one for each candidate; sums to 1.
        reason: one sentence for the report.
        groups: None where each remaining field is a candidate by itself; otherwise one array of field
            indices for each candidate, in visiting order: a batch that is drawn as a whole. The groups
            are disjoint and cover the remaining fields.
        inclusion: where the design has one inclusion probability for every field whatever was drawn before
            (replicated systematic grids: 1/step²), that number; it is what is logged as the propensity.
            The estimator always uses the probability given the past.
        batch: where the next draw is a batch, how; each field's inclusion probability is then the batch's
            size times ``probability`` after the floor, at most 1. Not with ``groups``.
        slots: where one field is chosen among a few that are drawn from ``probability``, how. Not with
            ``groups`` or ``batch``.
        spread: ``targets x r``, the residual spread that the proposal reckons with, positive; None: the
            predictor's. The predicted variance of the draw, and so its weight in the estimate, comes from it.
        refocus: whether the instrument is to focus before the first field of the draw, due or not.
        eds_price: what a second of spectra counts against one of visits, where spectra are taken.
    """

    probability: NDArray[np.float64]
    reason: str
    groups: tuple[NDArray[np.intp], ...] | None = None
    inclusion: float | None = None
    batch: Batch | None = None
    slots: Slots | None = None
    spread: NDArray[np.float64] | None = None
    refocus: bool = False
    eds_price: float = 1.0


class Policy(Protocol):
    """Chooses fields by proposing a distribution over them; the survey floors it, draws and logs."""

    @property
    def name(self) -> str:
        """``"uniform"`` and the like, as the configuration calls it."""

    @property
    def sha256(self) -> str:
        """Hash of the policy's kind, parameters and weights."""

    @property
    def floored(self) -> bool:
        """Whether the exploration floor applies (raster and systematic designs have none)."""

    def propose(self, view: SurveyView) -> Proposal:
        """Returns a distribution; depends on ``view`` alone."""


class Predictor(Protocol):
    """Predicts the value of every field, from the overview and from the fields measured so far."""

    def predict(self) -> Prediction:
        """The present prediction of every field."""

    def update(self, field: int, value: NDArray[np.float64]) -> None:
        """Learns the measured values, ``targets``, of one field."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One choice: the next field to visit.

    Attributes:
        step: number of the field visit, counted from 1.
        draw: number of the draw it belongs to, counted from 1 (a batch is one draw).
        field: index into the grid.
        propensity: probability with which the field was drawn, after the floor, given the past; for a
            design that states one (``Proposal.inclusion``), its inclusion probability.
        candidates: how many candidates the distribution had.
        predicted: ``targets``, f_t of this field, fixed at the draw.
        predicted_cost_s: travel and acquisition.
        reason: one sentence.
        last_of_draw: whether this field ends its draw.
        visit_s: travel and frame alone.
        refocus: whether the instrument is to focus before the frame, due or not.
        eds_price: what a second of spectra on the field counts against one of visits.
        draw_weight: by how much the field's departure from its prediction moves its draw's pseudo-value,
            in units of a uniform draw of as many fields.
        error_weight: by how much an error of the field's value will move the estimate at the end, as far as
            that can be foretold, likewise.
    """

    step: int
    draw: int
    field: int
    propensity: float
    candidates: int
    predicted: NDArray[np.float64]
    predicted_cost_s: float
    reason: str
    last_of_draw: bool
    visit_s: float = 0.0
    refocus: bool = False
    eds_price: float = 1.0
    draw_weight: float = 1.0
    error_weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of visiting a field.

    Attributes:
        value: ``targets``, measured values; None where the field could not be measured. Such a field
            stays in the population at its worst case.
        note: why it could not be measured, or anything else worth recording.
        variance: ``targets``, of values that are unbiased estimates of what the field holds; None: exact.
        extra_s: seconds that the field took beyond travel and frame, such as for spectra.
        sharpness: of the last frames over that of the first ones after focusing; None: not known.
        focus_age_s: how old the focus was; None: not known.
    """

    value: NDArray[np.float64] | None
    note: str = ""
    variance: NDArray[np.float64] | None = None
    extra_s: float = 0.0
    sharpness: float | None = None
    focus_age_s: float | None = None


@dataclass(frozen=True, slots=True)
class QuantityState:
    """Where one target stands.

    Attributes:
        target: what was asked.
        estimate: the estimate; NaN before the first observation.
        ci_low: lower end of the interval that would be reported now, None where none is defensible.
        ci_high: upper end, likewise.
        met: whether the target is reached under the tier's rule.
        fields_measured: fields that were measured.
        fields_lost: fields that were drawn and could not be measured; they count at their worst case.
        estimator: name of the estimator.
        extra: further named numbers for the report.
        covers: ``"model"``: the interval is about what the model would find everywhere;
            ``"expert-corrected"``: about what experts would.
    """

    target: Target
    estimate: float
    ci_low: float | None
    ci_high: float | None
    met: bool
    fields_measured: int
    fields_lost: int
    estimator: str
    extra: Mapping[str, float] = field(default_factory=dict)
    covers: Literal["model", "expert-corrected"] = "model"


class Correction(Protocol):
    """Turns what the model measured into what experts would have measured, once enough of them answered."""

    def visited(self, draw: int, weight: float, propensity: float, value: NDArray[np.float64] | None) -> None:
        """Told of each field that came back, in order: its draw (from 0), weight, chance and values."""

    def read(self, target: int, reading: Reading, first: FirstPhase | None) -> Reading | None:
        """The corrected reading of a target; None while the model's own is all that is defensible."""


class FieldSource(Protocol):
    """Where measurements come from: a microscope with its perception, or a table of measurements.

    The survey calls ``travel(b)``, ``collect(a)``, ``acquire(b)`` in this order for consecutive
    decisions a and b: the frame of a is turned into values while the stage travels to b.
    """

    def travel(self, decision: Decision) -> None:
        """Sends the stage to a field and returns at once."""

    def collect(self, decision: Decision) -> Outcome:
        """Turns the frame that was acquired for this decision into values."""

    def acquire(self, decision: Decision) -> None:
        """Waits for the stage and takes the field's frame."""
