"""Plain words and plain numbers: what a metallurgist reads, and a customer after that."""

from __future__ import annotations

import math
from dataclasses import dataclass

from autoscope.records import FinishReason, QuantityResult, TargetRecord, Tier

FINISH: dict[FinishReason, str] = {
    "targets_reached": "It stopped by itself: every target was reached.",
    "exhausted": "It stopped because every field of the region had been measured: a full census.",
    "budget_spent": "It stopped because a budget was spent, before every target was reached.",
    "stopped_by_operator": "It was stopped by the operator, before every target was reached.",
    "instrument_fault": "It stopped because of a fault of the instrument.",
    "failed": "It ended without reaching its targets.",
}

TIERS: dict[Tier, str] = {
    "standard": (
        "Large-sample interval (Student t on the weighted pseudo-values), widened by a tenth to pay for"
        " stopping when it is narrow enough (Chow and Robbins 1965). It promises that of many such sessions,"
        " each ended by the program because its interval was narrow enough, about the stated share holds the"
        " true value. It does not promise that for a session that somebody watched and ended because of the"
        " value that was seen, nor for an interval read off on the way: of those, watched all along, about a"
        " third of the sessions are wrong at some look. With fewer than 50 measured fields it is only"
        " indicative."
    ),
    "anytime": (
        "Asymptotic confidence sequence (Waudby-Smith et al. 2021): it may be looked at after every field"
        " and stopped at any moment and for any reason, the value that was seen included, and keeps its"
        " promise, at the price of about twice the fields. It does not promise anything for small samples: on"
        " a rare phase with a policy that avoids it, the early intervals can be wrong."
    ),
    "guaranteed": (
        "Betting confidence sequence (Waudby-Smith and Ramdas 2024): it holds for every number of fields,"
        " every policy and every moment of stopping, without a large-sample approximation, because a field's"
        " value can only lie between its bounds. The price is several times the fields of the large-sample"
        " interval."
    ),
}

JOINT = (
    "There are several targets: the session ends at the first field at which all of their intervals are"
    " narrow enough together. Each interval keeps its own confidence; that all of them hold at once is"
    " promised with the sum of their misses only (two at 95 %: at least 90 %)."
)

LOPSIDED = 0.05
"""From which share of the half-width on an estimate beside the middle of its interval is said to be so."""

CENSUS = (
    "Every field of the region was measured: there is no chance of which fields were measured left, and the"
    " interval has no width."
)

_QUANTITIES = {
    "area_fraction": ("Area fraction", "%", 100.0),
    "inclusions_per_mm2": ("Number density of inclusions", "per mm²", 1.0),
    "grain_size": ("Mean lineal intercept", "µm", 1.0),
}


@dataclass(frozen=True, slots=True)
class Scale:
    """How a quantity is printed: its name, its unit, and the factor from the recorded unit to that one."""

    name: str
    unit: str
    factor: float

    def number(self, value: float, decimals: int) -> str:
        """A value without its unit."""
        return f"{value * self.factor:.{decimals}f}".replace("-", "−")

    def text(self, value: float, decimals: int) -> str:
        """A value with its unit."""
        return f"{self.number(value, decimals)} {self.unit}".rstrip()


def field_scale(quantity: str, unit: str) -> Scale:
    """How to print what a quantity is on a single field: grain size is averaged as boundaries per length."""
    if quantity == "grain_size":
        return Scale("Grain boundaries met", "per µm", 1.0)
    return scale(quantity, unit)


def scale(quantity: str, unit: str) -> Scale:
    """How to print a quantity; one that is not known here is printed by its own name in its own unit."""
    name, printed, factor = _QUANTITIES.get(
        quantity, (quantity.replace("_", " ").capitalize(), "" if unit == "1" else unit, 1.0)
    )
    return Scale(name, printed, factor)


def decimals(uncertainty: float) -> int:
    """Decimals that show two significant digits of an uncertainty (GUM 7.2.6)."""
    if not (math.isfinite(uncertainty) and uncertainty > 0):
        return 2
    return min(8, max(0, 1 - math.floor(math.log10(uncertainty))))


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one target in words.

    Attributes:
        title: what was asked for (``Area fraction of pearlite``).
        value: ``18.32 ± 0.94 %``.
        interval: ``17.38 % to 19.26 %``, or why there is none.
        target: what was wanted (``± 1 % absolute``).
        met: whether it was reached.
        short: ``18.32 %``.
        covers: what the interval does and does not cover.
        number: grain size number with its interval, empty for other quantities.
    """

    title: str
    value: str
    interval: str
    target: str
    met: bool
    short: str
    covers: str
    number: str = ""


def answer(quantity: QuantityResult, target: TargetRecord) -> Answer:
    """Puts the result of one target into words."""
    s = scale(quantity.quantity, quantity.unit)
    half, low, high = quantity.half_width, quantity.ci_low, quantity.ci_high
    places = decimals((half or abs(quantity.estimate or 0.0) / 100) * s.factor)
    short = "not known yet" if quantity.estimate is None else s.text(quantity.estimate, places)
    interval, value = "no interval is defensible yet", short
    if quantity.estimate is not None and half is not None and low is not None and high is not None:
        interval = f"{s.text(low, places)} to {s.text(high, places)}"
        value = _with_uncertainty(quantity.estimate, low, high, s, places)
    return Answer(
        title=_title(quantity, s),
        value=value,
        interval=interval,
        target=_target(target, s),
        met=quantity.target_met,
        short=short,
        covers=_covers(quantity),
        number=_grain_size_number(quantity),
    )


def _with_uncertainty(estimate: float, low: float, high: float, s: Scale, places: int) -> str:
    """``18.32 ± 0.94 %``, or ``0.3 +5.7 −0.2 %`` where the estimate is not the middle of its interval."""
    half, middle = (high - low) / 2, (low + high) / 2
    if abs(estimate - middle) <= LOPSIDED * half:
        return f"{s.number(estimate, places)} ± {s.text(half, places)}"
    up, down = s.number(high - estimate, places), s.text(estimate - low, places)
    return f"{s.number(estimate, places)} +{up} −{down}"


def _title(quantity: QuantityResult, s: Scale) -> str:
    """A class of grain boundaries is not what the grain size is of."""
    if quantity.quantity == "grain_size" or not quantity.class_name:
        return f"{s.name} of the grains" if quantity.quantity == "grain_size" else s.name
    return f"{s.name} of {quantity.class_name}"


def _grain_size_number(quantity: QuantityResult) -> str:
    """``G = 8.3 (8.1 to 8.5)``; empty for other quantities."""
    extra = quantity.extra
    number, low, high = (extra.get(f"grain_size_number{end}") for end in ("", "_low", "_high"))
    if number is None:
        return ""
    between = "" if low is None or high is None else f" ({low:.2f} to {high:.2f})"
    return f"G = {number:.2f}{between}".replace("-", "−")


def experts(quantity: QuantityResult) -> str:
    """What the answers of experts changed, in a sentence; empty where they correct nothing."""
    extra, s = quantity.extra, scale(quantity.quantity, quantity.unit)
    before, low, high = (extra.get(f"model_{name}") for name in ("estimate", "low", "high"))
    if quantity.covers != "expert-corrected" or before is None or quantity.estimate is None:
        return ""
    if low is None or high is None:
        places, alone = decimals(abs(before) / 100 * s.factor), "no interval"
    else:
        places = decimals((high - low) / 2 * s.factor)
        alone = f"{s.text(low, places)} to {s.text(high, places)}"
    shift = s.text(quantity.estimate - before, places)
    sign = "" if shift.startswith("−") else "+"
    return (
        f"Before the experts: {s.text(before, places)} ({alone}), by the model alone."
        f" Their {extra.get('answers') or 0:.0f} answers on a random sample of the frames moved it by"
        f" {sign}{shift}."
    )


def smallest(quantity: QuantityResult, target: TargetRecord) -> str:
    """What ``min_feature_um`` left out, in a sentence; empty where it is 0."""
    if not target.min_feature_um:
        return ""
    what = {
        "grain_size": "Specks of the boundary class",
        "inclusions_per_mm2": "Inclusions",
    }.get(quantity.quantity, "Features")
    kept = "" if quantity.quantity == "grain_size" else " (equivalent circle diameter)"
    return f"{what} smaller than {target.min_feature_um:g} µm{kept} are not counted."


def _target(target: TargetRecord, s: Scale) -> str:
    if target.half_width is not None:
        wanted = target.half_width * s.factor
        return f"± {wanted:.3g} {s.unit}".rstrip() + (" absolute" if s.unit == "%" else "")
    if target.relative is not None:
        return f"± {100 * target.relative:.3g} % of the value"
    return "none"


def _recognised(quantity: QuantityResult) -> str:
    return quantity.class_name or "grain boundaries"


def _covers(quantity: QuantityResult) -> str:
    if quantity.covers == "expert-corrected":
        return (
            "The interval covers the chance of which fields were measured and, through the expert's answers"
            " on a random sample of the frames, the errors of the segmentation."
        )
    return (
        "The interval covers the chance of which fields were measured: it is about what would be found if the"
        " segmentation model measured every field of the region. It does not cover the model's own errors:"
        f" where it takes something else for {_recognised(quantity)}, the value is off by as much, however"
        " narrow the interval."
    )


def duration(seconds: float) -> str:
    """A time in two units at most: ``1 h 12 min``, ``43 min 10 s``, ``8.2 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"


def length(um: float) -> str:
    """A length in µm, mm or m, three digits."""
    for limit, factor, unit in ((1e3, 1.0, "µm"), (1e6, 1e-3, "mm"), (math.inf, 1e-6, "m")):
        if um < limit:
            return f"{um * factor:.3g} {unit}"
    raise ValueError(f"{um} um is not a length")


def count(number: int) -> str:
    """A whole number with thin spaces between the thousands."""
    return f"{number:,}".replace(",", "\u202f")
