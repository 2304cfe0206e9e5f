"""What the label routes take and answer with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from autoscope.labels import Answer, Disagreement, Effect, Lease, QueueProgress, RequestSummary, State
from autoscope.records.models import Record
from autoscope.web.labelling.evidence import Asked, Evidence, Kind

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]


class LeaseWish(Record):
    """Who asks for a request to answer."""

    expert: Name


class SkipWish(Record):
    """Why a request cannot be answered."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class LabelRequest(Record):
    """A request without its pictures; the three links lead to them.

    Attributes:
        class_names: by mask value.
        score: how informative an answer is believed to be.
        propensity: with which it was chosen to be asked for.
        sampled: whether it belongs to the probability sample that corrects an estimate.
    """

    id: int
    session: str
    field: int | None
    x_um: float | None
    y_um: float | None
    created: str
    class_names: tuple[str, ...]
    pixel_nm: float
    height: int
    width: int
    model_sha256: str
    score: float
    propensity: float
    sampled: bool
    state: State
    answers: int
    second_opinion_wanted: bool
    skip_reasons: tuple[str, ...]
    image: str
    prediction: str
    uncertainty: str

    @classmethod
    def of(cls, request: RequestSummary) -> LabelRequest:
        """A request as the queue knows it."""
        return cls.model_validate(_fields(request))


class LeasedRequest(LabelRequest):
    """A request that an expert may answer now.

    Attributes:
        token: send it back as ``X-Lease`` with the answer.
        expert: who holds it.
        expires: until when, ISO 8601 UTC; every renewal moves it.
        lease_s: how long a lease lasts.
        second_opinion: whether another expert has answered it already; their answer is not shown.
        next: what would come after it, as things stand: its pictures may be read in advance. Null where
            nothing would.
    """

    token: str
    expert: str
    expires: str
    lease_s: float
    second_opinion: bool
    next: LabelRequest | None

    @classmethod
    def held(cls, lease: Lease, following: RequestSummary | None) -> LeasedRequest:
        """A lease as the queue gave it."""
        return cls.model_validate(
            _fields(lease.request)
            | {
                "token": lease.token,
                "expert": lease.expert,
                "expires": iso(lease.expires_at),
                "lease_s": lease.lease_s,
                "second_opinion": lease.second_opinion,
                "next": None if following is None else LabelRequest.of(following),
            }
        )


class StoredAnswer(Record):
    """An answer that is on disk."""

    id: int
    request_id: int
    expert: str
    answered: str
    seconds: float
    tool: str
    started_from: str
    mask_sha256: str
    second_opinion: bool

    @classmethod
    def of(cls, answer: Answer) -> StoredAnswer:
        """An answer as the queue stored it."""
        kept = {name: getattr(answer, name) for name in cls.model_fields if name != "answered"}
        return cls.model_validate(kept | {"answered": iso(answer.answered_s)})


class ExpertRecord(Record):
    """One expert and what came of asking."""

    name: str
    answered: int
    skipped: int
    leased: int
    seconds: float


class ProgressRecord(Record):
    """Where the queue stands."""

    open: int
    leased: int
    answered: int
    skipped: int
    superseded: int
    second_opinions_wanted: int
    experts: tuple[ExpertRecord, ...]

    @classmethod
    def of(cls, progress: QueueProgress) -> ProgressRecord:
        """The progress as the queue tells it."""
        experts = tuple(
            ExpertRecord.model_validate(_only(ExpertRecord, expert)) for expert in progress.experts
        )
        return cls(
            **{str(state): count for state, count in progress.by_state.items()},
            second_opinions_wanted=progress.second_opinions_wanted,
            experts=experts,
        )


class EffectRecord(Record):
    """What answers changed in a session: estimate, low and high before and after."""

    quantity: str
    class_name: str = Field(alias="class")
    answers: int
    before: tuple[float, float | None, float | None]
    after: tuple[float, float | None, float | None]
    covers: str
    note: str
    time: str

    @classmethod
    def of(cls, effect: Effect) -> EffectRecord:
        """An effect as the session recorded it."""
        kept = {name: getattr(effect, name) for name in cls.model_fields if name != "time"}
        return cls.model_validate(kept | {"time": iso(effect.time_s)})


class DisagreementRecord(Record):
    """How far the first two experts differ on a request."""

    experts: tuple[str, str]
    dice: dict[str, float]
    mean_dice: float
    kappa: float

    @classmethod
    def of(cls, found: Disagreement) -> DisagreementRecord:
        """As the queue measured it."""
        return cls(experts=found.experts, dice=dict(found.dice), mean_dice=found.mean_dice, kappa=found.kappa)


class ExplanationRecord(Record):
    """What a model looked at when it found a class in a frame, or how far the work on it is.

    Attributes:
        state: ``"computing"`` until the picture is there: ask again.
        ahead: explanations that are computed before it.
        done: passes of the network so far.
        of: passes in all; 0 where that is not known yet.
        share: of the frame that the model gives to the class.
        probability: mean probability of the class over these pixels; over the frame where there are none.
        most: what the end of the picture's scale stands for: of Grad-CAM 1, and 0 where nothing speaks for
            the class; of an occlusion map the largest change of that probability.
        picture: link to the map.
    """

    request_id: int
    value: int
    kind: Kind
    state: Literal["computing", "ready"]
    ahead: int = 0
    done: int = 0
    of: int = 0
    share: float | None = None
    probability: float | None = None
    most: float | None = None
    picture: str | None = None

    @classmethod
    def under_way(cls, asked: Asked, ahead: int, done: int, of: int) -> ExplanationRecord:
        """An explanation that is being computed, or waits for it."""
        request_id, value, kind = asked
        return cls(
            request_id=request_id, value=value, kind=kind, state="computing", ahead=ahead, done=done, of=of
        )

    @classmethod
    def ready(cls, asked: Asked, found: Evidence) -> ExplanationRecord:
        """An explanation that is there."""
        request_id, value, kind = asked
        return cls(
            request_id=request_id, value=value, kind=kind, state="ready", share=found.share,
            probability=found.probability, most=found.most,
            picture=f"/api/requests/{request_id}/explanation.png?value={value}&kind={kind}",
        )  # fmt: skip


class GuidelineRecord(Record):
    """What a class is, in words and by crops of answered frames."""

    value: int
    name: str
    text: str
    examples: tuple[str, ...]


def iso(seconds: float) -> str:
    """Seconds since 1970 as ISO 8601 UTC."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _fields(request: RequestSummary) -> dict[str, object]:
    base = f"/api/requests/{request.id}"
    links = {name: f"{base}/{name}.png" for name in ("image", "prediction", "uncertainty")}
    kept = {
        name: getattr(request, name) for name in LabelRequest.model_fields if name not in (*links, "created")
    }
    return kept | links | {"created": iso(request.created_s)}


def _only(model: type[Record], source: object) -> dict[str, object]:
    return {name: getattr(source, name) for name in model.model_fields}
