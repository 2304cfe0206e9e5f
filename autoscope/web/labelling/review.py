"""Around the label requests: progress, guidelines, disagreement, and what the answers changed."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import Response

from autoscope.web.labelling.desk import LabelDesk
from autoscope.web.labelling.guidelines import Guidelines
from autoscope.web.labelling.routes import RequestId, png_response
from autoscope.web.labelling.schemas import (
    DisagreementRecord,
    EffectRecord,
    GuidelineRecord,
    ProgressRecord,
)
from autoscope.web.refusals import RefusedError, responses

SessionName = Annotated[str | None, Query(max_length=200, description="only of this session")]


def review_router(desk: LabelDesk, guidelines: Guidelines) -> APIRouter:
    """The routes beside leasing and answering.

    Args:
        desk: the queue and what goes with it.
        guidelines: what the classes are.
    """
    router = APIRouter(prefix="/api", tags=["label requests"])

    @router.get("/progress", responses=responses())
    def show_progress(session: SessionName = None) -> ProgressRecord:
        """How many requests are in which state, and who did what."""
        return ProgressRecord.of(desk.queue.progress(session))

    @router.get("/effects", responses=responses())
    def show_effects(session: Annotated[str, Query(max_length=200)]) -> list[EffectRecord]:
        """What answers changed in a session: every interval before and after."""
        return [EffectRecord.of(effect) for effect in desk.queue.effects(session)]

    @router.get("/requests/{request_id}/disagreement", responses=responses(404))
    def show_disagreement(request_id: RequestId) -> DisagreementRecord:
        """How far the first two experts differ, once both have answered."""
        found = desk.queue.disagreement(request_id)
        if found is None:
            raise RefusedError(404, f"request {request_id} has fewer than two answers")
        return DisagreementRecord.of(found)

    @router.get("/requests/{request_id}/guidelines", responses=responses(404))
    def show_guidelines(request_id: RequestId) -> list[GuidelineRecord]:
        """What each class of a request is, with crops of answered frames."""
        desk.prepare(request_id)  # pages ask for these as soon as the frame is drawn
        return list(guidelines.of(request_id))

    @router.get("/answers/{answer_id}/example.png", response_class=Response, responses=png_response(404))
    def show_example(
        answer_id: Annotated[int, Path(ge=1, le=2**31 - 1)],
        value: Annotated[int, Query(ge=0, le=254, description="mask value of the class")],
    ) -> Response:
        """A crop of an answered frame with the outline of a class."""
        return Response(guidelines.crop(answer_id, value), media_type="image/png")

    return router
