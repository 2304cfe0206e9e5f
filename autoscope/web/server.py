"""Running the application: one socket, one process, a clean end."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from autoscope.core import ConfigurationError
from autoscope.web.application import create_app
from autoscope.web.live.stream import Watchers
from autoscope.web.settings import WebSettings

if TYPE_CHECKING:
    from autoscope.labels import LabelQueue

_GRACE_S = 3


class _Server(uvicorn.Server):
    """Ends event streams first, so that they do not keep the server waiting; leaves no signal behind."""

    def __init__(self, config: uvicorn.Config, watchers: Watchers) -> None:
        super().__init__(config)
        self._watchers = watchers

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._watchers.close()
        super().handle_exit(sig, frame)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        before = {
            number: signal.signal(number, self.handle_exit) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(
    settings: WebSettings, queue: LabelQueue | None = None, announce: Callable[[str], None] = print
) -> None:
    """Serves until Ctrl-C or SIGTERM.

    Args:
        settings: where to listen and who may use it; port 0 takes any that is free.
        queue: the label requests; None serves sessions alone.
        announce: told the link once the server listens, then what to know about it.

    Raises:
        ConfigurationError: the address cannot be listened on.
    """
    with _listening(settings.host, settings.port) as listening:
        settings = replace(settings, port=listening.getsockname()[1])
        watchers = Watchers()
        app = create_app(settings, queue, watchers)
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, server_header=False, proxy_headers=False,
            timeout_graceful_shutdown=_GRACE_S, h11_max_incomplete_event_size=32 * 1024,
        )  # fmt: skip
        listening.listen(256)
        announce(settings.link)
        if not _is_loopback(settings.host):
            announce(
                "This server can be reached from other machines and its traffic is not encrypted: put it"
                " behind a TLS proxy, or use --host 127.0.0.1 and an SSH tunnel."
            )
        announce("Ctrl-C ends the server; sessions go on without it.")
        _Server(config, watchers).run(sockets=[listening])


def _listening(host: str, port: int) -> socket.socket:
    """A bound socket.

    Raises:
        ConfigurationError: the port is taken or not allowed, or the host is unknown.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise ConfigurationError(_why(host, port, error)) from error
    return bound


def _why(host: str, port: int, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"--host {host}: no such address ({error.strerror})"
    if error.errno == errno.EADDRINUSE:
        return f"--port {port} is taken on {host}: choose another port, or 0 for a free one"
    if error.errno == errno.EACCES:
        return f"--port {port}: ports below 1024 need administrator's rights; choose one above"
    return f"cannot listen on {host}:{port}: {os.strerror(error.errno) if error.errno else error}"


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")
