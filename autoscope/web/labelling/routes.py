"""``/api/requests``: what experts are asked, and what they answer."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Header, Path, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from autoscope.images import encode_png
from autoscope.labels import Lease, Picture, State, mask_from_png
from autoscope.web.labelling.desk import LabelDesk
from autoscope.web.labelling.schemas import (
    LabelRequest,
    LeasedRequest,
    LeaseWish,
    SkipWish,
    StoredAnswer,
)
from autoscope.web.refusals import responses

RequestId = Annotated[int, Path(ge=1, le=2**31 - 1, description="number of the request")]
LeaseToken = Annotated[
    str | None,
    Header(
        alias="X-Lease",
        max_length=200,
        description="token of your lease; may be left out if only you hold it",
    ),
]
Word = Annotated[str, Query(min_length=1, max_length=100)]
_PNG = {"schema": {"type": "string", "format": "binary", "contentMediaType": "image/png"}}
_PNG_BODY: dict[str, Any] = {"requestBody": {"required": True, "content": {"image/png": _PNG}}}
KEPT = {"Cache-Control": "private, max-age=86400"}


def png_response(*refusals: int) -> dict[int | str, dict[str, Any]]:
    """What a route that answers with a PNG may answer with."""
    return responses(*refusals) | {200: {"content": {"image/png": _PNG}, "description": "the picture"}}


async def body_of(request: Request) -> bytes:
    """The whole body; what is larger than its limit never gets here."""
    return await request.body()


def requests_router(desk: LabelDesk) -> APIRouter:
    """The routes of the label requests.

    Args:
        desk: the queue and what goes with it.
    """
    router = APIRouter(prefix="/api/requests", tags=["label requests"])
    _add_reading(router, desk)
    _add_pictures(router, desk)
    _add_leases(router, desk)
    _add_answers(router, desk)
    return router


def _add_reading(router: APIRouter, desk: LabelDesk) -> None:
    @router.get("", responses=responses())
    def list_requests(
        state: Annotated[State | None, Query(description="only those in this state")] = None,
        session: Annotated[str | None, Query(max_length=200)] = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
        after: Annotated[int, Query(ge=0, le=2**31 - 1, description="only numbers above")] = 0,
    ) -> list[LabelRequest]:
        """Requests by number."""
        found = desk.queue.requests(state, session=session, limit=limit, after=after)
        return [LabelRequest.of(request) for request in found]

    @router.get("/{request_id}", responses=responses(404))
    def show_request(request_id: RequestId) -> LabelRequest:
        """One request."""
        return LabelRequest.of(desk.queue.request(request_id))


def _add_pictures(router: APIRouter, desk: LabelDesk) -> None:
    def add(name: str, picture: Picture, words: str) -> None:
        @router.get(
            f"/{{request_id}}/{name}.png",
            response_class=Response,
            responses=png_response(404),
            operation_id=f"show_{picture}",
            summary=words,
        )
        def show(request_id: RequestId) -> Response:
            return Response(_shown(desk, request_id, picture), media_type="image/png", headers=KEPT)

    add("image", "frame", "The frame, 8-bit grey")
    add("prediction", "prediction", "The model's classes by value")
    add("uncertainty", "uncertainty", "How unsure the model is: 0 sure, 255 not at all")


def _shown(desk: LabelDesk, request_id: int, picture: Picture) -> bytes:
    """A picture as it is stored; a 16-bit frame with its grey levels spread over 8 bits."""
    stored = desk.queue.stored_png(request_id, picture)
    if picture != "frame" or stored[24] == 8:  # the bit depth in a PNG's header (ISO/IEC 15948, 11.2.2)
        return stored
    from autoscope.report.field_images import stretch

    return encode_png(stretch(desk.queue.frame(request_id)))


def _add_leases(router: APIRouter, desk: LabelDesk) -> None:
    nothing: dict[int | str, dict[str, Any]] = {204: {"description": "There is nothing to label now"}}

    def held(lease: Lease) -> LeasedRequest:
        return LeasedRequest.held(lease, desk.queue.upcoming(lease.expert))

    @router.post("/lease", response_model=LeasedRequest, responses=responses() | nothing)
    def lease_request(wish: LeaseWish) -> Any:
        """The most informative open request; nobody else gets it until you answer, skip or release it."""
        lease = desk.lease(wish.expert)
        return Response(status_code=204) if lease is None else held(lease)

    @router.post("/{request_id}/renew", responses=responses(404, 409))
    def renew_lease(request_id: RequestId, x_lease: LeaseToken = None) -> LeasedRequest:
        """Makes your lease last its whole time again."""
        lease = desk.queue.renew(request_id, desk.lease_token(request_id, x_lease))
        return held(lease)

    @router.post("/{request_id}/release", status_code=204, responses=responses(404, 409))
    def release_request(request_id: RequestId, x_lease: LeaseToken = None) -> None:
        """Gives a request back unanswered."""
        desk.queue.release(request_id, desk.lease_token(request_id, x_lease))

    @router.post("/{request_id}/skip", status_code=204, responses=responses(404, 409))
    def skip_request(request_id: RequestId, wish: SkipWish, x_lease: LeaseToken = None) -> None:
        """Says why you cannot answer; when a second expert says so too, nobody else is asked."""
        desk.queue.skip(request_id, desk.lease_token(request_id, x_lease), wish.reason)


def _add_answers(router: APIRouter, desk: LabelDesk) -> None:
    @router.put("/{request_id}/answer", responses=responses(404, 409), openapi_extra=_PNG_BODY)
    async def answer_request(
        request_id: RequestId,
        mask: Annotated[bytes, Depends(body_of)],
        x_lease: LeaseToken = None,
        seconds: Annotated[float, Query(ge=0, le=1e6, description="time spent on it")] = 0.0,
        tool: Word = "http",
        started_from: Word = "prediction",
    ) -> StoredAnswer:
        """Stores your mask: an index PNG of the frame's size, classes by value."""

        def store() -> StoredAnswer:
            token = desk.lease_token(request_id, x_lease)
            request = desk.queue.request(request_id)
            decoded = mask_from_png(mask, request.height, request.width)
            stored = desk.queue.answer(
                request_id, token, decoded, seconds=seconds, tool=tool, started_from=started_from
            )
            return StoredAnswer.of(stored)

        return await run_in_threadpool(store)

    @router.post(
        "/{request_id}/suggest",
        response_class=Response,
        responses=png_response(404),
        openapi_extra=_PNG_BODY,
    )
    async def suggest_mask(request_id: RequestId, scribbles: Annotated[bytes, Depends(body_of)]) -> Response:
        """A mask that agrees with your strokes: an index PNG, 255 where there is no stroke."""
        mask = await run_in_threadpool(desk.suggestion, request_id, scribbles)
        return Response(encode_png(np.ascontiguousarray(mask)), media_type="image/png")
