"""``autoscope serve``."""

from __future__ import annotations

import argparse
import secrets
import tomllib
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

from autoscope.app.cli.main import OK
from autoscope.core import ConfigurationError


def run(options: argparse.Namespace) -> int:
    """Serves live sessions and the labelling page until Ctrl-C or SIGTERM."""
    if find_spec("fastapi") is None or find_spec("uvicorn") is None:
        raise ConfigurationError("autoscope serve needs the extra 'web': pip install 'autoscope[web]'")
    from autoscope.web.server import serve
    from autoscope.web.settings import WebSettings

    settings = WebSettings(
        sessions=options.sessions,
        token=_token(options.token),
        host=options.host,
        port=options.port,
        experts=tuple(options.expert),
        guidelines={} if options.guidelines is None else _guidelines(options.guidelines),
        models=tuple(options.models),
    )
    with ExitStack() as ending:
        queue = None
        if options.queue is not None:
            from autoscope.labels import LabelQueue

            queue = ending.enter_context(LabelQueue.open(options.queue))
        serve(settings, queue, lambda line: print(line, flush=True))
    return OK


def _guidelines(path: Path) -> dict[str, str]:
    """What each class is, from a TOML file of ``class = "text"``.

    Raises:
        ConfigurationError: the file cannot be read, or a text is not a string.
    """
    try:
        texts = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"--guidelines {path} cannot be read: {error}") from error
    wrong = [name for name, text in texts.items() if not isinstance(text, str)]
    if wrong:
        raise ConfigurationError(f'--guidelines {path}: write {wrong[0]} = "what this class is"')
    return texts


def _token(given: str | None) -> str:
    if given is None:
        return secrets.token_urlsafe(24)
    if not given or not given.isascii() or not given.isprintable() or any(c in given for c in " &#+%"):
        raise ConfigurationError(
            "--token must be printable ASCII without spaces, '&', '#', '+' or '%': it is part of a link"
        )
    return given
