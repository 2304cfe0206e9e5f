"""What the session routes answer with."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from autoscope.records import CommandName, FinishReason, QuantityResult, SpentRecord, TargetRecord
from autoscope.records.models import NumberOrNone, Record


class TimeLeftRecord(Record):
    """Predicted seconds of beam time until the targets are reached: even chance, and nine in ten."""

    p50_s: float
    p90_s: float


class SessionSummary(Record):
    """One session in the list.

    Attributes:
        id: name of its folder.
        state: of the session's state machine; ``interrupted`` where no process runs it and it never ended.
        running: whether a process is writing it now.
        unreadable: why it cannot be shown, empty where it can.
    """

    id: str
    state: str
    running: bool
    finish_reason: FinishReason | None = None
    sample: str = ""
    operator: str = ""
    microscope: str = ""
    simulated: bool = False
    started: str = ""
    updated: str = ""
    fields_measured: int = 0
    fields_in_region: int = 0
    quantities: tuple[QuantityResult, ...] = ()
    unreadable: str = ""


class VisitRecord(Record):
    """One field that was measured, or lost: ``values`` are null then."""

    step: int
    field: int
    x_um: float
    y_um: float
    frame: int | None
    values: tuple[NumberOrNone, ...]
    note: str = ""


class DecisionRecord(Record):
    """One choice with its reason."""

    step: int
    field: int
    x_um: float
    y_um: float
    propensity: float
    candidates: int
    reason: str
    predicted: tuple[NumberOrNone, ...]
    predicted_cost_s: float
    time: str


class EstimateRecord(Record):
    """The running result after a step.

    ``quantities``: per target ``[estimate, low, high, half]``, the last the half-width that the large-sample
    interval would have, where the one that counts is still wider.
    """

    step: int
    fields: int
    quantities: tuple[tuple[NumberOrNone, NumberOrNone, NumberOrNone, NumberOrNone], ...]


class FramePlace(Record):
    """Where a frame was taken."""

    frame: int
    purpose: Literal["overview", "field"]
    field: int | None
    x_um: float
    y_um: float
    hfw_um: float


class EventRecord(Record):
    """Something that happened, in words."""

    seq: int
    time: str
    kind: str
    text: str


class MapRecord(Record):
    """The rectangle that the map shows, and the size of a field, um."""

    x0_um: float
    y0_um: float
    x1_um: float
    y1_um: float
    field_width_um: float
    field_height_um: float

    @property
    def box(self) -> tuple[float, float, float, float]:
        """``(x0, y0, x1, y1)``, um."""
        return self.x0_um, self.y0_um, self.x1_um, self.y1_um


class PendingCommand(Record):
    """A command that was sent and that the session has not taken up yet."""

    id: str
    command: CommandName
    time: str


class SessionDetail(SessionSummary):
    """A session as the live page shows it.

    ``visits`` and ``estimates`` hold only what came after the step that was asked for.
    """

    last_seq: int
    step: int
    classes: tuple[str, ...]
    targets: tuple[TargetRecord, ...]
    policy: str
    model: str
    map: MapRecord
    overview_frames: int
    visits: tuple[VisitRecord, ...]
    estimates: tuple[EstimateRecord, ...]
    decisions: tuple[DecisionRecord, ...]
    frame: FramePlace | None
    spent: SpentRecord
    budget: dict[str, float]
    left: TimeLeftRecord | None
    events: tuple[EventRecord, ...]
    pending: tuple[PendingCommand, ...]


class CommandAccepted(Record):
    """A command that is on its way: the session takes it up between two actions of the microscope."""

    id: str
    command: CommandName
    session: str = Field(description="the session that it was sent to")
