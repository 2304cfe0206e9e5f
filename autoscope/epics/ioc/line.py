"""The server's side of Channel Access: prompt answers, and a line that can be cut or hang on request."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any

from caproto.asyncio.server import Context

SOON_S = 0.02
"""Real seconds after which a line that was told to fail does; the client has its answer by then."""


class Line:
    """Serves PVs; can be cut for a while, or hang."""

    def __init__(self) -> None:
        self._cut_until_s = 0.0
        self._context: _PromptContext | None = None

    @property
    def is_cut(self) -> bool:
        """Whether clients are turned away."""
        return time.monotonic() < self._cut_until_s

    def cut(self, seconds: float) -> None:
        """Closes every connection soon, and turns clients away for so many real seconds."""
        asyncio.get_running_loop().call_later(SOON_S, self._cut, seconds)

    def hang(self, seconds: float) -> None:
        """Does nothing at all for so many real seconds, soon."""
        asyncio.get_running_loop().call_later(SOON_S, time.sleep, seconds)

    async def serve(self, pvs: Mapping[str, Any], started: Callable[[], None]) -> None:
        """Serves until it is cancelled; ``started`` is called once clients can connect."""

        async def announce(library: object) -> None:
            started()

        self._context = _PromptContext(pvs, self)
        await self._context.run(startup_hook=announce)

    def _cut(self, seconds: float) -> None:
        self._cut_until_s = time.monotonic() + seconds
        if self._context is not None:
            for circuit in tuple(self._context.circuits):
                circuit.client.close()


class _PromptContext(Context):
    """Answers leave at once: the socket that caproto hands to asyncio keeps Nagle's delay of 40 ms."""

    def __init__(self, pvs: Mapping[str, Any], line: Line) -> None:
        super().__init__(pvs)
        self._line = line

    async def tcp_handler(self, client: Any, addr: Any) -> None:
        if self._line.is_cut:
            client.close()
            return
        client.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await super().tcp_handler(client, addr)
