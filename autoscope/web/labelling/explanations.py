"""Explanations on request: one at a time, beside the event loop, given up when nobody waits any more."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from autoscope.labels import LabelQueue, RequestSummary
from autoscope.perception.model_shelf import ModelShelf
from autoscope.web.labelling.evidence import Asked, Evidence, EvidenceKept, Kind
from autoscope.web.refusals import RefusedError

if TYPE_CHECKING:
    from autoscope.perception.explaining import Explanation

Explain = Callable[
    [Path, str, NDArray[Any], str, "Kind", Callable[[int, int], None]],
    "Explanation",
]
"""Weights file, hash of its model, pixels, class, kind, who hears of the progress."""

MOST_WAITING = 12
"""Explanations that may be under way at a time, those of all experts together."""
_IMPATIENT_S, _PATIENT_S = 4.0, 60.0
"""How long one is gone on with that nobody asks for: while others wait, and while none does."""


class GivenUpError(Exception):
    """Nobody asked for this explanation any more."""


@dataclass(slots=True)
class Job:
    """An explanation under way.

    Attributes:
        asked_s: when somebody asked for it last.
        done: passes of the network so far.
        of: passes of the network in all; 0 until the first.
        future: what comes of it.
    """

    asked_s: float
    done: int = 0
    of: int = 0
    future: Future[Evidence] = field(default_factory=Future)


class Explanations:
    """What the models that made the predictions look at.

    Args:
        queue: holds the frames, and which model predicted.
        shelf: the models that are at hand.
        model_kind: tells the kind of a session's model by the session's name in the queue; None where that
            is not known.
        explain: computes; by default perception does, and torch is imported with the first.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        queue: LabelQueue,
        shelf: ModelShelf,
        model_kind: Callable[[str], str | None] = lambda _: None,
        explain: Explain | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue, self._shelf, self._model_kind, self._clock = queue, shelf, model_kind, clock
        self._explain = explain or _by_perception()
        self._jobs: dict[Asked, Job] = {}
        self._kept = EvidenceKept()
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="explanations")
        self._closed = False

    def close(self) -> None:
        """Ends the worker after the pass that it is at; returns at once, and may be called twice."""
        self._closed = True
        self._worker.shutdown(wait=False, cancel_futures=True)

    def found(self, request_id: int, value: int, kind: Kind) -> Evidence | None:
        """A map that was computed already; None where it was not, or is forgotten."""
        with self._lock:
            return self._kept.get((request_id, value, kind))

    def ask(self, request_id: int, value: int, kind: Kind) -> Evidence | Job:
        """A map, or the work on it, which begins where it had not.

        Args:
            request_id: the request.
            value: mask value of the class.
            kind: of the map.

        Raises:
            UnknownRequest: there is no such request.
            RefusedError: it has no such class, the model is not at hand, or too many are under way.
        """
        asked = (request_id, value, kind)
        with self._lock:
            known = self._kept.get(asked) or self._again(asked)
        if known is not None:
            return known
        request = self._queue.request(request_id)
        if value >= len(request.class_names):
            raise RefusedError(404, f"request {request_id} has no class {value}: {_classes(request)}")
        weights = self._weights(request)
        with self._lock:
            return self._kept.get(asked) or self._again(asked) or self._begin(asked, request, weights)

    def ahead(self, asked: Asked) -> int:
        """How many explanations are computed before one that is under way."""
        with self._lock:
            waiting = list(self._jobs)
            return waiting.index(asked) if asked in waiting else 0

    def _again(self, asked: Asked) -> Job | None:
        """The work on a map that somebody asks for once more; None where there is none that is worth it."""
        job = self._jobs.get(asked)
        if job is not None:
            job.asked_s = self._clock()
        return job

    def _begin(self, asked: Asked, request: RequestSummary, weights: Path) -> Job:
        if len(self._jobs) >= MOST_WAITING:
            raise RefusedError(
                429, f"{MOST_WAITING} explanations are being computed or wait for it: try again in a moment"
            )
        job = self._jobs[asked] = Job(self._clock())
        job.future = self._worker.submit(self._compute, asked, job, request, weights)
        return job

    def _compute(self, asked: Asked, job: Job, request: RequestSummary, weights: Path) -> Evidence:
        def goes_on(done: int, of: int) -> None:
            job.done, job.of = done, of
            self._check_wanted(job)

        request_id, value, kind = asked
        try:
            self._check_wanted(job)
            pixels, name = self._queue.frame(request_id), request.class_names[value]
            explained = self._explain(weights, request.model_sha256, pixels, name, kind, goes_on)
            evidence = Evidence.of(explained, kind)
            with self._lock:
                self._kept.add(asked, evidence)
            return evidence
        finally:
            with self._lock:
                del self._jobs[asked]

    def _check_wanted(self, job: Job) -> None:
        """Ends work that nobody waits for.

        Raises:
            GivenUpError: so it is, or the server ends.
        """
        with self._lock:
            patience_s = _IMPATIENT_S if len(self._jobs) > 1 else _PATIENT_S
            forgotten = self._clock() - job.asked_s > patience_s
        if forgotten or self._closed:
            raise GivenUpError

    def _weights(self, request: RequestSummary) -> Path:
        """The file of the model that made a prediction.

        Raises:
            RefusedError: none did, or it is not at hand.
        """
        sha256 = request.model_sha256
        if not sha256:
            raise RefusedError(
                409, f"request {request.id} was imported: no model made its prediction, none can be explained"
            )
        path = self._shelf.find(sha256)
        if path is not None:
            return path
        kind = self._model_kind(request.session)
        if kind not in (None, "segmentation"):
            raise RefusedError(
                409,
                f"the session told its classes by a model of kind {kind!r}: only a segmentation network can"
                " be explained",
            )
        raise RefusedError(
            409,
            f"the model that made this prediction (its hash begins {sha256[:12]}) is not at hand, and no"
            " other is asked in its place: whoever runs the server can name its file: autoscope serve"
            " --models FILE",
        )


def _classes(request: RequestSummary) -> str:
    return ", ".join(f"{value} = {name}" for value, name in enumerate(request.class_names))


def _by_perception() -> Explain:
    """Explains by the networks themselves; leaves a core to the pages."""
    explainer: Any = None

    def explain(
        weights: Path, sha256: str, pixels: NDArray[Any], name: str, kind: Kind, hear: Callable[..., None]
    ) -> Explanation:
        nonlocal explainer
        from autoscope.perception.explainer import Explainer
        from autoscope.perception.explaining import ExplanationSettings

        if explainer is None:
            explainer = Explainer(threads=max(1, (os.cpu_count() or 1) - 1))
        settings = ExplanationSettings() if kind == "occlusion" else ExplanationSettings(occlusion_cells=0)
        found: Explanation = explainer.explain(weights, sha256, pixels, name, settings, hear)
        return found

    return explain
