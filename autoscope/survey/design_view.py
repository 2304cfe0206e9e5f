"""What a controller sees of a survey, as numbers, and which options it has."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from autoscope.survey.design import DESIGN_OPTIONS, RULE, Design
from autoscope.survey.protocols import SurveyView
from autoscope.survey.rule import rule_design

SEEN_TARGETS = 3
"""The targets that are seen, those that are furthest from done."""
LARGEST = 10.0
"""Observations are cut to plus or minus this."""
NO_INTERVAL = 3.0
"""Stands for the lag of a target that has no interval yet."""
NO_TARGET = -3.0
"""Stands for the lag of a target that is not there."""
REFOCUS_BELOW = 0.92
"""Sharpness of the last frames over the first ones, above which a focus before it is due is not offered:
about half of the loss for which sessions focus by themselves."""
RECENT = 32
"""Fields over which the surprise is averaged."""
_FIRST_OPTION = np.cumsum([0, *(len(options) for options in DESIGN_OPTIONS.values())])[:-1]
"""Where the masks of each parameter begin."""
_RULE_ACTION = RULE.action

DESIGN_OBSERVATION: tuple[str, ...] = (
    "log10 of half-width over wanted, target furthest from done",
    "1 where that target counts features",
    "log10 of half-width over wanted, second target",
    "1 where the second target counts features",
    "log10 of half-width over wanted, third target",
    "1 where the third target counts features",
    "share of the fields that are measured",
    "log10 of fields measured, plus one",
    "log10 of draws made, plus one",
    "log10 of fields still needed, plus one",
    "surprise: root mean square of measured less predicted over the predicted spread, last 32 fields",
    "predicted spread over the scatter of the predictions, target furthest from done",
    "unevenness: standard deviation over mean of the predicted spread, target furthest from done",
    "log10 of seconds of a visit",
    "log10 of seconds to the next field, over a visit",
    "log10 of seconds across half of the region, over a visit",
    "log10 of seconds of an autofocus run, over a visit, plus one",
    "log10 of seconds of a spectrum beside its live time, over a visit, plus one; -1 without spectra",
    "log10 of mean seconds beyond travel and frame, over a visit, plus one",
    "log10 of seconds to the nearest field over those to the mean field",
    "sharpness of the last frames over the first ones after focusing",
    "log10 of the focus' age in minutes, plus one",
    "log2 of the fields that the rule draws at once",
)
"""The numbers that a controller sees, in their order."""


def design_observation(view: SurveyView) -> NDArray[np.float32]:
    """``23`` numbers, see `DESIGN_OBSERVATION`; larger ones are cut to plus or minus 10."""
    lag = _lags(view)
    first = lag.index(max(lag))
    found = [*_targets(view, lag), *_progress(view, lag), *_predictor(view, first), *_prices(view)]
    seen = view.conditions
    found += [seen.sharpness, math.log10(1 + seen.focus_age_s / 60), math.log2(rule_design(view).batch)]
    return np.array([min(max(number, -LARGEST), LARGEST) for number in found], np.float32)


def design_masks(view: SurveyView) -> NDArray[np.bool_]:
    """For each option of each parameter, in order, whether it can be chosen; the rule's always can.

    A batch must leave as many fields as it takes. Without spectra they have no price; an instrument whose
    focus costs nothing focuses when it is due, and none focuses before while frames are sharp. With one
    target, urgency says nothing.
    """
    prices, room = view.prices, len(view.remaining)
    masks = {name: [True] * len(options) for name, options in DESIGN_OPTIONS.items()}
    masks["batch"] = [size == 1 or 2 * size <= room for size in DESIGN_OPTIONS["batch"]]
    if prices.spectrum_s is None:
        masks["eds_price"] = [price == 1 for price in DESIGN_OPTIONS["eds_price"]]
    if prices.focus_s <= 0 or view.conditions.sharpness > REFOCUS_BELOW:
        masks["refocus"] = [not refocus for refocus in DESIGN_OPTIONS["refocus"]]
    if len(view.targets) == 1:
        masks["urgency"] = [urgency != 0 for urgency in DESIGN_OPTIONS["urgency"]]
    return np.array([possible for parameter in masks.values() for possible in parameter])


def rule_action(observation: NDArray[np.floating]) -> NDArray[np.int64]:
    """What the rule does, from what a controller sees.

    Args:
        observation: of :func:`design_observation`.
    """
    return Design(batch=round(2 ** float(observation[-1]))).action


def possible(action: NDArray[np.int64], masks: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The action with the rule's option wherever its own is masked.

    Args:
        action: which option of each parameter.
        masks: of :func:`design_masks`.
    """
    return np.where(masks[_FIRST_OPTION + action], action, _RULE_ACTION)


def _lags(view: SurveyView) -> list[float]:
    """``targets``, log10 of the present over the wanted half-width."""
    if len(view.wanted) != len(view.targets):
        return [NO_INTERVAL] * len(view.targets)
    return [
        math.log10(max(half_width / wanted, 1e-3))
        if math.isfinite(half_width) and math.isfinite(wanted) and wanted > 0
        else NO_INTERVAL
        for half_width, wanted in zip(view.half_width.tolist(), view.wanted.tolist(), strict=True)
    ]


def _targets(view: SurveyView, lag: list[float]) -> list[float]:
    found: list[float] = []
    for k in sorted(range(len(lag)), key=lambda k: -lag[k])[:SEEN_TARGETS]:
        found += [lag[k], float(view.targets[k].one_feature > 0)]
    return found + [NO_TARGET, 0.0] * (SEEN_TARGETS - len(found) // 2)


def _progress(view: SurveyView, lag: list[float]) -> list[float]:
    done = len(view.past)
    largest = max(lag)
    needed = done * max(10 ** min(2 * largest, 4.0) - 1, 0.0) if largest < NO_INTERVAL else len(view.grid)
    return [
        done / len(view.grid),
        math.log10(1 + done),
        math.log10(1 + view.drawn),
        math.log10(1 + min(needed, len(view.grid))),
    ]


def _predictor(view: SurveyView, k: int) -> list[float]:
    past, spread = view.past, view.prediction.spread[k]
    surprise = 1.0
    if len(past):
        recent = past.fields[-RECENT:]
        departure = (past.measured[k, -RECENT:] - past.predicted[k, -RECENT:]) / spread[recent]
        known = departure[np.isfinite(departure)]
        surprise = math.sqrt(known @ known / len(known)) if len(known) else 1.0
    return [surprise, *_scatter(view, k)]


def _scatter(view: SurveyView, k: int) -> tuple[float, float]:
    """Relative spread and unevenness of what is predicted of a target."""
    kept: dict[int, tuple[float, float]] = view.kept.setdefault("scatter", {})
    if k not in kept:
        value, spread = view.prediction.value[k], view.prediction.spread[k]
        mean = float(spread.mean())
        kept[k] = mean / (float(value.std()) + mean), float(spread.std()) / mean
    return kept[k]


def _prices(view: SurveyView) -> list[float]:
    cost_s = view.cost_s
    return [
        *_fixed_prices(view),
        math.log10(1 + view.conditions.extra_s / view.prices.visit_s),
        math.log10(cost_s.min() * len(cost_s) / cost_s.sum()),
    ]


def _fixed_prices(view: SurveyView) -> tuple[float, ...]:
    """The seconds of a visit, and over them those to go near and far, of an autofocus run, of a spectrum."""
    found: tuple[float, ...] | None = view.kept.get("prices")
    if found is None:
        prices, grid, visit = view.prices, view.grid, view.prices.visit_s
        way = prices.travel_s(np.array([grid.hfw_um, max(grid.diagonal_um / 2, grid.hfw_um)]))
        found = view.kept["prices"] = (
            math.log10(visit),
            *(math.log10(max(seconds, 1e-3) / visit) for seconds in way.tolist()),
            math.log10(1 + prices.focus_s / visit),
            -1.0 if prices.spectrum_s is None else math.log10(1 + prices.spectrum_s / visit),
        )
    return found
