"""Replaying a session's folder with another policy beside the recorded one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.app.build import policy_of
from autoscope.app.config import Config
from autoscope.app.loading import recorded_config
from autoscope.app.preparing import survey_of
from autoscope.app.replaying.comparing import CONFIDENCE, Comparison, Standing, compare, obstacle_of
from autoscope.app.replaying.watching import Watching
from autoscope.app.running import check, existing_session
from autoscope.core import RecordError
from autoscope.estimation import MINIMUM_FIELDS
from autoscope.records import (
    DecisionDocument,
    Document,
    FocusDocument,
    FrameDocument,
    KindRecord,
    ObservationDocument,
    SpectrumDocument,
    StartedDocument,
    TargetRecord,
    started_document,
)
from autoscope.session import Past
from autoscope.survey import Policy, Survey

SCHEMA = "autoscope.replay/1"
ONE_STEP = (
    "At each draw the other policy was asked what it would have done then and there, with what the recorded"
    " session knew: what it would have learnt from its own fields instead is not in the figures."
)
"""What the figures are about."""
NO_DRAWS = "the session ended before its first field came back"


@dataclass(frozen=True, slots=True)
class Replay:
    """What another policy would have done on what a session recorded.

    Attributes:
        folder: of the session.
        recorded: its policy.
        other: the policy that was asked.
        targets: what was asked of the session.
        obstacle: why nothing can be said; empty where something is.
        comparison: the figures; None where there is an obstacle.
        beam_time_s: of the session.
    """

    folder: Path
    recorded: KindRecord
    other: KindRecord
    targets: tuple[TargetRecord, ...]
    obstacle: str
    comparison: Comparison | None
    beam_time_s: float

    def to_json(self) -> dict[str, Any]:
        """The document that the command prints."""
        found = self.comparison
        document: dict[str, Any] = {
            "schema": SCHEMA,
            "session": str(self.folder),
            "recorded": self.recorded.model_dump(),
            "policy": self.other.model_dump(),
            "confidence": CONFIDENCE,
            "statement": self.obstacle or ONE_STEP,
            "can_be_said": found is not None,
            "beam_time_s": self.beam_time_s,
        }
        if found is None:
            return document
        return document | {
            "visits": found.visits,
            "effective_visits": found.effective,
            "quantities": [
                {"quantity": t.quantity, "class": t.class_name, "variance_ratio": asdict(ratio)}
                for t, ratio in zip(self.targets, found.variance, strict=True)
            ],
            "fields_ratio": None if found.fields is None else asdict(found.fields),
            "visit_s": found.own_visit_s,
            "visit_s_ratio": asdict(found.visit),
            "beam_time_ratio": None if found.beam_time is None else asdict(found.beam_time),
        }


def replay_session(folder: Path, other: Policy) -> Replay:
    """Makes the session's draws again and asks another policy at each of them.

    Nothing is moved and nothing is written. A session that ran on an instrument needs the instrument to say
    what its actions take: it is connected to, and only read.

    Args:
        folder: of the session.
        other: the policy that is asked.

    Raises:
        ConfigurationError: the folder is no session, or the files that its configuration names are gone.
        RecordError: the records are damaged, or the survey decides otherwise than they say.
    """
    view = existing_session(folder)
    documents = view.documents()
    config = recorded_config(folder, view.config_toml)
    started = started_document(documents)
    own = policy_of(config)
    _same_policy(folder, started, own)
    past = Past(documents, view)
    with check(config) as checked:
        watching = Watching(own, other, config.policy.exploration, config.seed, lambda: survey.xy_um)
        survey = survey_of(config, checked.grid, checked.microscope, past.overview_frames(), policy=watching)
        if any(isinstance(d, DecisionDocument) for d in documents):
            past.replay(survey)
            _check_predictions(folder, survey, documents)
    obstacle, comparison = _compared(watching, survey, config, documents)
    return Replay(
        folder=folder,
        recorded=KindRecord(kind=own.name, sha256=own.sha256),
        other=KindRecord(kind=other.name, sha256=other.sha256),
        targets=started.targets,
        obstacle=obstacle,
        comparison=comparison,
        beam_time_s=_beam_times_s(documents)[1],
    )


def _compared(
    watching: Watching, survey: Survey, config: Config, documents: Sequence[Document]
) -> tuple[str, Comparison | None]:
    """Why nothing can be said, or the figures."""
    obstacle = watching.obstacle or ("" if survey.observed else NO_DRAWS)
    if obstacle:
        return obstacle, None
    visits = watching.visits(survey, _extra_s(documents, survey))
    obstacle = obstacle_of(visits)
    if obstacle:
        return obstacle, None
    return "", compare(visits, _standing(survey, config, documents), config.seed)


def _standing(survey: Survey, config: Config, documents: Sequence[Document]) -> Standing:
    view, (before_s, beam_time_s) = survey.view(), _beam_times_s(documents)
    with np.errstate(divide="ignore", invalid="ignore"):
        lag = view.half_width / view.wanted
    return Standing(
        fields=len(view.grid),
        lag=np.where(np.isfinite(lag), lag, np.nan),
        least_fields=MINIMUM_FIELDS if config.statistics.tier == "standard" else 1,
        beam_time_s=beam_time_s,
        before_s=before_s,
    )


def _extra_s(documents: Sequence[Document], survey: Survey) -> NDArray[np.float64]:
    """Seconds of each visit that came back beyond travel and frame, in their order."""
    spent = {d.step: d.extra_s for d in documents if isinstance(d, ObservationDocument)}
    return np.array([spent[step] for step in range(1, survey.observed + 1)])


def _beam_times_s(documents: Sequence[Document]) -> tuple[float, float]:
    """Seconds of beam time when the last overview frame was taken, and at the last action."""
    before_s = beam_time_s = 0.0
    for document in documents:
        if isinstance(document, (FrameDocument, FocusDocument, SpectrumDocument)) and document.driver:
            beam_time_s = document.driver.spent.beam_time_s
        if isinstance(document, FrameDocument) and document.purpose == "overview":
            before_s = beam_time_s
    return before_s, beam_time_s


def _check_predictions(folder: Path, survey: Survey, documents: Sequence[Document]) -> None:
    """Draws of a policy that does not look at the values come out the same even if those were changed."""
    decisions = [d for d in documents if isinstance(d, DecisionDocument)]
    for document, again in zip(decisions, survey.view().past.predicted.T, strict=False):
        recorded = np.array(document.predicted, float)
        if not np.allclose(recorded, again, rtol=1e-6, atol=1e-9):
            raise RecordError(
                f"{folder}: at step {document.step} field {document.field} was predicted as"
                f" {recorded.tolist()} and comes out as {again.tolist()}: the session was made by another"
                " version, or its files were changed; it cannot be replayed"
            )


def _same_policy(folder: Path, started: StartedDocument, own: Policy) -> None:
    if started.policy.sha256 != own.sha256:
        raise RecordError(
            f"{folder}: the session drew with a policy {started.policy.kind!r} of sha256"
            f" {started.policy.sha256[:12]}..., and its configuration now makes one of {own.sha256[:12]}...:"
            " put its weights file back, or replay it with the version that ran it"
        )
