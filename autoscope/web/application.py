"""The application, made of explicit parts: routes inside, limits and the gate around them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.types import ASGIApp

import autoscope
from autoscope.labels import LabelQueue
from autoscope.perception.model_shelf import ModelShelf
from autoscope.web.access import LOGIN, Gate, Keeper
from autoscope.web.labelling.desk import LabelDesk
from autoscope.web.labelling.explanation_routes import explanations_router
from autoscope.web.labelling.explanations import Explanations
from autoscope.web.labelling.guidelines import Guidelines
from autoscope.web.labelling.review import review_router
from autoscope.web.labelling.routes import requests_router
from autoscope.web.limits import BodyLimit, SafeHeaders
from autoscope.web.live.routes import sessions_router
from autoscope.web.live.store import SessionStore
from autoscope.web.live.stream import Watchers
from autoscope.web.login import login_router
from autoscope.web.pages import pages_router
from autoscope.web.refusals import add_refusals
from autoscope.web.settings import MAX_JSON_BYTES, MAX_MASK_BYTES, WebSettings

HERE = Path(__file__).parent


def create_app(
    settings: WebSettings, queue: LabelQueue | None = None, watchers: Watchers | None = None
) -> FastAPI:
    """Builds the application.

    Args:
        settings: where it listens and who may use it.
        queue: the label requests; None serves sessions alone.
        watchers: ends the streams of events when the server ends.

    Raises:
        ConfigurationError: a named place of models is not what it must be.
        ModelError: a named file is no model.
    """
    keeper, store = Keeper(settings), SessionStore(settings.sessions)
    desk = None if queue is None else LabelDesk(queue, settings.experts)
    shelf = ModelShelf(settings.models, store.learnt_models)
    explanations = None if queue is None else Explanations(queue, shelf, store.model_kind)
    app = FastAPI(
        title="autoscope",
        version=autoscope.__version__,
        description="Live sessions and label requests. Every request needs the token that was printed.",
        docs_url=None,
        redoc_url=None,
        lifespan=_closing(desk, explanations),
    )
    templates = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=select_autoescape(["j2", "html"])
    )
    add_refusals(app)
    app.include_router(login_router(keeper, templates))
    app.include_router(sessions_router(store, watchers or Watchers()))
    if desk is not None:
        app.include_router(requests_router(desk))
        app.include_router(review_router(desk, Guidelines(desk.queue, settings.guidelines)))
    if explanations is not None:
        app.include_router(explanations_router(explanations))
    app.include_router(pages_router(templates, labels=desk is not None))
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    _surround(app, keeper)
    return app


def _closing(
    desk: LabelDesk | None, explanations: Explanations | None
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if desk is not None:
            desk.warm_up()
        yield
        for part in (desk, explanations):
            if part is not None:
                part.close()

    return lifespan


def _surround(app: FastAPI, keeper: Keeper) -> None:
    """Puts the checks around the routes, the outermost last."""
    around: list[Callable[[ASGIApp], ASGIApp]] = [
        lambda inner: BodyLimit(inner, _limit, _accepts),
        lambda inner: Gate(inner, keeper),
        SafeHeaders,
    ]
    for layer in around:
        app.add_middleware(layer)


def _limit(kind: str) -> int:
    return MAX_MASK_BYTES if kind == "image/png" else MAX_JSON_BYTES


def _accepts(method: str, path: str) -> tuple[str, ...]:
    """The content types of a body; a page of another site cannot send these without asking first."""
    if path == LOGIN:
        return ("application/x-www-form-urlencoded",)
    if path.endswith(("/answer", "/suggest")):
        return ("image/png",)
    return ("application/json",)
