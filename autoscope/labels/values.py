"""What goes into a label queue and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

State = Literal["open", "leased", "answered", "skipped", "superseded"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class NewRequest:
    """A frame that an expert is asked to label.

    Attributes:
        session: name of the session that asks; with ``field`` it names the request, so that adding the same
            twice adds it once.
        field: index of the field in that session; None for an image of no session.
        frame: ``height x width`` uint8 or uint16, as acquired.
        prediction: ``height x width`` uint8, the model's classes: where the expert starts from.
        uncertainty: ``height x width``, from 0 (sure) to 1; uint8 is read as 255ths. Kept to 1/255.
        class_names: names of the classes, by mask value.
        pixel_nm: edge of a pixel, nm.
        model_sha256: the model that made the prediction.
        score: how informative an answer is believed to be; larger is asked for first.
        propensity: probability with which this frame was chosen to be asked for; 1 where no chance was in it.
        sampled: whether it belongs to the probability sample that corrects an estimate. Those are leased
            before all others and nearly in their order, for the correction uses them up to the first gap.
        x_um: where the frame was taken, specimen coordinates; None where that is not known.
        y_um: likewise.
        features: ``n`` float32, what query strategies compare frames by; None without.
    """

    session: str
    field: int | None
    frame: NDArray[np.uint8] | NDArray[np.uint16]
    prediction: NDArray[np.uint8]
    uncertainty: NDArray[Any]
    class_names: tuple[str, ...]
    pixel_nm: float
    model_sha256: str
    score: float
    propensity: float = 1.0
    sampled: bool = False
    x_um: float | None = None
    y_um: float | None = None
    features: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class RequestSummary:
    """A request without its pictures.

    Attributes:
        id: its number in the queue, counted from 1; ascends in the order of adding.
        session: as in :class:`NewRequest`, and so the rest where not said.
        created_s: when it was added, seconds since 1970.
        height: of the frame, pixels.
        width: of the frame, pixels.
        state: an answered one may still wait for a second opinion.
        answers: how many answers it has.
        second_opinion_wanted: whether another expert is still to be asked.
        skip_reasons: why experts could not answer it.
    """

    id: int
    session: str
    field: int | None
    x_um: float | None
    y_um: float | None
    created_s: float
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
    skip_reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lease:
    """One expert's right to answer one request, for a while.

    Attributes:
        token: proves the right; a secret between the queue and the expert.
        request: what is asked; it says nothing of another expert's answer.
        expert: who holds it.
        expires_at: seconds since 1970.
        second_opinion: whether another expert has answered it already, unseen.
        lease_s: how long it lasts from the beginning, or from a renewal, s.
    """

    token: str
    request: RequestSummary
    expert: str
    expires_at: float
    second_opinion: bool
    lease_s: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What an expert said, and how. The mask itself is read with ``queue.mask(answer.id)``.

    Attributes:
        id: its number in the queue; ascends in the order of arrival.
        request_id: the request it answers.
        session: of the request.
        field: of the request.
        expert: who.
        answered_s: when, seconds since 1970.
        seconds: how long the expert worked on it.
        tool: what it was made with, such as ``"brush"``, ``"scribbles"``, ``"import"``.
        started_from: what it started from, such as ``"prediction"`` or ``"blank"``.
        model_sha256: the model whose prediction was shown.
        mask_sha256: of the mask's values and size.
        second_opinion: whether it was given after another expert's, unseen.
    """

    id: int
    request_id: int
    session: str
    field: int | None
    expert: str
    answered_s: float
    seconds: float
    tool: str
    started_from: str
    model_sha256: str
    mask_sha256: str
    second_opinion: bool


@dataclass(frozen=True, slots=True)
class Expert:
    """One expert and what came of asking.

    Attributes:
        name: as given.
        registered_s: when first seen, seconds since 1970.
        answered: answers given.
        skipped: requests skipped.
        leased: requests held now.
        seconds: time spent on all answers.
    """

    name: str
    registered_s: float
    answered: int = 0
    skipped: int = 0
    leased: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Disagreement:
    """How far two experts' masks of one frame differ.

    Attributes:
        experts: the two.
        dice: of each class that at least one of them drew: 2 |A and B| / (|A| + |B|)
            (Dice, Ecology 26 (1945) 297).
        mean_dice: mean over these classes.
        kappa: agreement beyond chance over all pixels (Cohen, Educ. Psychol. Meas. 20 (1960) 37); 1 where
            both drew one and the same class everywhere.
    """

    experts: tuple[str, str]
    dice: Mapping[str, float]
    mean_dice: float
    kappa: float


@dataclass(frozen=True, slots=True)
class QueueProgress:
    """Where the whole queue stands.

    Attributes:
        by_state: number of requests in each state, all states present.
        second_opinions_wanted: answered requests that wait for another expert.
        experts: everyone who was ever seen.
    """

    by_state: Mapping[State, int]
    second_opinions_wanted: int
    experts: tuple[Expert, ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """What answers changed in a session: one quantity before and after they were taken in.

    Attributes:
        session: the session.
        quantity: ``"area_fraction"`` and the like.
        class_name: its class.
        answers: how many answers the session had taken in.
        before: ``(estimate, low, high)`` by the model alone; ends are None without an interval.
        after: likewise, with the answers.
        covers: ``"model"`` or ``"expert-corrected"``.
        note: why it is not corrected yet, or what else is to be said.
        time_s: when, seconds since 1970.
    """

    session: str
    quantity: str
    class_name: str
    answers: int
    before: tuple[float, float | None, float | None]
    after: tuple[float, float | None, float | None]
    covers: str
    note: str = ""
    time_s: float = 0.0
