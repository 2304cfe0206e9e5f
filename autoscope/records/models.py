"""What documents and results are made of: frozen models in which a misspelt key is an error."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

from autoscope.core import BeamSettings, StagePosition

FinishReason = Literal[
    "targets_reached", "exhausted", "budget_spent", "stopped_by_operator", "instrument_fault", "failed"
]
CommandName = Literal["pause", "resume", "stop", "skip"]
Tier = Literal["standard", "anytime", "guaranteed"]


def _absent_if_nan(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


NumberOrNone = Annotated[FiniteFloat | None, BeforeValidator(_absent_if_nan)]
"""A finite number, or None where there is none yet: NaN, the survey's "no estimate yet", becomes None."""


class Record(BaseModel):
    """Base of everything on disk: frozen, no unknown keys, keys such as ``class`` by their alias or name."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, from_attributes=True)


class MicroscopeRecord(Record):
    """What a session ran on. A simulated microscope says so."""

    kind: str
    simulated: bool
    name: str


class SampleRecord(Record):
    """The sample, as the operator named it."""

    id: str = ""
    operator: str = ""
    comment: str = ""


class KindRecord(Record):
    """A policy or a model: its kind and the hash of everything that defines it."""

    kind: str
    sha256: str = ""


class TargetRecord(Record):
    """What was asked: a quantity, of a class, and how well it must be known."""

    quantity: str
    class_name: str = Field(alias="class")
    half_width: FiniteFloat | None = None
    relative: FiniteFloat | None = None
    confidence: FiniteFloat = 0.95
    min_feature_um: FiniteFloat = 0.0


class SpentRecord(Record):
    """What the microscope has spent, as its account books it."""

    beam_time_s: FiniteFloat = 0.0
    dose_e_per_nm2_max: FiniteFloat = 0.0
    eds_live_s: FiniteFloat = 0.0
    frames: int = 0
    spectra: int = 0
    stage_travel_um: FiniteFloat = 0.0


class SpentResult(SpentRecord):
    """What a session has spent: the microscope's account and the time on the wall."""

    wall_time_s: FiniteFloat = 0.0


class DriverRecord(Record):
    """Where the microscope was and what it had spent: enough to go on after an interruption."""

    spent: SpentRecord
    position: StagePosition
    beam: BeamSettings
    clock_s: FiniteFloat
    frame_id: int


class QuantityResult(Record):
    """One quantity, running or final.

    ``estimate`` is None before the first observation, ``ci_low`` and ``ci_high`` where no interval is
    defensible, ``relative_accuracy_percent`` (ASTM E562) where the estimate is zero or has no interval.
    """

    quantity: str
    class_name: str = Field(alias="class")
    unit: str = "1"
    estimate: NumberOrNone = None
    ci_low: NumberOrNone = None
    ci_high: NumberOrNone = None
    confidence: FiniteFloat = 0.95
    relative_accuracy_percent: NumberOrNone = None
    fields_measured: int = 0
    fields_in_region: int = 0
    estimator: str = ""
    tier: Tier = "standard"
    target_met: bool = False
    covers: Literal["model", "expert-corrected"] = "model"
    fields_lost: int = 0
    extra: dict[str, NumberOrNone] = Field(default_factory=dict)

    @property
    def half_width(self) -> float | None:
        """Half of the interval's width, None without an interval."""
        if self.ci_low is None or self.ci_high is None:
            return None
        return (self.ci_high - self.ci_low) / 2


class InclusionResult(Record):
    """One inclusion that was found."""

    x_um: FiniteFloat
    y_um: FiniteFloat
    equivalent_diameter_um: FiniteFloat
    class_name: str = Field(alias="class")
    class_probability: FiniteFloat
    eds_live_s: FiniteFloat = 0.0


class CandidateRecord(InclusionResult):
    """A feature of a field that could get a spectrum, with all that a census needs of it.

    Attributes:
        feature: its number on the field, counted from 0.
        feret_um: largest distance between two parallels that touch it.
        aspect: of the rectangle of smallest width around it: length over width.
        area_um2: of the part on the field.
        weight: how many features it stands for, those that the field's edge cuts included.
        image: image class to probability, the candidate classes alone.
        image_class: the most probable of them.
        grey: mean signal of its deepest pixels over that of the matrix; None: not known.
        mean_grey: mean signal of all of it, likewise.
        prior: class to probability before the spectrum, fixed before the draw.
        propensity: probability with which it got a spectrum.
        observed: class that its spectrum showed; None: it got none.
        posterior: class to probability after the spectrum, those below 0.001 left out.
        elements: atomic fractions by the spectrum, of the elements that it shows; matrix included.
    """

    feature: int
    feret_um: FiniteFloat
    aspect: FiniteFloat
    area_um2: FiniteFloat
    weight: FiniteFloat
    image: dict[str, FiniteFloat]
    image_class: str
    prior: dict[str, FiniteFloat]
    propensity: Annotated[FiniteFloat, Field(gt=0, le=1)]
    grey: FiniteFloat | None = None
    mean_grey: FiniteFloat | None = None
    observed: str | None = None
    posterior: dict[str, FiniteFloat] = Field(default_factory=dict)
    elements: dict[str, FiniteFloat] = Field(default_factory=dict)


class LabelCounts(Record):
    """Label requests of a session."""

    requested: int = 0
    answered: int = 0
