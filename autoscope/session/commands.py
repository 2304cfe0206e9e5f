"""Takes up what operators ask for by the session's folder, while the session runs."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from autoscope.core import RecordError
from autoscope.records import CommandTail
from autoscope.session.control import SessionControl

log = logging.getLogger(__name__)

POLL_S = 0.2
"""How often the folder is looked at: one look at a file's size."""


class CommandListener:
    """A thread that hands the commands of a session's folder to its control; a context manager.

    Args:
        folder: the session folder.
        control: the running session's.
        skip_old: whether commands from before now are passed over (a session that is taken up again).
    """

    def __init__(self, folder: Path, control: SessionControl, *, skip_old: bool = False) -> None:
        self._tail = CommandTail(folder, skip_old=skip_old)
        self._control = control
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="commands", daemon=True)

    def _listen(self) -> None:
        while not self._ending.wait(POLL_S):
            try:
                for command in self._tail.read():
                    self._control.obey(command)
            except RecordError as error:  # a share that is away for a moment: the session goes on
                log.warning("%s", error)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ending.set()
        self._thread.join()
