"""Active sampling: more often where a measurement takes away more variance for the time that it costs."""

from __future__ import annotations

import numpy as np

from autoscope.core import ConfigurationError
from autoscope.survey import Design, Proposal, SurveyView, proposal_of
from autoscope.survey.allocation import best_shape, reckoned_spread
from autoscope.survey.design import PILOT_FIELDS
from autoscope.survey.rule import fields_at_once
from autoscope_policies.fingerprint import fingerprint


class Active:
    """Neyman allocation with cost: q proportional to a_i s_i / sqrt(c_i).

    a is the area weight, s the residual spread that is expected, c the seconds of travel and acquisition
    from here. After a uniform pilot the session's own residuals decide how far the predicted spread is to
    be followed (:mod:`autoscope.survey.allocation`), so that a predictor that knows nothing costs little.
    Several targets are joined by the root of the sum of their squares, each in units of its wanted
    half-width; one that is met counts no more.

    Where the stage is slow, several fields are drawn at once, systematically along a Hilbert curve: they are
    spread over the region, and visited on a short tour (:mod:`autoscope.survey.rule`).

    Sources: Neyman, J. R. Stat. Soc. 97 (1934) 558; Cochran, Sampling Techniques (1977), section 5.5 (cost);
    Grafström, Lundström, Schelin, Biometrics 68 (2012) 514 (spread samples).

    Args:
        batch: fields in a draw; None: as many as the rule reckons with the instrument's costs.
        pilot: fields before the spread is believed.

    Raises:
        ConfigurationError: ``batch`` is below 1, or ``pilot`` negative.
    """

    name = "active"
    floored = True

    def __init__(self, batch: int | None = None, pilot: int = PILOT_FIELDS) -> None:
        if batch is not None and batch < 1:
            raise ConfigurationError(f"policy.options.batch = {batch} must be 1 or more")
        if pilot < 0:
            raise ConfigurationError(f"policy.options.pilot = {pilot} must be 0 or more")
        self._batch, self._pilot = batch, pilot
        self.sha256 = fingerprint(self.name, {"batch": batch or "reckoned", "pilot": pilot})

    def propose(self, view: SurveyView) -> Proposal:
        """Uniform during the pilot, then proportional to a s / sqrt(c)."""
        if self._batch is not None:
            return proposal_of(Design(batch=self._batch), view, self._pilot)
        batch, why = fields_at_once(view)
        return proposal_of(Design(batch=batch), view, self._pilot, why)


class Greedy:
    """Value of information per second: q proportional to (a_i s_i)² / c_i, or a power of it.

    The variance that measuring one field takes away, for each second that it costs, taken as the chance of
    going there. It looks one field ahead and follows differences between fields, and nearness, twice as
    hard as :class:`Active` does, which is the optimum for the mean of many draws; with a large
    ``sharpness`` it nearly always goes to the best field, and pays for it in the variance of all others.

    Args:
        sharpness: power of the value per second, positive.
        pilot: fields before the spread is believed.

    Raises:
        ConfigurationError: ``sharpness`` is not positive, or ``pilot`` negative.
    """

    name = "greedy"
    floored = True

    def __init__(self, sharpness: float = 1.0, pilot: int = PILOT_FIELDS) -> None:
        if not 0 < sharpness < np.inf:
            raise ConfigurationError(f"policy.options.sharpness = {sharpness:g} must be positive")
        if pilot < 0:
            raise ConfigurationError(f"policy.options.pilot = {pilot} must be 0 or more")
        self._sharpness, self._pilot = sharpness, pilot
        self.sha256 = fingerprint(self.name, {"sharpness": sharpness, "pilot": pilot})

    def propose(self, view: SurveyView) -> Proposal:
        """Uniform during the pilot, then proportional to a power of (a s)² / c."""
        remaining = view.remaining
        if len(view.past) < self._pilot:
            count = len(remaining)
            reason = f"pilot: one of {count} remaining fields, all equally likely"
            return Proposal(np.full(count, 1 / count), reason)
        choice = best_shape(view, self._pilot)
        value = (view.grid.weight[remaining] * choice.shape.size[remaining]) ** 2 / view.cost_s
        worth = (value / value.max()) ** self._sharpness
        reason = f"value of information per second; residual spread as: {choice.shape.name}"
        return Proposal(worth / worth.sum(), reason, spread=reckoned_spread(view, choice))
