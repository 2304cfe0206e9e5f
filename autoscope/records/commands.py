"""``commands.jsonl``: what operators ask of a running session from another process, one line for each wish.

Whoever watches appends, the session's own process reads and acts; the events say which commands it took up
(`CommandDocument`). Nothing here touches the microscope, and a session never waits for this file.
"""

from __future__ import annotations

import errno
import fcntl
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from autoscope.core import RecordError
from autoscope.records.models import CommandName, Record

COMMANDS = "commands.jsonl"


class Command(Record):
    """One wish of an operator.

    Attributes:
        id: unique; the session's acknowledgement names it.
        command: what is wished.
        by: who wished it, as far as that is known.
        time: when, ISO 8601 UTC.
    """

    id: str
    command: CommandName
    by: str = ""
    time: str


def send_command(folder: Path, command: CommandName, by: str = "") -> Command:
    """Appends a command to a session's folder; returns when it is on disk.

    Args:
        folder: the session folder.
        command: what the session shall do.
        by: who asks.

    Raises:
        RecordError: it cannot be written; the session will not see it.
    """
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    new = Command(id=uuid.uuid4().hex, command=command, by=by, time=now)
    line = new.model_dump_json().encode() + b"\n"
    try:
        descriptor = os.open(folder / COMMANDS, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _write(descriptor, line)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise RecordError(f"cannot send {command!r} to {folder}: {error.strerror}; send it again") from error
    return new


def _write(descriptor: int, line: bytes) -> None:
    """Writes a line whole or not at all, behind the end of one that a killed process may have left torn."""
    size = os.fstat(descriptor).st_size
    torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
    data = b"\n" + line if torn else line
    try:
        if os.write(descriptor, data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise


class CommandTail:
    """Follows the commands of a session.

    Args:
        folder: the session folder.
        skip_old: whether to pass over what was sent before now: whoever takes up a session that was
            interrupted has decided anew.
    """

    def __init__(self, folder: Path, *, skip_old: bool = False) -> None:
        self._path = folder / COMMANDS
        self._size = self._file_size() if skip_old else 0

    def read(self) -> tuple[Command, ...]:
        """The commands that came since the call before, in order; torn or foreign lines are passed over.

        Raises:
            RecordError: the file cannot be read.
        """
        if self._file_size() <= self._size:
            return ()
        try:
            with self._path.open("rb") as file:
                file.seek(self._size)
                data = file.read()
        except OSError as error:
            raise RecordError(f"cannot read {self._path}: {error.strerror}") from error
        whole = data[: data.rfind(b"\n") + 1]
        self._size += len(whole)
        return tuple(command for line in whole.splitlines() if (command := _parse(line)) is not None)

    def _file_size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise RecordError(f"cannot read {self._path}: {error.strerror}") from error


def _parse(line: bytes) -> Command | None:
    try:
        return Command.model_validate_json(line)
    except ValidationError:
        return None
