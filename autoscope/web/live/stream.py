"""Server-sent events: the documents of a session, as they are written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from autoscope.core import RecordError
from autoscope.records import Document, DocumentTail, open_session

POLL_S = 0.25
"""How often the file's size is looked at for each watcher."""
_KEEP_ALIVE_S = 15.0
MAX_WATCHERS = 100


class Watchers:
    """Counts who watches, and tells all of them when the server ends."""

    def __init__(self) -> None:
        self.count = 0
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Ends every stream."""
        self._closing.set()

    async def follow(self, folder: Path, after: int) -> AsyncIterator[bytes]:
        """The documents of a session behind ``seq == after``, each as one event, until it is over.

        The data of an event is the document; its id is ``seq``, so that a browser that reconnects goes on
        where it was. When no process writes the session any more an event ``end`` closes the stream.
        """
        self.count += 1
        try:
            tail, quiet_s = DocumentTail(folder), 0.0
            yield b"retry: 2000\n\n"
            while not self._closing.is_set():
                running = await asyncio.to_thread(_running, folder)
                text = await asyncio.to_thread(_next, tail, after)
                if text or quiet_s > _KEEP_ALIVE_S:
                    yield text or b": still here\n\n"
                    quiet_s = 0.0
                if not running:
                    yield b"event: end\ndata: {}\n\n"
                    return
                quiet_s += POLL_S
                await self._pause()
        finally:
            self.count -= 1

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._closing.wait(), POLL_S)
        except TimeoutError:
            return


def _running(folder: Path) -> bool:
    return open_session(folder).running


def _next(tail: DocumentTail, after: int) -> bytes:
    try:
        documents = tail.read()
    except RecordError as error:
        return f"event: problem\ndata: {str(error).splitlines()[0]}\n\n".encode()
    return b"".join(_event(document) for document in documents if document.seq > after)


def _event(document: Document) -> bytes:
    return f"id: {document.seq}\ndata: {document.model_dump_json(by_alias=True)}\n\n".encode()
