"""What a session is made of, handed in by the application."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from autoscope.core import Frame
from autoscope.microscope import Microscope
from autoscope.session.labelling import Labelling
from autoscope.session.learning import Learner, Renewal
from autoscope.session.measurer import Measurer
from autoscope.session.settings import SessionSettings
from autoscope.session.spectroscopy import Spectroscopy
from autoscope.survey import FieldGrid, Survey


@dataclass(frozen=True, slots=True)
class Prepared:
    """What exists only after the overview: the frozen model, the survey with its predictor, the EDS.

    ``renewal`` is how to go on with another model; None where none can be had.
    """

    measurer: Measurer
    survey: Survey
    notes: tuple[str, ...] = ()
    spectroscopy: Spectroscopy | None = None
    renewal: Renewal | None = None


@dataclass(frozen=True, slots=True)
class SessionParts:
    """A session's parts.

    Attributes:
        microscope: owned by the session while it runs.
        settings: how to image and focus.
        grid: the population of fields.
        policy_sha256: hash of the policy, logged with each decision.
        prepare: makes the measurer and the survey from the overview's frames; called once, and again
            with the same frames when a session is resumed.
        warnings: what the report must say from the start.
        labelling: the experts' part, None without a queue.
        learner: who lets the model learn from the answers, None where it does not.
    """

    microscope: Microscope
    settings: SessionSettings
    grid: FieldGrid
    policy_sha256: str
    prepare: Callable[[Sequence[Frame]], Prepared]
    warnings: tuple[str, ...] = ()
    labelling: Labelling | None = None
    learner: Learner | None = None
