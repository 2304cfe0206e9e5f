"""Refusals: every bad request is answered with a status and one sentence that says what to do."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from autoscope.core import AutoscopeError, ImageError, LabelError


class Problem(BaseModel):
    """Body of every refusal: one sentence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    detail: str


class RefusedError(Exception):
    """A request that cannot be served.

    Attributes:
        status: HTTP status, 4xx.
        detail: one sentence for whoever asked.
    """

    def __init__(self, status: int, detail: str) -> None:
        self.status, self.detail = status, detail
        super().__init__(detail)


def responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may refuse with, for its description in ``/openapi.json``.

    The statuses that any route may answer (no token, another origin, too large, too often) are added.
    """
    said = {
        400: "The request is malformed",
        401: "No token, or a wrong one",
        403: "Not allowed",
        404: "There is no such thing",
        409: "It cannot be done in the present state",
        413: "The body is too large",
        415: "The body is of another content type",
        422: "A value is missing or wrong",
        429: "Too many requests",
    }
    chosen = sorted({*statuses, 400, 401, 403, 413, 415, 422, 429})
    return {status: {"model": Problem, "description": said[status]} for status in chosen}


def add_refusals(app: FastAPI) -> None:
    """Makes an app answer errors with sentences."""
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(AutoscopeError, _failed)


def answer(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """The answer to a refused request."""
    return JSONResponse({"detail": detail}, status, headers)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    return answer(error.status if isinstance(error, RefusedError) else 400, str(error))


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    said = [f"{'.'.join(str(part) for part in p['loc'])}: {p['msg']}" for p in problems]
    return answer(422, "; ".join(said) or "the request is not valid")


async def _http(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        return answer(400, str(error))
    return answer(error.status_code, str(error.detail), dict(error.headers or {}))


async def _failed(_: Request, error: Exception) -> JSONResponse:
    return answer(_status_of(error), str(error))


def _status_of(error: Exception) -> int:
    """What kind of refusal an error of the rooms below is."""
    if isinstance(error, ImageError):
        return 422
    if isinstance(error, LabelError):
        from autoscope.labels import LeaseExpired, QueueError, UnknownRequest

        kinds = ((UnknownRequest, 404), (LeaseExpired, 409), (QueueError, 503))
        return next((status for kind, status in kinds if isinstance(error, kind)), 422)
    return 409
