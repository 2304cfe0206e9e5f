"""``/api/sessions``: watching sessions, and the operator's commands to them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import Response, StreamingResponse

from autoscope.core import RecordError
from autoscope.records import CommandName, send_command
from autoscope.web.live.pictures import frame_jpeg, labels_png, map_png
from autoscope.web.live.schemas import CommandAccepted, SessionDetail, SessionSummary
from autoscope.web.live.store import SessionStore
from autoscope.web.live.stream import MAX_WATCHERS, Watchers
from autoscope.web.refusals import RefusedError, responses

SessionId = Annotated[str, Path(min_length=1, max_length=200, description="name of the session's folder")]
FrameNumber = Annotated[int, Path(ge=0, le=2**31 - 1, description="index of the frame in the session")]
_KEPT = {"Cache-Control": "private, max-age=86400"}


def sessions_router(store: SessionStore, watchers: Watchers) -> APIRouter:
    """The routes of the sessions.

    Args:
        store: where they are.
        watchers: those who follow events.
    """
    router = APIRouter(prefix="/api/sessions", tags=["sessions"])
    _add_reading(router, store)
    _add_pictures(router, store)
    _add_events(router, store, watchers)
    for command in ("pause", "resume", "stop", "skip"):
        _add_command(router, store, command)
    return router


def _add_reading(router: APIRouter, store: SessionStore) -> None:
    @router.get("", responses=responses())
    def list_sessions() -> list[SessionSummary]:
        """Every session, running ones first."""
        return list(store.summaries())

    @router.get("/{session_id}", responses=responses(404, 409))
    def show_session(
        session_id: SessionId,
        after: Annotated[int, Query(ge=0, le=2**31 - 1, description="leave out earlier steps")] = 0,
    ) -> SessionDetail:
        """Everything that the live page shows."""
        return store.session(session_id).detail(after)


def _add_pictures(router: APIRouter, store: SessionStore) -> None:
    @router.get("/{session_id}/map.png", response_class=Response, responses=_picture("image/png"))
    def show_map(
        session_id: SessionId,
        frames: Annotated[int, Query(ge=0, le=2**31 - 1, description="overview frames to draw")] = 2**31 - 1,
    ) -> Response:
        """The mosaic of the overview, cut to the rectangle of the fields."""
        live = store.session(session_id)
        shown = min(frames, live.detail().overview_frames)
        return Response(map_png(live, shown), media_type="image/png", headers=_KEPT)

    @router.get("/{session_id}/frames/{frame}.jpg", response_class=Response, responses=_picture("image/jpeg"))
    def show_frame(session_id: SessionId, frame: FrameNumber) -> Response:
        """A frame, its grey levels stretched."""
        live = store.session(session_id)
        return _stored(frame_jpeg, live, frame, "image/jpeg")

    @router.get(
        "/{session_id}/frames/{frame}/labels.png",
        response_class=Response,
        responses=_picture("image/png"),
    )
    def show_labels(session_id: SessionId, frame: FrameNumber) -> Response:
        """The class map of a frame, classes by value."""
        return _stored(labels_png, store.session(session_id), frame, "image/png")


def _stored(make: Any, live: Any, frame: int, kind: str) -> Response:
    try:
        return Response(make(live, frame), media_type=kind, headers=_KEPT)
    except RecordError as error:
        raise RefusedError(404, f"the session {live.name!r} has no frame {frame}, or none yet") from error


def _add_events(router: APIRouter, store: SessionStore, watchers: Watchers) -> None:
    stream: dict[int | str, dict[str, Any]] = {
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "events"}
    }

    @router.get(
        "/{session_id}/events",
        response_class=StreamingResponse,
        responses=responses(404, 409) | stream,
    )
    def follow_session(
        session_id: SessionId,
        after: Annotated[int, Query(ge=-1, le=2**31 - 1, description="leave out up to this seq")] = -1,
        last_event_id: Annotated[str | None, Header(max_length=20)] = None,
    ) -> StreamingResponse:
        """The session's documents, one event each; those that are written while you listen too."""
        live = store.session(session_id)
        if watchers.count >= MAX_WATCHERS:
            raise RefusedError(429, f"{MAX_WATCHERS} watchers are the most that this server serves at once")
        seen = int(last_event_id) if last_event_id and last_event_id.isdecimal() else after
        events = watchers.follow(live.view.folder, seen)
        return StreamingResponse(events, media_type="text/event-stream")


def _add_command(router: APIRouter, store: SessionStore, command: CommandName) -> None:
    @router.post(
        f"/{{session_id}}/{command}",
        status_code=202,
        operation_id=f"{command}_session",
        summary=f"{command.capitalize()} a running session",
        responses=responses(404, 409),
    )
    def send(session_id: SessionId) -> CommandAccepted:
        """Asks a running session; it acts between two actions of the microscope and says so in its events."""
        live = store.session(session_id)
        if not live.view.running:
            raise RefusedError(
                409, f"the session {session_id!r} is not running: there is nothing to {command}"
            )
        sent = send_command(live.view.folder, command, by="web")
        return CommandAccepted(id=sent.id, command=sent.command, session=session_id)


def _picture(kind: str) -> dict[int | str, dict[str, Any]]:
    content = {kind: {"schema": {"type": "string", "format": "binary"}}}
    return responses(404, 409) | {200: {"content": content, "description": "the picture"}}
