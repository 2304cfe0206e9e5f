"""The design of a draw: the parameters that a controller sets, while chance picks the fields.

A rule, an agent in training and a trained network all control the same thing, a `Design`, so that the
propensity of every field stays exact and the interval honest whatever is decided (METHODS section 4).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError
from autoscope.survey.allocation import best_shape, reckoned_spread
from autoscope.survey.protocols import Batch, Proposal, SurveyView

PILOT_FIELDS = 30
"""Fields drawn uniformly before anything is believed (METHODS section 2)."""

DESIGN_OPTIONS: Mapping[str, tuple[float, ...]] = {
    "travel_exponent": (0.0, 0.5, 1.0, 1.5),
    "batch": (1, 4, 8),
    "urgency": (0.0, 2.0),
    "eds_price": (0.1, 0.3, 1.0, 3.0),
    "refocus": (0, 1),
}
"""What can be chosen of each parameter, in the order of an action; see `Design`."""


@dataclass(frozen=True, slots=True)
class Design:
    """How the next draw is made. The defaults are the rule's.

    Attributes:
        travel_exponent: power of the seconds that a field costs; one half is the optimum for a draw that is
            not followed by another (Cochran, Sampling Techniques, 1977, section 5.5).
        batch: fields in the draw; they are visited on a short tour.
        urgency: how much more a target counts that is further from done; 0: all that are not met alike.
        eds_price: what a second of spectra counts against one of visits; 1: as much.
        refocus: whether to focus before the draw's first field, due or not.
    """

    travel_exponent: float = 0.5
    batch: int = 1
    urgency: float = 2.0
    eds_price: float = 1.0
    refocus: bool = False

    @classmethod
    def of(cls, action: Sequence[int] | NDArray[np.integer]) -> Design:
        """The design of an action: for each parameter, which of its options.

        Raises:
            ConfigurationError: the action has another number of parameters, or an option that is not there.
        """
        if len(action) != len(DESIGN_OPTIONS):
            raise ConfigurationError(f"an action has {len(DESIGN_OPTIONS)} numbers, not {len(action)}")
        chosen = []
        for (name, options), index in zip(DESIGN_OPTIONS.items(), action, strict=True):
            if not 0 <= index < len(options):
                raise ConfigurationError(f"{name}: option {index} is not one of 0 to {len(options) - 1}")
            chosen.append(options[int(index)])
        travel, batch, urgency, price, refocus = chosen
        return cls(float(travel), int(batch), float(urgency), float(price), bool(refocus))

    @property
    def action(self) -> NDArray[np.int64]:
        """The action that stands for this design.

        Raises:
            ConfigurationError: a parameter has a value that is not one of its options.
        """
        found = []
        for name, options in DESIGN_OPTIONS.items():
            value = getattr(self, name)
            if value not in options:
                raise ConfigurationError(f"{name} = {value:g} is not one of {options}")
            found.append(options.index(value))
        return np.array(found, np.int64)

    def said(self, pilot: bool = False) -> str:
        """The parameters that matter, for the report; in the pilot all fields are equally likely."""
        parts = [f"{self.batch} fields at once" if self.batch > 1 else "one field at a time"]
        if self.batch == 1 and not pilot:  # travel is not weighed within a batch
            parts.append(f"travel exponent {self.travel_exponent:g}")
        if self.urgency == 0 and not pilot:
            parts.append("all targets alike")
        if self.eds_price != 1:
            parts.append(f"spectra at {self.eds_price:g} of their price")
        if self.refocus:
            parts.append("refocus")
        return ", ".join(parts)


RULE = Design()
"""The design that acts where another option makes no sense. The best rule departs from it in the fields at
once alone (:func:`autoscope.survey.rule.rule_design`)."""

Controller = Callable[[SurveyView], Design]
"""Chooses the design of the next draw from what is known; depends on the view alone."""


class Designed:
    """The policy that a controller steers: Neyman allocation with the parameters that it sets.

    Each draw is proportional to a_i s_i / c_i^travel_exponent after a uniform pilot, with a the area weight,
    s the residual spread that the session's own residuals speak for (:mod:`autoscope.survey.allocation`) and
    c the seconds that the field costs from here; for a batch, travel is not weighed: its tour is short.

    Args:
        name: as the configuration calls it.
        sha256: hash of everything that the controller depends on.
        controller: sets the parameters.
        pilot: fields before the spread is believed.

    Raises:
        ConfigurationError: ``pilot`` is negative.
    """

    floored = True

    def __init__(self, name: str, sha256: str, controller: Controller, pilot: int = PILOT_FIELDS) -> None:
        if pilot < 0:
            raise ConfigurationError(f"policy.options.pilot = {pilot} must be 0 or more")
        self.name, self.sha256 = name, sha256
        self._controller, self._pilot = controller, pilot

    def propose(self, view: SurveyView) -> Proposal:
        """A draw of the design that the controller chooses."""
        return proposal_of(self._controller(view), view, self._pilot)


def proposal_of(design: Design, view: SurveyView, pilot: int = PILOT_FIELDS, note: str = "") -> Proposal:
    """The distribution of a design: uniform in the pilot, then proportional to a s / c^exponent.

    Args:
        design: of the draw.
        view: what is known.
        pilot: fields before the spread is believed.
        note: what the report is to say of the design.
    """
    remaining, count, batch = view.remaining, len(view.remaining), None
    if design.batch > 1:
        batch = Batch(min(design.batch, count), view.grid.path_through(remaining))
    said = f"; {note}" if note else ""
    if len(view.past) < pilot:
        number = "one" if batch is None else str(batch.size)
        reason = f"pilot: {number} of {count} remaining fields, all equally likely{said}"
        return Proposal(
            np.full(count, 1 / count), reason, batch=batch, refocus=design.refocus, eds_price=design.eds_price
        )
    choice = best_shape(view, pilot, design.urgency)
    worth = view.grid.weight[remaining] * choice.shape.size[remaining]
    aim = "variance taken away"
    if batch is None and design.travel_exponent:
        aim = "variance taken away per second"
        worth = worth / _power(view.cost_s, design.travel_exponent)
    return Proposal(
        worth / worth.sum(),
        f"{aim}; residual spread as: {choice.shape.name}{said}",
        batch=batch,
        spread=reckoned_spread(view, choice),
        refocus=design.refocus,
        eds_price=design.eds_price,
    )


def _power(seconds: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    return np.sqrt(seconds) if exponent == 0.5 else np.asarray(seconds**exponent)
