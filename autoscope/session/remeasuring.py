"""Measuring every stored frame of a session again, with another model, while the session goes on."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame, RecordError
from autoscope.records import (
    Document,
    DocumentTail,
    InclusionResult,
    InclusionsDocument,
    ObservationDocument,
    SessionView,
    counted_frames,
)
from autoscope.session.measurer import Measurement, Measurer

AT_ONCE = 8
"""Frames in memory that wait for their turn; a step of the session hands over so many at most."""
LAST = 2
"""So few frames are waited for: every step of the session brings another one."""


class CurrentMeasurer:
    """The measurer that counts at present; all parts of a session share it.

    Args:
        measurer: the first.
    """

    def __init__(self, measurer: Measurer) -> None:
        self._measurer = measurer

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label value."""
        return self._measurer.class_names

    def measure(self, frame: Frame, field: int) -> Measurement:
        """Measures every target on one field's frame."""
        return self._measurer.measure(frame, field)

    def exchange(self, measurer: Measurer) -> None:
        """Lets another one measure from now on."""
        self._measurer = measurer


class LooksOf:
    """Measures with one model, and lets another say whether a frame is familiar.

    Which fields count at their worst case must not depend on when they were visited: the model that a session
    began with goes on judging that.

    Args:
        measurer: measures.
        judge: says whether a frame is familiar; None: nobody does.
    """

    def __init__(self, measurer: Measurer, judge: Measurer | None) -> None:
        self._measurer, self._judge = measurer, judge

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label value."""
        return self._measurer.class_names

    def measure(self, frame: Frame, field: int) -> Measurement:
        """Measures every target on one field's frame."""
        look = None if self._judge is None else self._judge.measure(frame, field).look
        return replace(self._measurer.measure(frame, field), look=look)


@dataclass(frozen=True, slots=True)
class Remeasured:
    """A stored frame that was measured again.

    Attributes:
        frame: its index in the session.
        value: ``targets``.
        inclusions: that were counted.
        packed: the class map, packed.
        shape: of the class map.
    """

    frame: int
    value: NDArray[np.float64]
    inclusions: tuple[InclusionResult, ...]
    packed: bytes
    shape: tuple[int, int]

    @property
    def labels(self) -> NDArray[np.uint8]:
        """The class map, ``height x width``."""
        return np.frombuffer(zlib.decompress(self.packed), np.uint8).reshape(self.shape)


class Remeasuring:
    """Measures the fields of a running session again, in a thread of its own.

    The session's thread reads the frames, a few at a time; nothing waits.

    Args:
        view: the session.
        measurer: of the other model; nobody else uses it meanwhile.
    """

    def __init__(self, view: SessionView, measurer: Measurer) -> None:
        self._view, self._measurer, self._tail = view, measurer, DocumentTail(view.folder)
        self._documents: list[Document] = []
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="remeasuring")
        self._waiting: dict[int, Future[Remeasured]] = {}
        self._done: dict[int, Remeasured] = {}

    def advance(self) -> bool:
        """Takes what is done and hands over what is next.

        Returns:
            Whether every field that came back is measured again.

        Raises:
            AutoscopeError: a frame cannot be measured.
        """
        self._documents += self._tail.read()
        self._collect()
        frames = counted_frames(self._documents)
        left = [d for d in self._measured() if d.step not in self._done and d.step not in self._waiting]
        room = AT_ONCE - len(self._waiting)
        for document in left[:room]:
            index = frames[document.field]
            self._waiting[document.step] = self._pool.submit(
                self._measure, index, self._view.frame(index), document.field
            )
        if len(left) <= room and len(self._waiting) <= LAST:
            wait(self._waiting.values())
            self._collect()
        return len(left) <= room and not self._waiting

    def _collect(self) -> None:
        for step in [step for step, future in self._waiting.items() if future.done()]:
            self._done[step] = self._waiting.pop(step).result()

    def complete(self) -> None:
        """Measures all that is left, and waits for it.

        Raises:
            AutoscopeError: a frame cannot be measured.
        """
        while not self.advance():
            wait(self._waiting.values())

    def _measure(self, index: int, frame: Frame, field: int) -> Remeasured:
        found = self._measurer.measure(frame, field)
        labels = np.ascontiguousarray(found.labels)
        inclusions = tuple(InclusionResult.model_validate(one) for one in found.inclusions)
        shape = labels.shape[0], labels.shape[1]
        return Remeasured(index, found.value, inclusions, zlib.compress(labels.tobytes(), 1), shape)

    def _measured(self) -> list[ObservationDocument]:
        """The first target's observation of every field that was measured, in the order of the visits."""
        return [d for d in _first_of_each(self._documents) if d.value is not None]

    @property
    def results(self) -> tuple[Remeasured, ...]:
        """All that was measured again."""
        return tuple(self._done.values())

    def documents(self) -> tuple[ObservationDocument | InclusionsDocument, ...]:
        """The new observations of all fields that came back, the lost ones included, in their order."""
        found: list[ObservationDocument | InclusionsDocument] = []
        latest = {
            (d.step, d.quantity, d.class_name): d
            for d in self._documents
            if isinstance(d, ObservationDocument)
        }
        counting = any(isinstance(d, InclusionsDocument) for d in self._documents)
        for first in _first_of_each(self._documents):
            old = [d for (step, _, _), d in latest.items() if step == first.step]
            again = self._done.get(first.step)
            values = [None] * len(old) if again is None else [float(value) for value in again.value]
            for document, value in zip(old, values, strict=True):
                found.append(document.model_copy(update={"value": value, "again": True}))
            if again is not None and (counting or again.inclusions):
                found.append(
                    InclusionsDocument(step=first.step, field=first.field, inclusions=again.inclusions)
                )
        return tuple(found)

    def close(self) -> None:
        """Ends the thread; what it is at is finished and dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def _first_of_each(documents: Sequence[Document]) -> list[ObservationDocument]:
    """One observation of each step, in the order in which the fields came back."""
    first: dict[int, ObservationDocument] = {}
    for document in documents:
        if isinstance(document, ObservationDocument):
            first.setdefault(document.step, document)
    return list(first.values())


def values_of(documents: Sequence[ObservationDocument], targets: int) -> list[NDArray[np.float64] | None]:
    """The values of each field, ``targets`` each, in the documents' order; None for one that was lost.

    Raises:
        RecordError: a field lacks the observation of a target.
    """
    if len(documents) % targets:
        raise RecordError(
            f"{len(documents)} observations of {targets} targets were measured again: the records are damaged"
        )
    rows = [documents[i : i + targets] for i in range(0, len(documents), targets)]
    return [
        None if any(d.value is None for d in row) else np.array([d.value for d in row], float) for row in rows
    ]
