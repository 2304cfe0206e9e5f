"""What the label routes work with: the queue, the features that suggestions need, and who may answer."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from autoscope.labels import (
    NO_SCRIBBLE,
    LabelQueue,
    Lease,
    PixelFeatures,
    RequestSummary,
    mask_from_png,
    suggest,
)
from autoscope.web.refusals import RefusedError

_FRAMES_KEPT = 6
_LARGEST_PX = 1_200_000
"""Suggestions for larger frames are made on every second (third ...) pixel: they must follow the hand."""


class LabelDesk:
    """The queue, and what experts need beside it.

    Args:
        queue: where requests and answers are.
        experts: who may answer; empty: whoever gives a name.
    """

    def __init__(self, queue: LabelQueue, experts: tuple[str, ...] = ()) -> None:
        self.queue = queue
        self._experts = frozenset(experts)
        self._features: OrderedDict[int, Future[PixelFeatures]] = OrderedDict()
        self._lock = threading.Lock()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="features")

    def warm_up(self) -> None:
        """Loads what suggestions need, before the first expert waits for one; returns at once."""
        self._worker.submit(_warm_up)

    def close(self) -> None:
        """Ends the worker after what it is at; returns at once, and may be called twice."""
        self._worker.shutdown(wait=False, cancel_futures=True)

    def lease(self, expert: str) -> Lease | None:
        """The next request for an expert.

        Raises:
            RefusedError: the expert is not one of those who may answer.
        """
        if self._experts and expert not in self._experts:
            known = ", ".join(sorted(self._experts))
            raise RefusedError(403, f"{expert!r} is not one of the experts who may answer here: {known}")
        return self.queue.lease(expert)

    def prepare(self, request_id: int) -> None:
        """Begins to compute the features that suggestions need; returns at once.

        Not done by a lease: the pictures of the frame come first.

        Raises:
            UnknownRequest: there is no such request.
        """
        self._prepared(self.queue.request(request_id))

    def lease_token(self, request_id: int, given: str | None) -> str:
        """The token of a lease: the one that was sent, or that of the only lease of the request.

        Raises:
            UnknownRequest: there is no such request.
            RefusedError: none was sent and nobody, or more than one expert, holds the request.
        """
        if given:
            return given
        self.queue.request(request_id)
        holders = [expert.name for expert in self.queue.experts() if expert.leased]
        held = [
            lease.token
            for name in holders
            for lease in self.queue.leases(name)
            if lease.request.id == request_id
        ]
        if len(held) == 1:
            return held[0]
        if held:
            raise RefusedError(
                409, f"{len(held)} experts hold request {request_id}: send the header X-Lease with its token"
            )
        raise RefusedError(
            409, f"nobody holds request {request_id}: its lease has expired, or it was never leased; lease it"
        )

    def suggestion(self, request_id: int, scribbles_png: bytes) -> NDArray[np.uint8]:
        """A mask of the whole frame (``height x width``) that agrees with an expert's strokes.

        Args:
            request_id: the request.
            scribbles_png: index PNG of the frame's size, 255 where there is no stroke.

        Raises:
            UnknownRequest: there is no such request.
            MaskError: the PNG is damaged, of another size, or has a class that there is not.
            LabelError: there is no stroke.
        """
        request = self.queue.request(request_id)
        scribbles = mask_from_png(scribbles_png, request.height, request.width)
        features, step = self._prepared(request).result(), _step(request)
        with _thread_pools().limit(limits=1):  # many small problems: threads cost four times the work
            coarse = suggest(features, _thinned(scribbles, step), request.class_names)
        mask = np.repeat(np.repeat(coarse, step, axis=0), step, axis=1)[: request.height, : request.width]
        touched = scribbles != NO_SCRIBBLE
        mask[touched] = scribbles[touched]
        return mask

    def _prepared(self, request: RequestSummary) -> Future[PixelFeatures]:
        with self._lock:
            future = self._features.get(request.id)
            if future is None:
                future = self._features[request.id] = self._worker.submit(self._compute, request)
            self._features.move_to_end(request.id)
            while len(self._features) > _FRAMES_KEPT:
                self._features.popitem(last=False)
            return future

    def _compute(self, request: RequestSummary) -> PixelFeatures:
        step, queue = _step(request), self.queue
        return PixelFeatures.of(
            queue.frame(request.id)[::step, ::step],
            prediction=queue.prediction(request.id)[::step, ::step],
            uncertainty=queue.uncertainty(request.id)[::step, ::step],
        )


@lru_cache(maxsize=1)
def _thread_pools() -> ThreadpoolController:
    """The thread pools of numpy, scipy and scikit-learn; looking for them takes a while."""
    import sklearn.linear_model  # noqa: F401 (so that its pools are found)

    return ThreadpoolController()


def _warm_up() -> None:
    _thread_pools()
    halves = np.repeat(np.arange(2, dtype=np.uint8), 32).reshape(8, 8)
    suggest(PixelFeatures.of(halves), halves, ("dark", "bright"))


def _step(request: RequestSummary) -> int:
    return max(1, math.ceil(math.sqrt(request.height * request.width / _LARGEST_PX)))


def _thinned(scribbles: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """One pixel for each block: the stroke that crosses it, so that a thin one is not lost."""
    if step == 1:
        return scribbles
    rows, columns = (-(-size // step) for size in scribbles.shape)
    thin = np.full((rows, columns), NO_SCRIBBLE, np.uint8)
    for down in range(step):
        for across in range(step):
            part = scribbles[down::step, across::step]
            inside = thin[: part.shape[0], : part.shape[1]]
            np.minimum(inside, part, out=inside)
    return thin
