"""What is asked of one quantity."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked of one quantity.

    Attributes:
        low: lowest possible value of the quantity on one field, and so of the quantity.
        high: highest possible value.
        confidence: coverage of the interval.
        half_width: wanted half-width of what is reported, absolute, or None.
        relative: wanted half-width relative to the estimate, or None.
        reciprocal: whether one over the quantity is what is reported.
        one_feature: value of a field that holds one feature, where the quantity counts; 0 where not.
    """

    low: float
    high: float
    confidence: float
    half_width: float | None
    relative: float | None
    reciprocal: bool = False
    one_feature: float = 0.0

    def wanted(self, estimate: float) -> float:
        """The half-width that is wanted when the estimate is this; to first order for a reciprocal."""
        if self.half_width is not None:
            return self.half_width * estimate**2 if self.reciprocal else self.half_width
        return (self.relative or 0.0) * abs(estimate)

    def reached(self, estimate: float, low: float, high: float) -> bool:
        """Whether the interval of what is reported is as narrow as wanted."""
        if not self.reciprocal:
            return (high - low) / 2 <= self.wanted(estimate)
        if not low > 0:
            return False
        wanted = self.half_width if self.half_width is not None else (self.relative or 0.0) / estimate
        return (1 / low - 1 / high) / 2 <= wanted
