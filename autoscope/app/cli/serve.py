"""``autoscope serve``."""

from __future__ import annotations

import argparse
import secrets
from importlib.util import find_spec

from autoscope.app.cli.main import OK
from autoscope.core import ConfigurationError


def run(options: argparse.Namespace) -> int:
    """Serves live sessions and the labelling page until Ctrl-C or SIGTERM."""
    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        raise ConfigurationError("autoscope serve needs the extra 'web': pip install 'autoscope[web]'")
    from autoscope.web.server import serve
    from autoscope.web.settings import WebSettings

    serve(
        WebSettings(
            sessions=options.sessions,
            token=_token(options.token),
            host=options.host,
            port=options.port,
        ),
        lambda line: print(line, flush=True),
    )
    return OK


def _token(given: str | None) -> str:
    if given is None:
        return secrets.token_urlsafe(24)
    if not given or not given.isascii() or not given.isprintable() or any(c in given for c in " &#+%"):
        raise ConfigurationError(
            "--token must be printable ASCII without spaces, '&', '#', '+' or '%': it is part of a link"
        )
    return given
