"""From a configuration to the parts of a session: the only place that names concrete classes."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autoscope.app.config import SYNTHETIC, Config, FaultConfig, RecoveryConfig, ScanConfig, TimingConfig
from autoscope.app.loading import read_toml, validated
from autoscope.app.targets import target_measure
from autoscope.core import (
    BeamSettings,
    ConfigurationError,
    ImagingSettings,
    Polygon,
    Rectangle,
    Region,
    bounds,
)
from autoscope.microscope import Budget, Envelope, Microscope
from autoscope.session import FaultPolicy, FocusPolicy, RecoveryPolicy, SessionSettings, TargetMeasure
from autoscope.survey import FieldGrid, Policy, lay_grid
from autoscope_policies import make_policy
from autoscope_simulators import Imperfections, SimulatedMicroscope, SpecimenFile, Timing

if TYPE_CHECKING:
    from autoscope.epics import EpicsMicroscope, PVMap


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The model that a configuration asks for, its defaults resolved.

    Attributes:
        kind: ``"segmentation"``, ``"threshold"`` or ``"truth"``.
        weights: file of a segmentation model.
        sha256: hash of everything that defines it.
        classes: names of its classes, by label value.
        warnings: what the report must say about it.
    """

    kind: str
    weights: Path | None
    sha256: str
    classes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def imaging(scan: ScanConfig) -> ImagingSettings:
    """Scan settings of a configuration's table."""
    return ImagingSettings(scan.hfw_um, scan.width_px, scan.height_px, scan.dwell_us)


def targets_of(config: Config) -> tuple[TargetMeasure, ...]:
    """Targets and how they are measured."""
    scan = imaging(config.imaging.reference)
    measures = tuple(target_measure(target, scan) for target in config.targets)
    if not config.eds.enabled:
        return measures
    least = config.eds.least_probability
    return tuple(replace(m, target=m.target.sampled(least)) for m in measures)


def envelope_of(config: Config, specimen: SpecimenFile | None) -> Envelope:
    """The envelope; where the configuration says nothing, a simulated stage reaches the whole specimen."""
    e, extent = config.envelope, None if specimen is None else specimen.extent
    return Envelope(
        x_um=e.x_um or (None if extent is None else (extent.x0_um, extent.x1_um)),
        y_um=e.y_um or (None if extent is None else (extent.y0_um, extent.y1_um)),
        z_um=e.z_um,
        tilt_deg=e.tilt_deg,
        kv=e.kv,
        current_pa=e.current_pa,
        working_distance_mm=e.working_distance_mm,
        hfw_um=e.hfw_um,
        keep_out=tuple(Rectangle(*corners) for corners in e.keep_out),
    )


def region_of(config: Config, specimen: SpecimenFile | None, envelope: Envelope) -> Region:
    """The region; by default the whole specimen, or all that an instrument's stage may reach.

    Raises:
        ConfigurationError: it reaches beyond the specimen, or nothing says where it is.
    """
    region = _stated_region(config)
    if specimen is None:
        return region or _reachable(envelope)
    extent = specimen.extent
    if region is None:
        return extent
    box, off = bounds(region), 1e-6
    if (
        box.x0_um < extent.x0_um - off
        or box.y0_um < extent.y0_um - off
        or box.x1_um > extent.x1_um + off
        or box.y1_um > extent.y1_um + off
    ):
        raise ConfigurationError(
            f"region [{box.x0_um:g}, {box.y0_um:g}, {box.x1_um:g}, {box.y1_um:g}] um reaches beyond the"
            f" specimen [{extent.x0_um:g}, {extent.y0_um:g}, {extent.x1_um:g}, {extent.y1_um:g}] um"
        )
    return region


def _stated_region(config: Config) -> Region | None:
    if config.region.polygon_um is not None:
        return Polygon(config.region.polygon_um)
    if config.region.rectangle_um is not None:
        return Rectangle(*config.region.rectangle_um)
    return None


def _reachable(envelope: Envelope) -> Rectangle:
    if envelope.x_um is None or envelope.y_um is None:
        raise ConfigurationError(
            "region: give rectangle_um or polygon_um: neither the envelope nor the instrument's soft limits"
            " say where the specimen is"
        )
    return Rectangle(envelope.x_um[0], envelope.y_um[0], envelope.x_um[1], envelope.y_um[1])


def grid_of(config: Config, specimen: SpecimenFile | None, envelope: Envelope | None = None) -> FieldGrid:
    """The sampling grid of a configuration on its specimen.

    Args:
        config: the configuration.
        specimen: what is simulated; None on an instrument, where all of the region counts as specimen.
        envelope: the microscope's own; the configuration's by default.

    Raises:
        ConfigurationError: region outside specimen or envelope, or no field fits.
    """
    envelope = envelope or envelope_of(config, specimen)
    region = region_of(config, specimen, envelope)
    reference = imaging(config.imaging.reference)
    grid = lay_grid(
        region,
        (bounds(region),) if specimen is None else specimen.tiles,
        reference.hfw_um,
        reference.vfw_um,
        valid_fraction=None if specimen is None else specimen.valid_fraction,
        reachable=_Reach(envelope),
    )
    _check_reach(grid, envelope)
    return grid


@dataclass(frozen=True, slots=True)
class _Reach:
    """Whether no keep-out zone covers a point."""

    envelope: Envelope

    def __call__(self, x_um: float, y_um: float) -> bool:
        return not any(zone.contains(x_um, y_um) for zone in self.envelope.keep_out)


def _check_reach(grid: FieldGrid, envelope: Envelope) -> None:
    problems = []
    for name, values, limits in (
        ("x_um", grid.x_um, envelope.x_um),
        ("y_um", grid.y_um, envelope.y_um),
    ):
        if limits is not None and (values.min() < limits[0] or values.max() > limits[1]):
            outside = int(((values < limits[0]) | (values > limits[1])).sum())
            problems.append(
                f"region: {outside} of {len(grid)} field centres lie outside envelope.{name}"
                f" = [{limits[0]:g}, {limits[1]:g}] um (they reach {values.min():g} to {values.max():g} um)"
            )
    if problems:
        raise ConfigurationError(*problems)


def settings_of(config: Config, specimen: SpecimenFile | None, microscope: Microscope) -> SessionSettings:
    """How the session images and focuses; the beam current is the microscope's own."""
    beam = config.beam
    return SessionSettings(
        region=region_of(config, specimen, microscope.envelope),
        overview=imaging(config.imaging.overview),
        reference=imaging(config.imaging.reference),
        beam=BeamSettings(beam.kv, microscope.beam().current_pa, beam.detector, beam.working_distance_mm),
        focus_every_s=config.focus.every_s,
        sharpness_drop=config.focus.sharpness_drop,
        recovery=recovery_of(config.recovery),
        unfamiliar=config.model.unfamiliar,
    )


def recovery_of(r: RecoveryConfig) -> RecoveryPolicy:
    """What follows which failure; what a kind leaves open is the general rule."""

    def of(kind: FaultConfig) -> FaultPolicy:
        retries = r.retries if kind.retries is None else kind.retries
        return FaultPolicy(retries, kind.on_failure or r.on_failure, kind.refocus)

    retries = r.retries if r.autofocus.retries is None else r.autofocus.retries
    focus = FocusPolicy(retries, r.autofocus.on_failure)
    return RecoveryPolicy(r.retries, r.wait_s, r.on_failure, of(r.stage), of(r.frame), focus)


def budget_of(config: Config) -> Budget:
    """The budget."""
    b = config.budget
    return Budget(b.beam_time_s, b.dose_e_per_nm2, b.eds_live_s, b.frames)


def timing_of(config: Config) -> Timing:
    """What actions cost on the simulated microscope."""
    return timing_from(config.microscope.timing)


def timing_from(t: TimingConfig) -> Timing:
    """The same from the table alone."""
    return Timing(
        stage_speed_um_per_s=t.stage_speed_um_per_s,
        stage_acceleration_um_per_s2=t.stage_acceleration_um_per_s2,
        stage_settle_s=t.stage_settle_s,
        image_overhead_s=t.image_overhead_s,
        autofocus_s=t.autofocus_s,
        beam_current_pa=t.beam_current_pa,
    )


def microscope_of(config: Config, specimen: SpecimenFile) -> SimulatedMicroscope:
    """The simulated microscope over a specimen."""
    return SimulatedMicroscope(
        specimen,
        envelope=envelope_of(config, specimen),
        budget=budget_of(config),
        seed=config.seed,
        timing=timing_of(config),
        imperfections=imperfections_of(config),
        time_scale=config.microscope.time_scale,
        working_distance_mm=config.beam.working_distance_mm,
    )


def imperfections_of(config: Config) -> Imperfections:
    """What is not perfect about the simulated microscope."""
    i = config.microscope.imperfections
    if i.ideal:
        return Imperfections.ideal()
    return Imperfections(**i.model_dump(exclude={"ideal"}))


def epics_microscope_of(config: Config) -> EpicsMicroscope:
    """Connects to an instrument over EPICS; writes nothing to it.

    Raises:
        ConfigurationError: the PV map is wrong, PVs are missing, units or limits do not fit.
    """
    from autoscope.epics import Costs, EpicsMicroscope

    m, t = config.microscope, config.microscope.timing
    return EpicsMicroscope(
        pv_map_of(config),
        prefix=m.prefix,
        envelope=envelope_of(config, None),
        budget=budget_of(config),
        costs=Costs(
            stage_speed_um_per_s=t.stage_speed_um_per_s,
            stage_acceleration_um_per_s2=t.stage_acceleration_um_per_s2,
            stage_settle_s=t.stage_settle_s,
            image_overhead_s=t.image_overhead_s,
            autofocus_s=t.autofocus_s,
        ),
        connect_timeout_s=m.connect_timeout_s,
        margin_s=m.margin_s,
    )


def pv_map_of(config: Config) -> PVMap:
    """The PV map of a configuration; the shipped one by default.

    Raises:
        ConfigurationError: with every missing, misspelt or repeated signal.
    """
    from autoscope.epics import PVMap, default_pvs

    path = config.microscope.pv_map
    if path is None:
        return validated(PVMap, tomllib.loads(default_pvs()), name="the shipped PV map")
    return validated(PVMap, read_toml(path), name=str(path))


def policy_of(config: Config) -> Policy:
    """The policy."""
    return make_policy(config.policy.kind, **config.policy.made_with)


def model_of(config: Config, specimen: SpecimenFile | None) -> ModelChoice:
    """Resolves the model and its defaults; reads no weights.

    Without a ``[model]`` a synthetic specimen is read with the model that ships for its kind, and any
    other simulated specimen from its own truth, with a warning that the report prints.

    Raises:
        ConfigurationError: the model cannot be had.
        ModelError: its file is missing, damaged, or was made for other classes.
    """
    model = config.model
    if model.kind == "threshold":
        return ModelChoice(
            "threshold", None, _hash(["threshold", model.classes, model.thresholds]), model.classes
        )
    if model.kind == "truth":
        return _truth(specimen, "the classes were read from the specimen's own truth: this is a test")
    weights = model.weights or _shipped_for(config)
    if weights is not None:
        return _segmentation(weights, config)
    if model.kind == "segmentation":
        raise ConfigurationError('model.kind = "segmentation" needs model.weights = "M.safetensors"')
    return _truth(specimen, "no [model] was given: the classes were read from the specimen's own truth")


def _segmentation(weights: Path, config: Config) -> ModelChoice:
    from autoscope.perception import read_card

    card = read_card(weights)
    for target in config.targets:
        if target.class_name and target.class_name not in card.classes and not config.eds.enabled:
            raise ConfigurationError(
                f"targets: class {target.class_name!r} is not one that the model {weights.name} was made for:"
                f" {', '.join(card.classes)}"
            )
    return ModelChoice("segmentation", weights, card.sha256, tuple(card.classes))


def _truth(specimen: SpecimenFile | None, warning: str) -> ModelChoice:
    if specimen is None:
        raise ConfigurationError(
            'model: microscope.kind = "epics" has no truth to read classes from: give model.kind ='
            ' "segmentation" with weights, or "threshold" with classes'
        )
    if specimen.class_names is None and not specimen.has_grains:
        raise ConfigurationError(
            f"[model] is missing, and specimen {specimen.name!r} has no truth: say how classes are recognised"
        )
    return ModelChoice(
        "truth", None, _hash(["truth", specimen.sha256]), specimen.class_names or (), (warning,)
    )


def _shipped_for(config: Config) -> Path | None:
    from autoscope.perception import shipped_model, shipped_models

    kind = (config.microscope.specimen or "").removeprefix(SYNTHETIC)
    is_synthetic = (config.microscope.specimen or "").startswith(SYNTHETIC)
    return shipped_model(kind) if is_synthetic and kind in shipped_models() else None


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
