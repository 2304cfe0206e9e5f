"""One session as it is on disk now, for any number of watchers."""

from __future__ import annotations

import threading
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.estimation import fields_left
from autoscope.records import (
    Command,
    CommandTail,
    DocumentTail,
    LabelCounts,
    QuantityResult,
    SessionView,
    StartedDocument,
    TargetRecord,
)
from autoscope.web.live.schemas import (
    FramePlace,
    MapRecord,
    PendingCommand,
    SessionDetail,
    SessionSummary,
    TimeLeftRecord,
)
from autoscope.web.live.story import Story


class LiveSession:
    """Follows one session folder; reading takes no lock that its writer would notice.

    Args:
        name: id of the session.
        view: its folder.
    """

    def __init__(self, name: str, view: SessionView) -> None:
        self.name, self.view = name, view
        self._inode = view.folder.stat().st_ino
        self._documents, self._commands = DocumentTail(view.folder), CommandTail(view.folder)
        self._sent: list[Command] = []
        self.story = Story()
        self._lock = threading.Lock()
        self._fields: dict[str, NDArray[Any]] | None = None

    def is_of(self, folder: Path) -> bool:
        """Whether this is the session in a folder, and not one of the same name that was there before."""
        return folder.stat().st_ino == self._inode

    def summary(self) -> SessionSummary:
        """The session in a few lines.

        Raises:
            RecordError: it is damaged.
        """
        with self._lock:
            self._refresh()
            return SessionSummary.model_validate(self._summary())

    def detail(self, after: int = -1) -> SessionDetail:
        """Everything that the live page shows.

        Args:
            after: visits and estimates up to the document of this ``seq`` are left out.

        Raises:
            RecordError: it is damaged.
        """
        with self._lock:
            self._refresh()
            story = self.story
            started = story.started
            return SessionDetail.model_validate(
                self._summary()
                | {
                    "last_seq": story.last_seq,
                    "step": story.step,
                    "classes": started.classes if started else (),
                    "targets": started.targets if started else (),
                    "policy": started.policy.kind if started else "",
                    "model": started.model.kind if started else "",
                    "map": self.map,
                    "overview_frames": len(story.overview),
                    "visits": tuple(v for v in story.visits if v.seq > after),
                    "estimates": tuple(e for e in story.estimates if e.seq > after),
                    "decisions": tuple(story.decisions),
                    "frame": None if story.frame is None else _place(story),
                    "spent": story.spent,
                    "budget": self._budget(),
                    "left": self._left(),
                    "events": tuple(story.events),
                    "labels": LabelCounts(requested=len(story.asked), answered=len(story.answered)),
                    "pending": self._pending(),
                }
            )

    def started(self) -> StartedDocument | None:
        """How the session began; None where it has not said so yet.

        Raises:
            RecordError: it is damaged.
        """
        with self._lock:
            self._refresh()
            return self.story.started

    @property
    def fields(self) -> dict[str, NDArray[Any]]:
        """The table of fields, which never changes."""
        if self._fields is None:
            self._fields = self.view.fields
        return self._fields

    def _refresh(self) -> None:
        for document in self._documents.read():
            self.story.tell(document)
        self._sent += self._commands.read()

    def _summary(self) -> dict[str, Any]:
        story, running = self.story, self.view.running
        started, finished = story.started, story.finished
        state = story.state if running or finished is not None else "interrupted"
        return {
            "id": self.name,
            "state": state,
            "running": running,
            "finish_reason": None if finished is None else finished.finish_reason,
            "sample": started.sample.id if started else "",
            "operator": started.sample.operator if started else "",
            "microscope": started.microscope.name if started else "",
            "simulated": started.microscope.simulated if started else False,
            "started": started.time if started else "",
            "updated": story.updated,
            "fields_measured": len(story.visits),
            "fields_in_region": started.fields_in_region if started else 0,
            "quantities": story.quantities,
        }

    @property
    def map(self) -> MapRecord:
        """The rectangle that all fields cover."""
        fields = self.fields
        width, height = float(fields["hfw_um"]), float(fields["vfw_um"])
        x, y = np.asarray(fields["x_um"]), np.asarray(fields["y_um"])
        edges = [(x - width / 2).min(), (y - height / 2).min(), (x + width / 2).max(), (y + height / 2).max()]
        x0, y0, x1, y1 = (float(edge) for edge in edges)
        return MapRecord(x0_um=x0, y0_um=y0, x1_um=x1, y1_um=y1, field_width_um=width, field_height_um=height)

    def _budget(self) -> dict[str, float]:
        table = tomllib.loads(self.view.config_toml).get("budget", {})
        return {key: float(value) for key, value in table.items() if isinstance(value, int | float)}

    def _left(self) -> TimeLeftRecord | None:
        story, started = self.story, self.story.started
        seconds = story.seconds_per_field
        if started is None or story.finished is not None or seconds is None or not story.quantities:
            return None
        needed = [0.0, 0.0]
        for quantity, target in zip(story.quantities, started.targets, strict=True):
            half = quantity.extra.get("large_sample_half_width", quantity.half_width)
            left = fields_left(
                half, _wanted(quantity, target), quantity.fields_measured, started.fields_in_region
            )
            if left is None:
                return None
            if not quantity.target_met:
                needed = [max(pair) for pair in zip(needed, left, strict=True)]
        return TimeLeftRecord(p50_s=needed[0] * seconds, p90_s=needed[1] * seconds)

    def _pending(self) -> tuple[PendingCommand, ...]:
        """What was sent since the session began or was taken up again, and is not acknowledged."""
        if self.story.finished is not None:
            return ()
        self._sent = [c for c in self._sent if c.id not in self.story.taken_up and c.time >= self.story.begun]
        return tuple(PendingCommand(id=c.id, command=c.command, time=c.time) for c in self._sent)


def _place(story: Story) -> FramePlace | None:
    shown = story.frame
    if shown is None:
        return None
    return FramePlace.model_validate(shown.model_dump(include=set(FramePlace.model_fields)))


def _wanted(quantity: QuantityResult, target: TargetRecord) -> float | None:
    """The half-width that is asked for, absolute; None where a relative one has no estimate yet."""
    if target.half_width is not None:
        return target.half_width
    if target.relative is None or not quantity.estimate:
        return None
    return target.relative * abs(quantity.estimate)
