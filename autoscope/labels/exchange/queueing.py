"""Answers out of a queue, and masks that were made elsewhere into it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoscope.core import LabelError
from autoscope.labels.exchange.frames import LabelledFrame
from autoscope.labels.queue import LabelQueue
from autoscope.labels.values import Answer, NewRequest

IMPORTED = "imported"
"""Session of requests that no session has made, and tool of their answers."""


@dataclass(frozen=True, slots=True)
class ImportCount:
    """What an import did.

    Attributes:
        answered: requests of the queue that the masks answered.
        added: frames that the queue did not know, added with their answer.
        repeated: masks that were there already.
    """

    answered: int
    added: int
    repeated: int


def answered_frames(queue: LabelQueue, session: str | None = None) -> Iterator[LabelledFrame]:
    """Every answer of a queue, or of a session, with its frame; a second opinion is a frame of its own."""
    for answer in queue.answers(session):
        request = queue.request(answer.request_id)
        facts = {
            "request": request.id, "session": request.session, "field": request.field,
            "pixel_nm": request.pixel_nm, "model_sha256": request.model_sha256, "expert": answer.expert,
            "answered_s": answer.answered_s, "seconds": answer.seconds, "tool": answer.tool,
            "started_from": answer.started_from, "second_opinion": answer.second_opinion,
        }  # fmt: skip
        yield LabelledFrame(
            _name(answer), queue.frame(request.id), queue.mask(answer.id), request.class_names, facts
        )


def _name(answer: Answer) -> str:
    return f"request-{answer.request_id:06d}{'-second' if answer.second_opinion else ''}"


def import_frames(queue: LabelQueue, frames: Iterable[LabelledFrame], expert: str) -> ImportCount:
    """Puts masks that were made elsewhere into a queue, as answers of an expert.

    A frame that came from this queue answers its request, if it is open; any other is added with its answer.
    Importing the same twice changes nothing.

    Raises:
        LabelError: a frame's request is not open, or is of another frame.
    """
    counts = {"answered": 0, "added": 0, "repeated": 0}
    for one in frames:
        counts[_import(queue, one, expert)] += 1
    return ImportCount(**counts)


def _import(queue: LabelQueue, one: LabelledFrame, expert: str) -> str:
    number = one.facts.get("request")
    ours = isinstance(number, int) and _is_request(queue, one, number)
    request_id = int(str(number)) if ours else _added(queue, one)
    given = queue.answers(request_id=request_id)
    if any((queue.mask(answer.id) == one.mask).all() for answer in given):
        return "repeated"
    lease = queue.lease_this(request_id, expert)
    seconds = one.facts.get("seconds", 0.0)
    queue.answer(
        request_id,
        lease.token,
        one.mask,
        seconds=float(seconds) if isinstance(seconds, int | float) else 0.0,
        tool=IMPORTED,
        started_from=str(one.facts.get("started_from") or "elsewhere"),
    )
    return "answered" if ours else "added"


def _is_request(queue: LabelQueue, one: LabelledFrame, number: int) -> bool:
    """Whether a frame is the one of a request: numbers alone may be another queue's."""
    try:
        return bool(np.array_equal(queue.frame(number), one.frame))
    except LabelError:
        return False


def _added(queue: LabelQueue, one: LabelledFrame) -> int:
    pixel_nm = one.facts.get("pixel_nm")
    return queue.add(
        NewRequest(
            session=f"{IMPORTED}:{Path(one.name).name}",
            field=0,
            frame=one.frame,
            prediction=one.mask,
            uncertainty=np.zeros(one.mask.shape, np.uint8),
            class_names=one.class_names,
            pixel_nm=float(pixel_nm) if isinstance(pixel_nm, int | float) else 0.0,
            model_sha256="",
            score=0.0,
        )
    )
