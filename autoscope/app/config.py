"""The configuration of a session: TOML in, frozen and complete models out."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

PredictorKind = Literal["trained", "grey", "none"]
"""What reads the overview: the trained reader and grey levels, grey levels alone, or nothing."""
Quantity = Literal["area_fraction", "inclusions_per_mm2", "grain_size"]
SYNTHETIC = "synthetic:"


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _ascending(limits: tuple[float, float]) -> tuple[float, float]:
    if not limits[0] < limits[1]:
        raise ValueError(f"needs low < high, not {list(limits)}")
    return limits


Number = Annotated[float, AfterValidator(_finite)]
Positive = Annotated[float, Field(gt=0), AfterValidator(_finite)]
NotNegative = Annotated[float, Field(ge=0), AfterValidator(_finite)]
Limits = Annotated[tuple[Number, Number], AfterValidator(_ascending)]
Pixels = Annotated[int, Field(ge=1, le=65536)]
Confidence = Annotated[float, Field(gt=0, lt=1)]


class Section(BaseModel):
    """A table of the configuration; a key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class TimingConfig(Section):
    """What things cost on the simulated microscope."""

    stage_speed_um_per_s: Positive = 500.0
    stage_acceleration_um_per_s2: Positive = 1000.0
    stage_settle_s: NotNegative = 1.0
    image_overhead_s: NotNegative = 1.5
    autofocus_s: NotNegative = 12.0
    beam_current_pa: Positive = 500.0


class ImperfectionsConfig(Section):
    """What is not ideal about the simulated microscope; ``ideal`` switches all of it off."""

    ideal: bool = False
    pixel_size_error: Number = 0.0
    relief_per_mm2: NotNegative = 0.0
    relief_um: Number = 150.0
    charging_per_mm2: NotNegative = 0.0
    charging_strength: NotNegative = 1.0
    patch_radius_um: Positive = 40.0


class MicroscopeConfig(Section):
    """Which microscope, and what stands under it."""

    kind: Literal["simulated", "epics"]
    specimen: str | None = None
    specimen_seed: Annotated[int, Field(ge=0)] = 0
    specimen_size_um: tuple[Positive, Positive] | None = None
    specimen_foreign: tuple[str, ...] = ()
    specimen_foreign_share: NotNegative = 0.0
    time_scale: NotNegative = 0.0
    timing: TimingConfig = TimingConfig()
    imperfections: ImperfectionsConfig = ImperfectionsConfig()
    prefix: str = "SEM:"
    pv_map: Path | None = None
    connect_timeout_s: Positive = 5.0
    margin_s: Positive = 10.0

    @model_validator(mode="after")
    def _needs_specimen(self) -> MicroscopeConfig:
        if self.kind == "simulated" and not self.specimen:
            raise ValueError('kind = "simulated" needs specimen = a file or "synthetic:KIND"')
        return self


class SampleConfig(Section):
    """What the report prints about the sample."""

    id: str = ""
    operator: str = ""
    comment: str = ""


class BeamConfig(Section):
    """The beam; its current comes from ``microscope.timing`` in simulation."""

    kv: Positive = 20.0
    detector: str = "bse"
    working_distance_mm: Positive = 10.0


class FocusConfig(Section):
    """When to refocus: on a sharpness drop, and at least every ``every_s``."""

    every_s: Positive = 600.0
    sharpness_drop: Annotated[float, Field(gt=0, lt=1)] = 0.15


class EnvelopeConfig(Section):
    """What the instrument may do; refused, never clipped."""

    x_um: Limits | None = None
    y_um: Limits | None = None
    z_um: Limits | None = None
    tilt_deg: Limits | None = None
    kv: Limits | None = None
    current_pa: Limits | None = None
    working_distance_mm: Limits | None = None
    hfw_um: Limits | None = None
    keep_out: tuple[tuple[Number, Number, Number, Number], ...] = ()


class RegionConfig(Section):
    """What the session reports on; everything valid by default."""

    rectangle_um: tuple[Number, Number, Number, Number] | None = None
    polygon_um: tuple[tuple[Number, Number], ...] | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> RegionConfig:
        if self.rectangle_um is not None and self.polygon_um is not None:
            raise ValueError("give rectangle_um or polygon_um, not both")
        return self


class ScanConfig(Section):
    """One way of scanning a frame."""

    hfw_um: Positive
    width_px: Pixels = 512
    height_px: Pixels = 512
    dwell_us: Positive = 1.0


class ImagingConfig(Section):
    """The overview and the reference magnification at which quantities are defined."""

    overview: ScanConfig = ScanConfig(hfw_um=500.0)
    reference: ScanConfig = ScanConfig(hfw_um=50.0, dwell_us=3.0)


class BudgetConfig(Section):
    """Hard limits, enforced under the agent; any may be left out."""

    beam_time_s: Positive | None = None
    dose_e_per_nm2: Positive | None = None
    eds_live_s: Positive | None = None
    frames: Annotated[int, Field(ge=1)] | None = None


class TargetConfig(Section):
    """A quantity and how well it must be known."""

    quantity: Quantity
    class_name: str = Field(alias="class", default="")
    half_width: Positive | None = None
    relative: Positive | None = None
    min_feature_um: NotNegative = 0.0
    highest: Positive | None = None
    confidence: Confidence = 0.95

    @model_validator(mode="after")
    def _one_width(self) -> TargetConfig:
        if (self.half_width is None) == (self.relative is None):
            raise ValueError("needs exactly one of half_width (absolute) and relative")
        if self.quantity != "grain_size" and not self.class_name:
            raise ValueError(f'quantity = "{self.quantity}" needs class = "..."')
        if self.quantity == "area_fraction" and self.highest is not None:
            raise ValueError('quantity = "area_fraction" takes no highest: a share is at most 1')
        return self


class StatisticsConfig(Section):
    """Which promise the intervals make."""

    tier: Literal["standard", "anytime", "guaranteed"] = "standard"


class ModelConfig(Section):
    """How classes are recognised in a frame."""

    kind: Literal["segmentation", "threshold", "truth"] | None = None
    weights: Path | None = None
    classes: tuple[str, ...] = ()
    thresholds: tuple[Annotated[float, Field(gt=0, lt=1)], ...] | None = None
    unfamiliar: Literal["worst_case", "warn", "off"] = "worst_case"

    @model_validator(mode="after")
    def _fits_kind(self) -> ModelConfig:
        if self.kind == "threshold" and len(self.classes) < 2:
            raise ValueError('kind = "threshold" needs classes = [...] from dark to bright, at least two')
        if self.thresholds is not None:
            _check_thresholds(self.kind, self.thresholds, self.classes)
        if self.kind in {"threshold", "truth"} and self.weights is not None:
            raise ValueError(f'kind = "{self.kind}" takes no weights')
        return self


def _check_thresholds(kind: str | None, thresholds: tuple[float, ...], classes: tuple[str, ...]) -> None:
    if kind != "threshold":
        raise ValueError('thresholds need kind = "threshold"')
    if len(thresholds) != len(classes) - 1:
        raise ValueError(
            f"{len(classes)} classes need {len(classes) - 1} thresholds, {len(thresholds)} were given"
        )
    if list(thresholds) != sorted(set(thresholds)):
        raise ValueError("thresholds must ascend")


class PolicyConfig(Section):
    """How fields are chosen."""

    kind: Literal["raster", "uniform", "systematic", "proportional", "active", "greedy", "learned"] = "active"
    exploration: Annotated[float, Field(gt=0, le=1)] = 0.2
    predictor: PredictorKind | None = None
    options: Mapping[str, float | int] = Field(default_factory=dict)
    weights: Path | None = None

    @model_validator(mode="after")
    def _weights_of_a_network(self) -> PolicyConfig:
        if self.kind == "learned" and self.weights is None:
            raise ValueError("kind = \"learned\" needs weights = a file that 'autoscope train' wrote")
        if self.kind != "learned" and self.weights is not None:
            raise ValueError(f'kind = "{self.kind}" takes no weights')
        return self

    @property
    def made_with(self) -> dict[str, float | int | str]:
        """What the policy is made with: its options, and the file of a learned one."""
        return {**self.options, **({} if self.weights is None else {"weights": str(self.weights)})}


Retries = Annotated[int, Field(ge=0, le=20)]


class FaultConfig(Section):
    """What follows one kind of failure, where it differs from the general rule."""

    retries: Retries | None = None
    on_failure: Literal["stop", "skip"] | None = None
    refocus: bool = False


class FocusFaultConfig(Section):
    """What follows an autofocus that finds no focus."""

    retries: Retries | None = None
    on_failure: Literal["keep", "stop", "skip"] = "keep"


class RecoveryConfig(Section):
    """What happens when the instrument fails in the middle of a session."""

    retries: Retries = 1
    wait_s: NotNegative = 600.0
    on_failure: Literal["stop", "skip"] = "stop"
    stage: FaultConfig = FaultConfig()
    frame: FaultConfig = FaultConfig()
    autofocus: FocusFaultConfig = FocusFaultConfig()


def _arguments(command: object) -> object:
    try:
        return shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise ValueError(f"cannot be taken apart: {error}") from None


class NotificationsConfig(Section):
    """Who is told when nobody is there."""

    command: Annotated[tuple[str, ...], BeforeValidator(_arguments)] = ()
    url: str | None = None
    on: tuple[Literal["overdue", "paused", "failed", "done"], ...] = ("overdue", "paused", "failed", "done")
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 10.0
    overdue_s: Annotated[float, Field(gt=0, le=3600)] = 30.0

    @model_validator(mode="after")
    def _is_an_address(self) -> NotificationsConfig:
        if self.url is not None and not self.url.startswith(("http://", "https://", "$")):
            raise ValueError("url must begin with http:// or https://, or name a variable as $NAME")
        return self


class EDSConfig(Section):
    """X-ray measurements."""

    enabled: bool = False
    max_live_s: Positive = 10.0
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.99
    first_live_s: Positive = 0.1
    least_probability: Annotated[float, Field(gt=0, le=1)] = 0.05
    classes: Path | None = None
    groups: Mapping[str, tuple[str, ...]] | None = None
    matrix: Literal["steel", "none"] | Mapping[str, NotNegative] = "steel"
    min_feature_um: NotNegative | None = None
    reading_s: NotNegative = 0.2
    shift_ev: tuple[Number, Number] = (0.0, 0.0)
    fwhm_ev: Annotated[float, Field(ge=100, le=250)] = 129.0


class LabelsConfig(Section):
    """The experts' queue."""

    queue: str | None = None
    max_requests: Annotated[int, Field(ge=0)] = 50
    share: Annotated[float, Field(gt=0, le=1)] = 0.5
    floor: Annotated[float, Field(gt=0, le=1)] = 0.5
    strategy: Literal["uncertainty", "margin", "uniform"] = "uncertainty"
    lease_s: Positive = 900.0
    second_opinions: Annotated[float, Field(ge=0, le=1)] = 0.1
    wait_s: NotNegative = 0.0
    finetune: bool = False
    finetune_after: Annotated[int, Field(ge=4)] = 10
    finetune_held_out: Annotated[float, Field(gt=0, lt=1)] = 0.5
    finetune_steps: Annotated[int, Field(ge=1)] = 300

    @field_validator("queue")
    @classmethod
    def _no_password(cls, url: str | None) -> str | None:
        if url is not None and urlsplit(url).password:
            raise ValueError(
                "leave the password out of the URL, which is recorded with every session: give it in the"
                " environment (PGPASSWORD) or in ~/.pgpass"
            )
        return url


class Config(Section):
    """A whole session, checked and complete: what is not given has its default."""

    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    microscope: MicroscopeConfig
    sample: SampleConfig = SampleConfig()
    beam: BeamConfig = BeamConfig()
    focus: FocusConfig = FocusConfig()
    envelope: EnvelopeConfig = EnvelopeConfig()
    region: RegionConfig = RegionConfig()
    imaging: ImagingConfig = ImagingConfig()
    budget: BudgetConfig = BudgetConfig()
    targets: tuple[TargetConfig, ...]
    statistics: StatisticsConfig = StatisticsConfig()
    model: ModelConfig = ModelConfig()
    policy: PolicyConfig = PolicyConfig()
    recovery: RecoveryConfig = RecoveryConfig()
    notifications: NotificationsConfig = NotificationsConfig()
    eds: EDSConfig = EDSConfig()
    labels: LabelsConfig = LabelsConfig()

    @model_validator(mode="after")
    def _fits_together(self) -> Config:
        if not self.targets:
            raise ValueError("targets: at least one [[targets]] table is needed")
        if self.statistics.tier == "guaranteed" and self.policy.exploration < 0.5:
            raise ValueError(
                f"policy.exploration = {self.policy.exploration:g} is too small for"
                ' statistics.tier = "guaranteed", which needs at least 0.5'
            )
        names = [(target.quantity, target.class_name) for target in self.targets]
        if len(set(names)) < len(names):
            raise ValueError("targets: the same quantity and class is asked for twice")
        return self
