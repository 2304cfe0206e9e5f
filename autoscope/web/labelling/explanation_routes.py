"""What the model looked at, over HTTP: asked for until it is there, then a picture like the others."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from autoscope.web.labelling.evidence import Evidence, Kind
from autoscope.web.labelling.explanations import Explanations, GivenUpError, Job
from autoscope.web.labelling.routes import KEPT, RequestId, png_response
from autoscope.web.labelling.schemas import ExplanationRecord
from autoscope.web.refusals import RefusedError, responses

HELD_S = 1.0
"""How long an answer is held back while the map is computed, so that nobody need ask in a hurry."""

ClassValue = Annotated[int, Query(ge=0, le=254, description="mask value of the class")]
MapKind = Annotated[
    Kind,
    Query(
        description="grad-cam: where the deepest features speak for the class; occlusion: by how much its"
        " probability falls when a place is hidden"
    ),
]
_COMPUTING: dict[int | str, dict[str, Any]] = {
    202: {"model": ExplanationRecord, "description": "It is being computed: ask again"}
}


def explanations_router(explanations: Explanations) -> APIRouter:
    """The two routes of explanations.

    Args:
        explanations: computes and keeps them.
    """
    router = APIRouter(prefix="/api/requests", tags=["label requests"])

    @router.get("/{request_id}/explanation", responses=responses(404, 409) | _COMPUTING)
    async def explain_request(
        request_id: RequestId, value: ClassValue, kind: MapKind, response: Response
    ) -> ExplanationRecord:
        """What the model that made the prediction looked at when it found a class; begins the work on it.

        Work that nobody asks for any more is given up.
        """
        asked = (request_id, value, kind)
        job = await run_in_threadpool(explanations.ask, *asked)
        if isinstance(job, Evidence):
            return ExplanationRecord.ready(asked, job)
        found = await _awaited(job)
        if found is None:
            response.status_code = 202
            return ExplanationRecord.under_way(asked, explanations.ahead(asked), job.done, job.of)
        return ExplanationRecord.ready(asked, found)

    @router.get("/{request_id}/explanation.png", response_class=Response, responses=png_response(404, 409))
    def show_explanation(request_id: RequestId, value: ClassValue, kind: MapKind) -> Response:
        """The map, 8-bit grey of the frame's size.

        Grad-CAM: 255ths of its strongest place. Occlusion: 128 where hiding changes nothing; 255 and 1 are
        a fall and a rise of the probability by ``most``.
        """
        found = explanations.found(request_id, value, kind)
        if found is None:
            raise RefusedError(
                409,
                f"this explanation is not there: ask for /api/requests/{request_id}/explanation?value={value}"
                f"&kind={kind} until its state is ready",
            )
        return Response(found.png, media_type="image/png", headers=KEPT)

    return router


async def _awaited(job: Job) -> Evidence | None:
    """What comes of a job within the time that an answer is held back; None while nothing does.

    Raises:
        AutoscopeError: the job failed.
    """
    coming = asyncio.wrap_future(job.future)
    coming.add_done_callback(lambda done: done.cancelled() or done.exception())  # heard, if by nobody else
    await asyncio.wait({coming}, timeout=HELD_S)
    given_up = coming.done() and (coming.cancelled() or isinstance(coming.exception(), GivenUpError))
    return coming.result() if coming.done() and not given_up else None
