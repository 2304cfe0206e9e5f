"""THE step: the one loop that training, benchmarks and sessions on an instrument share."""

from __future__ import annotations

from autoscope.survey.protocols import Decision, FieldSource
from autoscope.survey.survey import Survey


def step(survey: Survey, source: FieldSource, pending: Decision | None) -> Decision | None:
    """Decides, sends the stage off, turns the frame before into values, takes the next frame.

    The decision knows all observations but the one in flight. When every target is met on what is known,
    the frame in flight is collected before anything else is decided, so no frame is ever wasted and none
    is chosen by looking at itself.

    Args:
        survey: the survey.
        source: where measurements come from.
        pending: the decision whose frame is in flight, None at the beginning or after a pause.

    Returns:
        The decision whose frame is in flight now; None when nothing was decided. The survey is over when
        that happens and it is ``met`` or ``exhausted``.
    """
    decision = None if survey.met else survey.decide()
    if decision is not None:
        source.travel(decision)
    if pending is not None:
        survey.observe(pending, source.collect(pending))
    if decision is not None:
        source.acquire(decision)
    return decision


def run(survey: Survey, source: FieldSource, *, max_fields: int | None = None) -> int:
    """Steps until every target is met or every field is visited.

    Args:
        survey: the survey.
        source: where measurements come from.
        max_fields: stop after so many fields, if given.

    Returns:
        How many fields were visited.
    """
    visited = 0
    pending: Decision | None = None
    while True:
        if max_fields is not None and visited >= max_fields:
            if pending is not None:
                survey.observe(pending, source.collect(pending))
            return visited
        pending = step(survey, source, pending)
        if pending is not None:
            visited += 1
        elif survey.met or survey.exhausted:
            return visited
