"""One quantity followed through a survey: pseudo-values in, estimate, interval and verdict out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, EstimationError, nearest
from autoscope.estimation.betting import BettingInterval
from autoscope.estimation.counts import zero_count_bound
from autoscope.estimation.difference import Combined, combine, draw_weight, pseudo_value
from autoscope.estimation.goal import Goal
from autoscope.estimation.growing import GrowingTable
from autoscope.estimation.intervals import (
    STOPPING_ALLOWANCE,
    normal_half_width,
    sequence_half_width,
    t_half_width,
)
from autoscope.estimation.sampled_values import SampledValues
from autoscope.estimation.two_phase import FirstPhase

TIERS = ("standard", "anytime", "guaranteed")
MINIMUM_FIELDS = 50
"""Fields that the standard tier wants before it trusts its t interval (METHODS section 2)."""
MINIMUM_INFORMATIVE = 10
"""How many of them must differ from their prediction, and from the commonest value measured: where all but
a few fields of a rare phase are empty, the spread that was seen says little about the spread there is."""
MINIMUM_DRAWS = 10
"""Independent draws that a t interval wants where a draw is a whole grid."""
PRIOR_DRAWS = 5.0
"""Draws' worth of trust in the predicted variance before the session has shown its own."""

_Z, _Z_LOW, _Z_HIGH, _WEIGHT, _VARIANCE = range(5)


class Draw(NamedTuple):
    """All that is fixed when a draw of ``k`` fields is made, for one quantity.

    Attributes:
        step: number of the draw, counted from 1.
        fields: ``k`` indices.
        weight: ``k``, a_i.
        predicted: ``k``, f_t of these fields.
        propensity: probability of this draw given the past; ``k`` where each field of a batch has its own.
        predicted_rest: sum of a f_t over all fields that remained, these included.
        remaining: units that remained: fields, or groups that are drawn as a whole.
        down: largest sum of a (f - low) / q over the units: how far the last term can fall.
        up: largest sum of a (high - f) / q over the units: how far it can rise.
        variance: predicted variance of the pseudo-value, from the past only, positive.
        covering: whether every remaining field could have been drawn. Where not, no interval is
            defensible before the census is complete.
        fairness: least chance that any part of the specimen had to be in this draw, over that of a uniform
            one.
    """

    step: int
    fields: NDArray[np.intp]
    weight: NDArray[np.float64]
    predicted: NDArray[np.float64]
    propensity: float | NDArray[np.float64]
    predicted_rest: float
    remaining: int
    down: float
    up: float
    variance: float
    covering: bool = True
    fairness: float = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a quantity stands.

    Attributes:
        estimate: the estimate; NaN before the first complete draw.
        ci_low: lower end, None where no interval is defensible.
        ci_high: upper end, likewise.
        met: whether the goal is reached under the tier's rule.
        estimator: what was computed, in words.
        extra: further named numbers.
    """

    estimate: float
    ci_low: float | None
    ci_high: float | None
    met: bool
    estimator: str
    extra: Mapping[str, float] = field(default_factory=dict)

    @property
    def half_width(self) -> float:
        """Half of the interval; infinite without one."""
        if self.ci_low is None or self.ci_high is None:
            return math.inf
        return (self.ci_high - self.ci_low) / 2

    @property
    def large_sample_half_width(self) -> float | None:
        """Half-width that a central limit theorem gives, whether it may be trusted already or not."""
        if self.ci_low is None or self.ci_high is None:
            return None
        return self.extra.get("large_sample_half_width", self.half_width)


class QuantityTracker:
    """Follows one quantity; draws come in the order in which they were made, each once.

    Until a central limit theorem may be trusted (``MINIMUM_FIELDS`` and its companions), the standard and
    the anytime tier show the hedged betting interval, which is right however few fields there are.
    Draws are weighted by their predicted variance, fixed beforehand (``draw_weight``).

    A field that could not be measured stays in the population: it stands at its lowest possible value
    in the lower end of every interval from then on, and at its highest in the upper end.

    Where a count has found nothing yet, the standard and the anytime tier show 0 and the bound of the rule
    of three, on as many fields as a uniform design would have needed to give every place as much chance.
    It assumes features that fall independently, may be watched at will (what it excludes it keeps excluded
    while nothing is found), and says nothing on clusters.

    Args:
        n_fields: fields in the population.
        goal: what is asked.
        tier: ``"standard"``, ``"anytime"`` or ``"guaranteed"`` (METHODS section 2).

    Raises:
        ConfigurationError: the tier is unknown.
    """

    def __init__(self, n_fields: int, goal: Goal, tier: str = "standard") -> None:
        if tier not in TIERS:
            raise ConfigurationError(
                f"statistics.tier = {tier!r} is unknown{nearest(tier, TIERS)};"
                f" it is one of {', '.join(TIERS)}"
            )
        self._goal, self._tier, self._n_fields = goal, tier, n_fields
        self._rows = GrowingTable(5)
        self._betting = BettingInterval(goal.low, goal.high, goal.confidence)
        self._done = self._low = self._high = 0.0  # sums of a y: lost fields at f, lowest, highest
        self._weight_done = 0.0
        self._fields_done = self._surprising = self._draws = 0
        self._seen: dict[float, int] = {}  # how often each value was measured
        self._sampled = SampledValues()
        self._commonest = self._measured = 0  # how often the commonest value was measured; fields measured
        self._complete = True  # no field was lost: pseudo-values are known, not only their bounds
        self._covering = True
        self._mature = False  # whether a central limit theorem may be trusted; once true, it stays true
        self._exposure = 0.0  # fields' worth of a uniform design
        self._aim = math.nan  # half-width that the confidence sequence is tuned to, fixed early
        self._reading = Reading(math.nan, None, None, False, self._name("no draw complete yet"))

    @property
    def reading(self) -> Reading:
        """Where the quantity stands after the last complete draw."""
        return self._reading

    @property
    def first_phase(self) -> FirstPhase | None:
        """What answers of experts can be added to; None before a central limit theorem may be trusted.

        Only the standard tier has one: the promises of the others hold without such a theorem.
        """
        if self._tier != "standard" or not self._covering or not len(self._rows):
            return None
        rows = self._rows.rows
        if self._fields_done == self._n_fields:
            census = np.full(len(rows), self._done)
            below, above = self._done - self._low, self._high - self._done
            return FirstPhase(census, rows[:, _WEIGHT], below, above)
        if not self._mature:
            return None
        low, middle, high = (
            combine(rows[:, column], rows[:, _WEIGHT]).estimate for column in (_Z_LOW, _Z, _Z_HIGH)
        )
        return FirstPhase(rows[:, _Z], rows[:, _WEIGHT], middle - low, high - middle)

    def observe(
        self,
        draw: Draw,
        values: NDArray[np.float64],
        measured: NDArray[np.bool_],
        variance: NDArray[np.float64] | None = None,
    ) -> None:
        """Takes in a complete draw.

        Args:
            draw: what was fixed when it was made.
            values: ``k`` measured values; ignored where ``measured`` is False.
            measured: ``k``, False for a field that was drawn and could not be measured.
            variance: ``k``, of values that are unbiased estimates themselves; None: they are exact.

        Raises:
            EstimationError: the draw is out of order, or its propensity is not in (0, 1].
        """
        if draw.step != self._draws + 1:
            raise EstimationError(
                f"draw {draw.step} was observed after draw {self._draws};"
                " draws are observed in order, each once",
                step=draw.step,
                field=int(draw.fields[0]),
            )
        whole = all(measured.tolist())
        self._complete = self._complete and whole
        y = y_low = y_high = values
        if not whole:
            y = np.where(measured, values, draw.predicted)
            y_low = np.where(measured, values, self._goal.low)
            y_high = np.where(measured, values, self._goal.high)
        self._covering = self._covering and draw.covering
        taken = self._covering and draw.remaining > 1
        if taken:
            self._take_pseudo_values(draw, y, y_low, y_high)
        if variance is not None and variance.any():
            counted, known = len(self._rows), np.where(measured, variance, 0.0)
            self._sampled.observe(counted, taken, draw.weight, draw.propensity, known)
        done = float(draw.weight @ y)
        self._done += done
        self._low += done if whole else float(draw.weight @ y_low)
        self._high += done if whole else float(draw.weight @ y_high)
        self._weight_done += sum(draw.weight.tolist())
        self._fields_done += len(y)
        found = (draw.predicted, values) if whole else (draw.predicted[measured], values[measured])
        for predicted, value in zip(found[0].tolist(), found[1].tolist(), strict=True):
            self._surprising += value != predicted
            self._seen[value] = times = self._seen.get(value, 0) + 1
            self._commonest = max(self._commonest, times)
        self._measured += len(found[1])
        self._exposure += min(draw.fairness, 1.0) * len(found[1])
        self._draws += 1
        self._mature = self._mature or self._enough
        self._reading = self._read()

    def _take_pseudo_values(
        self, draw: Draw, y: NDArray[np.float64], y_low: NDArray[np.float64], y_high: NDArray[np.float64]
    ) -> None:
        rest, a, f, pi = draw.predicted_rest, draw.weight, draw.predicted, draw.propensity
        z = pseudo_value(self._done, rest, a, y, f, pi)
        z_low = z_high = z
        if not self._complete:
            z_low = pseudo_value(self._low, rest, a, y_low, f, pi)
            z_high = pseudo_value(self._high, rest, a, y_high, f, pi)
        bets = self.bets
        variance = draw.variance
        if bets or self._tier == "anytime":
            variance *= self._scale
        if bets:
            wanted = self._goal.wanted(self._reading.estimate)
            bet = wanted / variance if wanted > 0 else 1 / (self._goal.high - self._goal.low)
            self._betting.update(
                z_low, z_high, self._low + rest - draw.down, self._high + rest + draw.up, bet
            )
        believed = variance if self._tier == "anytime" else draw.variance
        weight = draw_weight(draw.remaining, believed)
        self._rows.append(z, z_low, z_high, weight, draw.variance)
        if len(self._rows) <= MINIMUM_DRAWS:
            self._aim = self._goal.wanted(self._mean)

    @property
    def _mean(self) -> float:
        rows = self._rows.rows
        return float(rows[:, _WEIGHT] @ rows[:, _Z] / rows[:, _WEIGHT].sum())

    @property
    def _scale(self) -> float:
        """Measured over predicted variance, from past draws."""
        if not len(self._rows):
            return 1.0
        rows = self._rows.rows
        surprise = ((rows[:, _Z] - self._mean) ** 2 / rows[:, _VARIANCE]).sum()
        return float((PRIOR_DRAWS + surprise) / (PRIOR_DRAWS + len(rows)))

    @property
    def bets(self) -> bool:
        """Whether the interval is the betting one, which wants bounds of every pseudo-value."""
        return self._tier == "guaranteed" or not self._mature

    @property
    def _informative(self) -> int:
        return min(self._surprising, self._measured - self._commonest)

    @property
    def _enough(self) -> bool:
        """Whether what was seen is enough for a central limit theorem."""
        return (
            self._fields_done >= MINIMUM_FIELDS
            and self._informative >= MINIMUM_INFORMATIVE
            and len(self._rows) >= MINIMUM_DRAWS
        )

    def _read(self) -> Reading:
        if self._fields_done == self._n_fields:
            if self._sampled.noisy:
                return self._census_of_samples()
            met = self._goal.reached(self._done, self._low, self._high)
            name = "census" if self._low == self._high else "census, unmeasured fields at their worst case"
            return Reading(self._done, self._low, self._high, met, name, {})
        if not self._covering:
            mean = self._done / self._weight_done
            return Reading(
                mean, None, None, False, "mean of an unfinished raster, not representative, no interval", {}
            )
        low, middle, high = self._combined()
        if self._tier != "guaranteed" and self._found_none:
            return self._nothing_found()
        if self.bets:
            return self._betting_reading(middle)
        return self._central_limit_reading(low, middle, high)

    def _census_of_samples(self) -> Reading:
        """Every field was visited, and only some features of each were looked at closely."""
        half = normal_half_width(self._sampled.census_variance, self._goal.confidence)
        low, high = self._feasible(self._low - half, self._high + half)
        estimate = min(max(self._done, low), high)
        met = self._goal.reached(self._done, self._low - half, self._high + half)
        return Reading(estimate, low, high, met, "census of the fields, normal interval of the spectra drawn")

    def _combined(self) -> tuple[Combined, Combined, Combined]:
        """The average with fields that were lost at their lowest, as predicted, and at their highest."""
        rows = self._rows.rows
        middle = combine(rows[:, _Z], rows[:, _WEIGHT])
        if self._complete:
            return middle, middle, middle
        low, high = (combine(rows[:, column], rows[:, _WEIGHT]) for column in (_Z_LOW, _Z_HIGH))
        return low, middle, high

    @property
    def _found_none(self) -> bool:
        return self._goal.one_feature > 0 and self._exposure > 0 and self._seen.keys() <= {0.0}

    def _nothing_found(self) -> Reading:
        bound = zero_count_bound(self._exposure, self._goal.confidence) * self._goal.one_feature
        low, high = self._feasible(0.0, bound + self._high - self._low)
        met = self._fields_done >= MINIMUM_FIELDS and self._goal.reached(0.0, low, high)
        return Reading(0.0, low, high, met, "none found: rule of three, features taken as independent")

    def _betting_reading(self, middle: Combined) -> Reading:
        low, high = self._feasible(self._betting.low, self._betting.high)
        if low > high:  # the interval has failed (probability below alpha): say only what is certain
            low, high = self._feasible(-math.inf, math.inf)
        estimate = min(max(middle.estimate, low), high)
        met = self._goal.reached(estimate, low, high)
        what, numbers = "hedged betting interval", _numbers(middle, estimate)
        if self._tier != "guaranteed":
            large_sample = t_half_width(middle, self._goal.confidence)
            if math.isfinite(large_sample):
                numbers["large_sample_half_width"] = large_sample
            what += f" until {MINIMUM_FIELDS} fields, {MINIMUM_INFORMATIVE} of them unlike their prediction"
        return Reading(estimate, low, high, met, self._name(what), numbers)

    def _central_limit_reading(self, low: Combined, middle: Combined, high: Combined) -> Reading:
        combined = middle
        if not self._complete or self._sampled.noisy:
            error = self._standard_error(low.estimate, high.estimate)
            combined = Combined(middle.estimate, error, middle.effective_draws)
        if self._tier == "standard":
            half = t_half_width(combined, self._goal.confidence)
            what = f"t interval x {STOPPING_ALLOWANCE:g}"
        else:
            total = float(self._rows.rows[:, _WEIGHT].sum())
            half = sequence_half_width(combined, total, self._goal.confidence, self._aim)
            what = "asymptotic confidence sequence"
        half_low, half_high = middle.estimate - low.estimate + half, high.estimate - middle.estimate + half
        least, most = self._feasible(-math.inf, math.inf)
        estimate = min(max(middle.estimate, least), most)
        ends = max(estimate - half_low, least), min(estimate + half_high, most)
        met = self._goal.reached(estimate, estimate - half_low, estimate + half_high)
        return Reading(estimate, *ends, met, self._name(what), _numbers(combined, estimate))

    def _standard_error(self, estimate_low: float, estimate_high: float) -> float:
        """SE at the values of the unmeasured fields that make it largest (an upper bound of it)."""
        rows = self._rows.rows
        away = np.maximum(np.abs(rows[:, _Z_HIGH] - estimate_low), np.abs(rows[:, _Z_LOW] - estimate_high))
        seen = combine(rows[:, _Z], rows[:, _WEIGHT], deviations=away).standard_error
        return math.sqrt(seen**2 + self._sampled.unseen_variance(rows[:, _WEIGHT]))

    def _feasible(self, low: float, high: float) -> tuple[float, float]:
        """Cuts an interval to what the fields that are known leave possible, whatever the rest holds."""
        if self._sampled.noisy:  # none is known for certain
            return max(low, self._goal.low), min(high, self._goal.high)
        rest = max(1.0 - self._weight_done, 0.0)
        return max(low, self._low + self._goal.low * rest), min(high, self._high + self._goal.high * rest)

    def _name(self, interval: str) -> str:
        return f"difference estimator, {interval}"


def _numbers(combined: Combined, estimate: float) -> dict[str, float]:
    numbers = {"standard_error": combined.standard_error, "effective_draws": combined.effective_draws}
    if combined.estimate != estimate:
        numbers["estimate_before_bounds"] = combined.estimate
    return numbers
