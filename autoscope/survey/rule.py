"""What the best rule does: its parameters are constant but for the fields at once, which the stage decides.

Fields that are drawn together are visited on a short tour, and spread over the region. What is learnt from
the first of them comes too late for the others, and the interval rests on fewer independent draws. So the
rule reckons the seconds to the end of the survey for each number of fields at once, and leaves drawing them
one by one only where that is clearly slower.
"""

from __future__ import annotations

import math

import numpy as np

from autoscope.estimation import MINIMUM_FIELDS
from autoscope.estimation.tracker import MINIMUM_DRAWS
from autoscope.survey.design import DESIGN_OPTIONS, RULE, Design
from autoscope.survey.protocols import SurveyView

TOUR_STEP = {1: 1.0, 4: 0.82, 8: 0.67}
"""Way between fields, in units of that between independent draws: mean step of the short tour through a batch
that was drawn systematically along a Hilbert curve over a square, from where the last one ended (simulated,
64 x 64 fields; a long region saves more)."""
LATE_FIELDS = 2.9
"""Fields that a survey needs more for each further field at once. The t quantile of n / b draws instead of n
takes (z² + 1) / 2 = 2.4 (its square is about z² (1 + (z² + 1) / (2 n / b)); Abramowitz & Stegun, section
26.7.5), and half a field of each draw comes after the target is met."""
LEAST_GAIN = 0.05
"""Share of the beam time that fields at once must promise: the reckoning is no better than that."""


WAYS = "ways of the rule"
"""Name under which a view keeps the lengths of the steps."""


def rule_design(view: SurveyView) -> Design:
    """What the best rule does; it is what ``policy.kind = "active"`` does."""
    return Design(batch=fields_at_once(view)[0])


def fields_at_once(view: SurveyView) -> tuple[int, str]:
    """How many fields the rule draws together, of `DESIGN_OPTIONS`, and why where it is more than one.

    The number b with the fewest seconds to the end, n_b c_b: n_b fields are expected (`LATE_FIELDS`), no
    fewer than the t interval wants, and each takes c_b seconds: the frame, what has been spent beyond it, and
    a step of the tour (`TOUR_STEP`). Only the standard tier's interval is reckoned with.
    """
    if view.tier != "standard":
        return RULE.batch, ""
    enough, seconds = expected_fields(view), visit_seconds(view)
    total = {
        size: max(enough + LATE_FIELDS * (size - 1), MINIMUM_FIELDS, MINIMUM_DRAWS * size) * visit_s
        for size, visit_s in seconds.items()
        if size == RULE.batch or 2 * size <= len(view.remaining)
    }
    best = min(total, key=lambda size: total[size])
    if total[best] >= (1 - LEAST_GAIN) * total[RULE.batch]:
        return RULE.batch, ""
    tour_s, alone_s = seconds[best], seconds[RULE.batch]
    return best, f"{best} at once, {tour_s:.3g} s each on a tour instead of {alone_s:.3g} s"


def expected_fields(view: SurveyView) -> float:
    """Fields that the target furthest from done takes, those measured included; 0 before that can be told.

    Intervals shrink as one over the root of the fields, from where they may be t intervals.
    """
    done = len(view.past)
    if done < MINIMUM_FIELDS or len(view.wanted) != len(view.targets):
        return 0.0
    known = np.isfinite(view.half_width) & np.isfinite(view.wanted) & (view.wanted > 0)
    if not known.any():
        return 0.0
    lag = float((view.half_width[known] / view.wanted[known]).max())
    return min(done * lag**2, float(len(view.grid)))


def visit_seconds(view: SurveyView) -> dict[int, float]:
    """Seconds of a field for each number of fields at once, travel included."""
    if WAYS not in view.kept:
        grid = view.grid
        far_um = mean_distance(float(np.ptp(grid.x_um)) + grid.hfw_um, float(np.ptp(grid.y_um)) + grid.vfw_um)
        view.kept[WAYS] = far_um * np.array([TOUR_STEP[int(size)] for size in DESIGN_OPTIONS["batch"]])
    there_s = view.prices.visit_s + view.conditions.extra_s
    travel_s = view.prices.travel_s(view.kept[WAYS]).tolist()
    return {int(size): there_s + way_s for size, way_s in zip(DESIGN_OPTIONS["batch"], travel_s, strict=True)}


def mean_distance(width: float, height: float) -> float:
    """Mean distance of two points that are uniform in a rectangle.

    Source: Ghosh, Bull. Calcutta Math. Soc. 43 (1951) 17; Santaló, Integral Geometry and Geometric
    Probability (1976), section I.4.5.
    """
    a, b = max(width, height), min(width, height)
    d = math.hypot(a, b)
    corners = a**3 / b**2 + b**3 / a**2 + d * (3 - a**2 / b**2 - b**2 / a**2)
    return corners / 15 + (b**2 / a * math.log((a + d) / b) + a**2 / b * math.log((b + d) / a)) / 6
