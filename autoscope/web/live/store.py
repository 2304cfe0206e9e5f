"""The sessions below one folder: nothing outside it is ever opened, whatever a request names."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from autoscope.core import RecordError
from autoscope.records import EVENTS, MODELS, label_session, open_session
from autoscope.web.live.schemas import SessionSummary
from autoscope.web.live.session import LiveSession
from autoscope.web.refusals import RefusedError

_REMEMBERED = 64


class SessionStore:
    """The sessions that a server shows.

    Args:
        root: a folder of session folders, or one session folder. It may come into being later.
    """

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._live: OrderedDict[str, LiveSession] = OrderedDict()
        self._lock = threading.Lock()

    def summaries(self) -> tuple[SessionSummary, ...]:
        """Every session, the one that was written to last first."""
        found = [self._summary(name) for name in sorted(self._folders())]
        return tuple(sorted(found, key=lambda s: (s.running, s.updated), reverse=True))

    def session(self, name: str) -> LiveSession:
        """A session by its id.

        Raises:
            RefusedError: there is none of that name.
            RecordError: it is damaged.
        """
        folder = self._folders().get(name)
        if folder is None:
            raise RefusedError(404, f"there is no session {name!r} here")
        with self._lock:
            live = self._live.get(name)
            if live is None or not live.is_of(folder):
                live = self._live[name] = LiveSession(name, open_session(folder))
            self._live.move_to_end(name)
            while len(self._live) > _REMEMBERED:
                self._live.popitem(last=False)
            return live

    def model_kind(self, label_name: str) -> str | None:
        """The kind of model that a session began with, by its name in a label queue; None if unknown."""
        folder_name = label_name.rpartition("@")[0]
        try:
            live = self.session(folder_name)
            started = live.started()
        except (RefusedError, RecordError):
            return None
        if started is None or label_session(live.view.folder, started) != label_name:
            return None
        return started.model.kind

    def learnt_models(self) -> tuple[Path, ...]:
        """The weights files that the sessions themselves made from experts' answers."""
        found = [
            path for folder in self._folders().values() for path in (folder / MODELS).glob("*.safetensors")
        ]
        return tuple(path for path in found if path.resolve().is_relative_to(self._root))

    def _folders(self) -> dict[str, Path]:
        """Session folders by name. A request's words are compared with these, never made into a path."""
        if (self._root / EVENTS).is_file():
            return {self._root.name: self._root}
        try:
            children = list(self._root.iterdir())
        except OSError:
            return {}
        return {
            child.name: child
            for child in children
            if (child / EVENTS).is_file() and child.resolve().parent == self._root
        }

    def _summary(self, name: str) -> SessionSummary:
        try:
            return self.session(name).summary()
        except RecordError as error:
            return SessionSummary(id=name, state="unreadable", running=False, unreadable=str(error))
