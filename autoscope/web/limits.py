"""What is true of every request and response: sizes, content types, headers."""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autoscope.web.refusals import answer

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
    " connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with none at all, browsers hide the origin of our own forms too
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class SafeHeaders:
    """Adds the headers that keep browsers strict, where a response does not set them itself.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if scope["path"].startswith("/static/"):
                    headers.setdefault("Cache-Control", "no-cache")  # asks, and gets 304
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)


class BodyLimit:
    """Refuses bodies that are too large before they are read, or as soon as they turn out to be.

    Args:
        app: what reads the bodies.
        limit: bytes that a body of a content type may have.
        accepts: the content types that a method and path take; none where the route looks itself.
    """

    def __init__(
        self,
        app: ASGIApp,
        limit: Callable[[str], int],
        accepts: Callable[[str, str], tuple[str, ...]],
    ) -> None:
        self._app, self._limit, self._accepts = app, limit, accepts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves or refuses one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        limit, length = self._limit(kind), headers.get("content-length", "")
        accepted = self._accepts(scope["method"], scope["path"])
        has_body = length not in ("", "0") or "transfer-encoding" in headers
        if length.isdigit() and int(length) > limit:
            await answer(413, _too_large(limit))(scope, receive, send)
        elif has_body and accepted and kind not in accepted:
            said = f"the body is {kind or 'of no stated type'}: send {' or '.join(accepted)}"
            await answer(415, said)(scope, receive, send)
        else:
            await self._app(scope, _counted(receive, limit), send)


def _counted(receive: Receive, limit: int) -> Receive:
    """Receives a body whose length was not told before, up to its limit."""
    received = 0

    async def receiving() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, _too_large(limit))
        return message

    return receiving


def _too_large(limit: int) -> str:
    return f"the body is larger than {limit} bytes: nothing was stored"
