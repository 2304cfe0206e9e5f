"""The pages; everything on them comes from the API."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment


def pages_router(templates: Environment, *, labels: bool) -> APIRouter:
    """The pages that people open.

    Args:
        templates: holds them.
        labels: whether there is a label queue.
    """
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    label = templates.get_template("label.html.j2")
    sessions, live = templates.get_template("sessions.html.j2"), templates.get_template("live.html.j2")

    @router.get("/")
    def show_sessions() -> str:
        return sessions.render(page="sessions")

    @router.get("/sessions/{session_id}")
    def show_live(session_id: str) -> str:
        return live.render(page="live", session_id=session_id)

    @router.get("/label")
    def show_label() -> str:
        return label.render(page="label", labels=labels)

    return router
