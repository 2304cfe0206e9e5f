"""``events.jsonl``: documents appended for good, a step at a time, by one process at a time."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from autoscope.core import RecordError
from autoscope.records.documents import DOCUMENT, Document
from autoscope.records.folder import EVENTS, cannot_write

_LOCK_WAIT_S = 1.0  # a process that is being killed, or a reader that asks who writes, holds it for a moment


class EventLog:
    """The writing end. It locks the file, so that no second process writes the same session.

    The lock is the kernel's (``flock``): it goes when its process goes, however it ends.

    Args:
        path: the file, which must exist.

    Raises:
        RecordError: another process writes this session, or a line is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_APPEND)
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        try:
            self._lock()
            self.documents, self._size = read_events(path)
            self._cut()
        except BaseException:
            os.close(self._descriptor)
            raise
        self._next_seq = len(self.documents)
        self._closed = False

    def append(self, documents: Sequence[Document]) -> tuple[Document, ...]:
        """Stamps and writes documents in one go; returns when they are on disk, all of them or none.

        Raises:
            RecordError: the disk is full or failing, or the log is closed; nothing was appended.
        """
        if self._closed:
            raise RecordError(f"the session in {self._folder} is closed: nothing more can be written to it")
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        last = len(documents) - 1
        stamped = tuple(
            document.model_copy(update={"seq": self._next_seq + i, "time": now, "following": last - i})
            for i, document in enumerate(documents)
        )
        lines = "".join(document.model_dump_json(by_alias=True) + "\n" for document in stamped).encode()
        try:
            self._write(lines)
        except OSError as error:
            raise cannot_write(self._folder, error) from error
        self._size += len(lines)
        self._next_seq += len(stamped)
        return stamped

    def close(self) -> None:
        """Gives up the lock; may be called twice."""
        if not self._closed:
            self._closed = True
            os.close(self._descriptor)

    def _lock(self) -> None:
        give_up = time.monotonic() + _LOCK_WAIT_S
        while not _lock(self._descriptor, fcntl.LOCK_EX):
            if time.monotonic() > give_up:
                raise RecordError(
                    f"another process is writing the session in {self._folder}: wait for it or stop it first"
                )
            time.sleep(0.02)

    def _cut(self) -> None:
        """Drops whatever lies behind the last whole step."""
        if os.fstat(self._descriptor).st_size != self._size:
            os.ftruncate(self._descriptor, self._size)
            os.fsync(self._descriptor)

    def _write(self, lines: bytes) -> None:
        self._cut()  # what an append that failed may have left
        try:
            written = os.write(self._descriptor, lines)
            while written < len(lines):  # the disk is nearly full: the rest tells why
                written += os.write(self._descriptor, lines[written:])
            os.fsync(self._descriptor)
        except OSError:
            os.ftruncate(self._descriptor, self._size)
            raise


def read_events(path: Path, size: int = 0, count: int = 0) -> tuple[tuple[Document, ...], int]:
    """Reads the documents of all whole steps.

    A last line without its end, or a last step without its last document, was being written when the
    process was killed (or is being written now): it does not count.

    Args:
        path: the file.
        size: how many bytes were read before, all of whole steps; those are passed over.
        count: how many documents they held.

    Returns:
        The documents, and how many bytes of the file they and what was passed over take.

    Raises:
        RecordError: the file cannot be read, or a line that is not the torn last one is damaged.
    """
    try:
        with path.open("rb") as file:
            file.seek(size)
            data = file.read()
    except OSError as error:
        raise RecordError(f"cannot read {path}: {error.strerror}") from error
    documents: list[Document] = []
    whole, read = 0, size
    for number, line in enumerate(data.split(b"\n")[:-1], start=count + 1):
        document = _parse(path, number, line)
        if document.seq != number - 1:
            raise RecordError(
                f"{path}, line {number}: seq is {document.seq} where {number - 1} must be:"
                " a line is missing or was added; restore the file from a copy"
            )
        documents.append(document)
        read += len(line) + 1
        if document.following == 0:
            whole, size = len(documents), read
    return tuple(documents[:whole]), size


class DocumentTail:
    """Follows a session that grows: every call gives the documents that came since the call before.

    Args:
        folder: the session folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / EVENTS
        self._size = self._count = 0

    def read(self) -> tuple[Document, ...]:
        """The new documents of whole steps, in order; a look at the file's size where there are none.

        Raises:
            RecordError: the file cannot be read, or a line is damaged.
        """
        try:
            grown = self._path.stat().st_size > self._size
        except OSError as error:
            raise RecordError(f"cannot read {self._path}: {error.strerror}") from error
        if not grown:
            return ()
        documents, self._size = read_events(self._path, self._size, self._count)
        self._count += len(documents)
        return documents


def _parse(path: Path, number: int, line: bytes) -> Document:
    try:
        return DOCUMENT.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(key) for key in first["loc"])
        raise RecordError(
            f"{path}, line {number} is damaged ({where + ': ' if where else ''}{first['msg']}): only a torn"
            " last line can be left out; restore the file from a copy"
        ) from error


def is_being_written(path: Path) -> bool:
    """Whether a process holds the lock of an event log."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return not _lock(descriptor, fcntl.LOCK_SH)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
