"""The login page: for browsers that did not come by the printed link."""

from __future__ import annotations

import base64
import hashlib
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment

from autoscope.web.access import LOGIN, Keeper, client, too_often
from autoscope.web.limits import CONTENT_SECURITY_POLICY


def login_router(keeper: Keeper, templates: Environment) -> APIRouter:
    """The two routes that need no token.

    Args:
        keeper: knows the token, and counts wrong ones.
        templates: holds ``login.html.j2`` and ``login.css``.
    """
    router = APIRouter(include_in_schema=False)
    page = templates.get_template("login.html.j2")
    style = templates.get_template("login.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = CONTENT_SECURITY_POLICY.replace("style-src 'self'", f"style-src 'sha256-{digest}'")

    def show(status: int, after: str, problem: str = "") -> Response:
        html = page.render(style=style, after=_local(after), problem=problem)
        return HTMLResponse(html, status, {"Content-Security-Policy": policy})

    @router.get(LOGIN)
    def ask(next: str = "/") -> Response:
        return show(200, next)

    @router.post(LOGIN)
    async def log_in(request: Request) -> Response:
        address = client(request.scope)
        wait_s = keeper.logins.wait_s(address)
        if wait_s > 0:
            return too_often(wait_s)
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
        after = form.get("next", ["/"])[0]
        if not keeper.is_token(form.get("token", [""])[0].strip()):
            keeper.logins.failed(address)
            return show(401, after, "This is not the token that the server printed.")
        response = RedirectResponse(_local(after), 303)
        keeper.set_cookie(response, secure=request.url.scheme == "https")
        return response

    return router


def _local(path: str) -> str:
    """A path on this server, whatever the link asked for."""
    return "/" + path.lstrip("/\\") if path.isprintable() and "\\" not in path else "/"
