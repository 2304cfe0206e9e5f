"""Who may use the server: the token, by header or by the cookie that the printed link sets."""

from __future__ import annotations

import hashlib
import hmac
import math
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from autoscope.web.rate import RateLimit
from autoscope.web.refusals import answer
from autoscope.web.settings import WebSettings

LOGIN = "/login"
_READING = ("GET", "HEAD", "OPTIONS")


class Keeper:
    """Knows the token and the cookie that stands for it.

    Args:
        settings: of the server.
    """

    def __init__(self, settings: WebSettings) -> None:
        self._token = settings.token.encode()
        self.cookie = f"autoscope_{settings.port}"  # cookies are shared by all ports of a host
        self._value = hmac.new(self._token, b"autoscope cookie", hashlib.sha256).hexdigest()
        self.guesses = RateLimit(60, 60.0)
        self.logins = RateLimit(5, 60.0)

    def is_token(self, text: str) -> bool:
        """Whether this is the token; takes as long for a near miss as for any other."""
        return hmac.compare_digest(text.encode(), self._token)

    def has_cookie(self, headers: Headers) -> bool:
        """Whether a request carries the cookie."""
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        morsel = cookies.get(self.cookie)
        return morsel is not None and hmac.compare_digest(morsel.value.encode(), self._value.encode())

    def set_cookie(self, response: Response, *, secure: bool) -> None:
        """Lets whoever gets this response in from now on."""
        response.set_cookie(self.cookie, self._value, httponly=True, samesite="lax", secure=secure)


class Gate:
    """Lets in requests with the token; refuses changes that another site's page asks for.

    Args:
        app: what is behind the gate.
        keeper: knows the token.
    """

    def __init__(self, app: ASGIApp, keeper: Keeper) -> None:
        self._app, self._keeper = app, keeper

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves or refuses one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._foreign(scope) or self._unknown(scope)
        await (refusal or self._app)(scope, receive, send)

    def _foreign(self, scope: Scope) -> Response | None:
        """The refusal of a change that a page of another origin asks for, None where there is no such."""
        if scope["method"] in _READING:
            return None
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if origin is not None:
            foreign = urlsplit(origin).netloc != headers.get("host", "")
        else:
            foreign = headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        return answer(403, "a page of another origin may not change anything here") if foreign else None

    def _unknown(self, scope: Scope) -> Response | None:
        """The refusal of a request without the token, None where it has it."""
        if scope["path"] == LOGIN:
            return None
        headers, keeper = Headers(scope=scope), self._keeper
        offered = [
            value for key, value in parse_qsl(scope["query_string"].decode("latin-1")) if key == "token"
        ]
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            offered.append(bearer.strip())
        elif keeper.has_cookie(headers):
            return _without_token(scope) if offered and _wants_page(scope, headers) else None
        if not offered:
            return _login_first(scope, headers)
        return self._check(scope, headers, offered)

    def _check(self, scope: Scope, headers: Headers, offered: list[str]) -> Response | None:
        keeper, address = self._keeper, client(scope)
        wait_s = keeper.guesses.wait_s(address)
        if wait_s > 0:
            return too_often(wait_s)
        if not all(keeper.is_token(text) for text in offered):
            keeper.guesses.failed(address)
            return _login_first(scope, headers, "the token is wrong: use the link that the server printed")
        if not _wants_page(scope, headers):
            return None
        response = _without_token(scope)
        keeper.set_cookie(response, secure=scope["scheme"] == "https")
        return response


def client(scope: Scope) -> str:
    """The address that a request came from."""
    return str(scope["client"][0]) if scope.get("client") else ""


def too_often(wait_s: float) -> Response:
    """The refusal of one more guess."""
    seconds = max(1, math.ceil(wait_s))
    return answer(429, f"too many wrong tokens: try again in {seconds} s", {"Retry-After": str(seconds)})


def _wants_page(scope: Scope, headers: Headers) -> bool:
    """Whether a person opens an address by a browser, and no program asks."""
    by_link = "authorization" not in headers
    return by_link and scope["method"] == "GET" and not scope["path"].startswith("/api/")


def _without_token(scope: Scope) -> Response:
    """To the same page, with the token gone from the address line."""
    kept = [
        (key, value) for key, value in parse_qsl(scope["query_string"].decode("latin-1")) if key != "token"
    ]
    return RedirectResponse(_local(scope["path"]) + (f"?{urlencode(kept)}" if kept else ""), 303)


def _login_first(scope: Scope, headers: Headers, why: str = "") -> Response:
    if scope["method"] == "GET" and "text/html" in headers.get("accept", ""):
        return RedirectResponse(f"{LOGIN}?{urlencode({'next': _local(scope['path'])})}", 303)
    detail = why or "a token is needed: send the header Authorization: Bearer TOKEN"
    return answer(401, detail, {"WWW-Authenticate": "Bearer"})


def _local(path: str) -> str:
    """A path on this server, never another host (``//evil``)."""
    return "/" + path.lstrip("/\\")
