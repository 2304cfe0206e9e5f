"""The documents of ``events.jsonl``: one frozen model for each ``type``, one line for each document."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, FiniteFloat, TypeAdapter

from autoscope.records.models import (
    CandidateRecord,
    CommandName,
    DriverRecord,
    FinishReason,
    InclusionResult,
    KindRecord,
    MicroscopeRecord,
    NumberOrNone,
    QuantityResult,
    Record,
    SampleRecord,
    SpentRecord,
    TargetRecord,
    Tier,
)

SCHEMA: Literal["autoscope.session/1"] = "autoscope.session/1"
"""Name and version of the layout of a session folder."""


class _Stamped(Record):
    """What every document has; the writer fills it in.

    Attributes:
        seq: number of the document in the session, counted from 0.
        time: when it was written, ISO 8601 UTC.
        following: how many further documents belong to the same step. They were written in one go and
            count only together: a step that was torn by a power cut was not done.
    """

    seq: int = -1
    time: str = ""
    following: int = 0


class StartedDocument(_Stamped):
    """The first document: what was asked, of which sample, on what, with which seed."""

    type: Literal["started"] = "started"
    schema_: Literal["autoscope.session/1"] = Field(default=SCHEMA, alias="schema")
    autoscope_version: str
    seed: int
    microscope: MicroscopeRecord
    sample: SampleRecord = SampleRecord()
    specimen: str = ""
    specimen_source: str = ""
    specimen_licence: str = ""
    policy: KindRecord
    model: KindRecord
    tier: Tier = "standard"
    exploration: FiniteFloat | None = None
    targets: tuple[TargetRecord, ...]
    classes: tuple[str, ...] = ()
    fields_in_region: int
    region_area_um2: FiniteFloat


class StateDocument(_Stamped):
    """The session entered a state."""

    type: Literal["state"] = "state"
    state: Literal["idle", "overview", "measuring", "paused", "stopping", "done", "failed"]


class FrameDocument(_Stamped):
    """A frame is on disk, and where the microscope was after it. ``frame`` is its index in session.h5."""

    type: Literal["frame"] = "frame"
    frame: int
    purpose: Literal["overview", "field"]
    field: int | None = None
    x_um: FiniteFloat
    y_um: FiniteFloat
    z_um: FiniteFloat = 0.0
    working_distance_mm: FiniteFloat
    hfw_um: FiniteFloat
    dwell_us: FiniteFloat
    dose_e_per_nm2: FiniteFloat
    driver: DriverRecord


class FocusDocument(_Stamped):
    """The microscope was focused; ``again``: for a second look at one field, and for that alone."""

    type: Literal["focus"] = "focus"
    x_um: FiniteFloat
    y_um: FiniteFloat
    working_distance_mm: FiniteFloat
    sharpness: NumberOrNone = None
    again: bool = False
    driver: DriverRecord | None = None


class DecisionDocument(_Stamped):
    """One choice, with the propensity of its draw, logged when it was drawn."""

    type: Literal["decision"] = "decision"
    step: int
    draw: int
    field: int
    x_um: FiniteFloat
    y_um: FiniteFloat
    preset: str = "reference"
    propensity: Annotated[FiniteFloat, Field(gt=0, le=1)]
    candidates: int
    reason: str
    predicted: tuple[NumberOrNone, ...] = ()
    predicted_cost_s: FiniteFloat
    policy_sha256: str = ""
    visit_s: FiniteFloat = 0.0
    refocus: bool = False
    eds_price: FiniteFloat = 1.0
    draw_weight: FiniteFloat = 1.0
    error_weight: FiniteFloat = 1.0


class ObservationDocument(_Stamped):
    """What one target's quantity was on one field; ``value`` is None where it could not be measured.

    ``again``: the stored frame was measured again, by the model of the ``model_adopted`` that this was
    written together with; the last value of a field counts.
    """

    type: Literal["observation"] = "observation"
    step: int
    field: int
    quantity: str
    class_name: str = Field(alias="class")
    value: NumberOrNone = None
    predicted: NumberOrNone = None
    note: str = ""
    variance: NumberOrNone = None
    extra_s: FiniteFloat = 0.0
    again: bool = False
    sharpness: NumberOrNone = None
    focus_age_s: NumberOrNone = None


class SpectrumDocument(_Stamped):
    """A spectrum of a feature is on disk. ``spectrum`` is its index in session.h5."""

    type: Literal["spectrum"] = "spectrum"
    spectrum: int
    step: int
    field: int
    feature: int
    x_um: FiniteFloat
    y_um: FiniteFloat
    live_s: FiniteFloat
    real_s: FiniteFloat
    took_s: FiniteFloat
    looks: int
    counts: int
    propensity: Annotated[FiniteFloat, Field(gt=0, le=1)]
    class_name: str = Field(alias="class")
    class_probability: FiniteFloat
    ev_per_channel: FiniteFloat
    offset_ev: FiniteFloat
    note: str = ""
    driver: DriverRecord


class CandidatesDocument(_Stamped):
    """The features of a field that could get a spectrum, written together with its observations."""

    type: Literal["candidates"] = "candidates"
    step: int
    field: int
    area_um2: FiniteFloat
    candidates: tuple[CandidateRecord, ...]


class LookDocument(_Stamped):
    """A frame looked unlike what the model was made for, or was taken again because the one before did.

    Written together with the field's observations. ``score`` is 1 at the edge of suspicion.
    """

    type: Literal["look"] = "look"
    step: int
    field: int
    frame: int
    level: Literal["familiar", "suspicious", "foreign"]
    guess: str = ""
    score: FiniteFloat
    action: Literal["taken again", "set aside", "measured", "worst case"]


class InclusionsDocument(_Stamped):
    """The inclusions that were counted on one field, written together with its observations.

    The last document of a step counts.
    """

    type: Literal["inclusions"] = "inclusions"
    step: int
    field: int
    inclusions: tuple[InclusionResult, ...]


class EstimateDocument(_Stamped):
    """The running result after a step."""

    type: Literal["estimate"] = "estimate"
    step: int
    quantities: tuple[QuantityResult, ...]


class CommandDocument(_Stamped):
    """The session took up a command that came by its folder (:mod:`autoscope.records.commands`)."""

    type: Literal["command"] = "command"
    command: CommandName
    id: str
    by: str = ""


class WarningDocument(_Stamped):
    """Something that a reader of the result must know."""

    type: Literal["warning"] = "warning"
    message: str


class LabelChoiceDocument(_Stamped):
    """Whether the frame of a step was put to the experts: the chance it had, and how the coin fell.

    ``request`` is its number in the queue, None where it was not asked for.
    """

    type: Literal["label_choice"] = "label_choice"
    step: int
    field: int
    chance: Annotated[FiniteFloat, Field(gt=0, le=1)]
    score: FiniteFloat
    asked: bool
    request: int | None = None
    model_sha256: str = ""


class LabelAnswerDocument(_Stamped):
    """An expert's answer was taken in: what it makes of each target on that field, in the targets' order.

    ``values`` is empty where no expert could answer, and then ``note`` says why.
    """

    type: Literal["label_answer"] = "label_answer"
    step: int
    field: int
    request: int
    answer: int | None = None
    expert: str = ""
    seconds: FiniteFloat = 0.0
    tool: str = ""
    started_from: str = ""
    second_opinion: bool = False
    mask_sha256: str = ""
    values: tuple[FiniteFloat, ...] = ()
    note: str = ""


class ModelJudgement(_Stamped):
    """How a model that was fine-tuned on a session's answers compares with the one that asked.

    Attributes:
        answers: how many answers there were.
        old_sha256: of the model that measured so far.
        new_sha256: of the fine-tuned one; empty where there is none.
        learnt: steps whose answers it has learnt from.
        held_out: how many answers both were judged on.
        held_out_chance: chance that each answer had of being held out.
        mean_iou: of the new model on those; None where nothing was judged.
        mean_iou_before: of the old one.
    """

    answers: int
    old_sha256: str
    new_sha256: str = ""
    learnt: tuple[int, ...] = ()
    held_out: int = 0
    held_out_chance: Annotated[FiniteFloat, Field(gt=0, le=1)]
    mean_iou: NumberOrNone = None
    mean_iou_before: NumberOrNone = None


class ModelAdoptedDocument(ModelJudgement):
    """A fine-tuned model measures from now on, and has measured every stored frame again.

    Written together with the new observations of all fields.

    Attributes:
        file: the model, in the session's folder.
        teachable: answers to so many first visits could have been learnt from.
        fields: how many fields were measured again.
    """

    type: Literal["model_adopted"] = "model_adopted"
    file: str
    teachable: int
    fields: int

    @property
    def model(self) -> KindRecord:
        """The model that measures from now on."""
        return KindRecord(kind="segmentation", sha256=self.new_sha256)


class ModelRefusedDocument(ModelJudgement):
    """A fine-tuned model is not used, and why; nothing has changed."""

    type: Literal["model_refused"] = "model_refused"
    note: str


class ResumedDocument(_Stamped):
    """An interrupted session goes on. Frames that were taken but never acknowledged were dropped."""

    type: Literal["resumed"] = "resumed"
    dropped_frames: int = 0


class FinishedDocument(_Stamped):
    """How the session ended."""

    type: Literal["finished"] = "finished"
    finish_reason: FinishReason
    spent: SpentRecord
    wall_time_s: FiniteFloat
    quantities: tuple[QuantityResult, ...]
    warnings: tuple[str, ...] = ()


Document = (
    StartedDocument
    | StateDocument
    | FrameDocument
    | FocusDocument
    | DecisionDocument
    | ObservationDocument
    | LookDocument
    | InclusionsDocument
    | SpectrumDocument
    | CandidatesDocument
    | EstimateDocument
    | CommandDocument
    | WarningDocument
    | LabelChoiceDocument
    | LabelAnswerDocument
    | ModelAdoptedDocument
    | ModelRefusedDocument
    | ResumedDocument
    | FinishedDocument
)
"""Any document."""

DOCUMENT: TypeAdapter[Document] = TypeAdapter(Annotated[Document, Field(discriminator="type")])
"""Reads a line of ``events.jsonl`` into the model of its ``type``."""
