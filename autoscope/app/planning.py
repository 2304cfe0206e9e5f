"""Pre-flight: what a session would image, how long it takes, and whether it is allowed. Touches nothing."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field

import numpy as np

from autoscope.app.build import imaging, targets_of
from autoscope.app.config import Config
from autoscope.app.eds_forecast import spectra_forecast
from autoscope.app.running import Checked
from autoscope.app.targets import expected_spreads
from autoscope.core import ImagingSettings, StagePosition
from autoscope.estimation import MINIMUM_FIELDS, expected_half_width, fields_needed
from autoscope.session import UNITS, overview_tiles


@dataclass(frozen=True, slots=True)
class TargetPlan:
    """What one target needs.

    Attributes:
        quantity: the quantity.
        class_name: its class.
        half_width: asked for, absolute; None where it is relative.
        fields_p50: fields needed if fields differ by ``spread_p50``.
        fields_p90: fields needed if they differ by ``spread_p90``.
        half_width_p50: what the budget allows to reach, at ``spread_p50``.
        half_width_p90: likewise at ``spread_p90``.
        spread_p50: standard deviation between fields that was assumed for the p50 figures.
        spread_p90: likewise for the p90 figures.
        unit: of the half-widths and the spreads.
    """

    quantity: str
    class_name: str
    half_width: float | None
    fields_p50: int
    fields_p90: int
    half_width_p50: float
    half_width_p90: float
    spread_p50: float
    spread_p90: float
    unit: str = "1"


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What a session would do and cost.

    Attributes:
        fields_in_region: size of the population.
        overview_frames: frames of the overview.
        seconds_per_field: travel, settling, overhead and scan of one field.
        scan_seconds_per_field: the scan alone.
        fields_affordable: how many fields the budget pays for; all of them without one.
        finish_p50_s: beam time with the fields that are probably needed.
        finish_p90_s: beam time that suffices in nine of ten cases.
        dose_e_per_nm2: dose of a place that is in the overview and in a field.
        eds_live_s: EDS live time with the fields that are probably needed.
        eds_live_p90_s: EDS live time that suffices in nine of ten cases.
        spectra_per_field: how many spectra a field probably gets.
        targets: what each target needs.
        warnings: everything that will stop the session short of its targets.
    """

    fields_in_region: int
    overview_frames: int
    seconds_per_field: float
    scan_seconds_per_field: float
    fields_affordable: int
    finish_p50_s: float
    finish_p90_s: float
    dose_e_per_nm2: float
    eds_live_s: float
    eds_live_p90_s: float
    spectra_per_field: float
    targets: tuple[TargetPlan, ...]
    warnings: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, object]:
        """The plan as plain values; a target's class is its ``class``, as in ``result.json``."""
        targets = [asdict(target) for target in self.targets]
        for target in targets:
            target["class"] = target.pop("class_name")
        return asdict(self) | {"targets": targets}


def plan_session(checked: Checked) -> SessionPlan:
    """Predicts a session from its configuration and its specimen's grid; see :class:`SessionPlan`."""
    config, grid, microscope = checked.config, checked.grid, checked.microscope
    reference, overview = _scan(config, "reference"), _scan(config, "overview")
    tiles = overview_tiles(grid, overview, microscope.envelope)
    overview_s = _overview_s(checked, tiles, overview)
    hop_s = _mean_hop_s(checked)
    spectra = spectra_forecast(config, grid, microscope)
    bare_s = hop_s + microscope.predict_image_s(reference)
    per_field_s = bare_s + spectra.field_p50_s
    affordable = _affordable(config, checked, overview_s, per_field_s, len(tiles))
    targets = tuple(_target(config, number, len(grid), affordable) for number in range(len(config.targets)))
    census = config.policy.kind == "raster"
    p50 = len(grid) if census else max(t.fields_p50 for t in targets)
    p90 = len(grid) if census else max(t.fields_p90 for t in targets)
    current = microscope.beam().current_pa
    dose = reference.dose_e_per_nm2(current) + overview.dose_e_per_nm2(current)
    return SessionPlan(
        fields_in_region=len(grid),
        overview_frames=len(tiles),
        seconds_per_field=per_field_s,
        scan_seconds_per_field=reference.scan_s,
        fields_affordable=affordable,
        finish_p50_s=overview_s + _with_focus(p50 * per_field_s, checked),
        finish_p90_s=overview_s + _with_focus(p90 * (bare_s + spectra.field_p90_s), checked),
        dose_e_per_nm2=dose,
        eds_live_s=p50 * spectra.spectra_p50 * spectra.live_s,
        eds_live_p90_s=p90 * spectra.spectra_p90 * spectra.live_s,
        spectra_per_field=spectra.spectra_p50,
        targets=targets,
        warnings=_warnings(config, checked, targets, affordable, dose, p50)
        + _eds_warnings(config, p50 * spectra.spectra_p50 * spectra.live_s),
    )


def _scan(config: Config, name: str) -> ImagingSettings:
    scan = getattr(config.imaging, name)
    return ImagingSettings(scan.hfw_um, scan.width_px, scan.height_px, scan.dwell_us)


def _overview_s(checked: Checked, tiles: tuple[StagePosition, ...], overview: ImagingSettings) -> float:
    scope = checked.microscope
    here, seconds = scope.position(), scope.predict_autofocus_s()
    for tile in tiles:
        seconds += scope.predict_move_s(here, tile) + scope.predict_image_s(overview)
        here = tile
    return seconds


def _mean_hop_s(checked: Checked) -> float:
    """Mean travel between two fields drawn at random; between neighbours for a raster."""
    grid, scope = checked.grid, checked.microscope
    if checked.config.policy.kind == "raster" or len(grid) == 1:
        return float(scope.predict_travel_s(np.array([grid.hfw_um]))[0])
    rng = np.random.default_rng(0)
    a, b = rng.integers(len(grid), size=(2, 4096))
    distance = np.hypot(grid.x_um[a] - grid.x_um[b], grid.y_um[a] - grid.y_um[b])
    return float(scope.predict_travel_s(distance[distance > 0]).mean())


def _with_focus(seconds: float, checked: Checked) -> float:
    every = checked.config.focus.every_s
    return seconds + math.floor(seconds / every) * checked.microscope.predict_autofocus_s()


def _affordable(
    config: Config, checked: Checked, overview_s: float, per_field_s: float, overview_frames: int
) -> int:
    limits = [len(checked.grid)]
    if config.budget.beam_time_s is not None:
        limits.append(math.floor((config.budget.beam_time_s - overview_s) / per_field_s))
    if config.budget.frames is not None:
        limits.append(config.budget.frames - overview_frames)
    return max(0, min(limits))


def _target(config: Config, number: int, population: int, affordable: int) -> TargetPlan:
    target = config.targets[number]
    half, common, wide = expected_spreads(target, imaging(config.imaging.reference))
    p50, p90 = (_fields(config, number, spread, half, population) for spread in (common, wide))
    return TargetPlan(
        quantity=target.quantity,
        class_name=target.class_name,
        half_width=target.half_width,
        fields_p50=p50,
        fields_p90=p90,
        half_width_p50=_half_width(common, affordable, target.confidence, population),
        half_width_p90=_half_width(wide, affordable, target.confidence, population),
        spread_p50=common,
        spread_p90=wide,
        unit=UNITS[target.quantity],
    )


def _fields(config: Config, number: int, spread: float, half: float, population: int) -> int:
    """Fields for a half-width, by the tier that is asked for."""
    bounds = targets_of(config)[number].target
    return fields_needed(
        spread,
        half,
        confidence=bounds.confidence,
        population=population,
        tier=config.statistics.tier,
        reach=(bounds.high - bounds.low) / config.policy.exploration,
    )


def _half_width(spread: float, fields: int, confidence: float, population: int) -> float:
    """Half-width of the standard tier that a number of fields gives; 10 spreads without a field."""
    if fields < 1:
        return 10 * spread
    return expected_half_width(spread, fields, confidence=confidence, population=population)


def _warnings(
    config: Config,
    checked: Checked,
    targets: tuple[TargetPlan, ...],
    affordable: int,
    dose: float,
    wanted_fields: int,
) -> tuple[str, ...]:
    said = list(checked.model.warnings)
    if checked.grid.unreachable:
        said.append(f"{checked.grid.unreachable} fields lie under a keep-out zone and are left out")
    if affordable < wanted_fields:
        said.append(
            f"the budget pays for {affordable} fields; {wanted_fields} are probably needed:"
            " the session will probably end with budget_spent"
        )
    limit = config.budget.dose_e_per_nm2
    if limit is not None and dose > limit:
        said.append(f"a field and its overview receive {dose:.3g} e/nm2, the budget allows {limit:g} e/nm2")
    if checked.grid.valid_fraction.size < MINIMUM_FIELDS and config.policy.kind != "raster":
        said.append(
            f"the region has fewer than {MINIMUM_FIELDS} fields: only a full census gives an interval"
        )
    said += [
        f"{t.class_name or t.quantity}: needs all {t.fields_p50} fields"
        for t in targets
        if t.fields_p50 == checked.grid.valid_fraction.size and config.policy.kind != "raster"
    ]
    return tuple(said)


def _eds_warnings(config: Config, live_s: float) -> tuple[str, ...]:
    limit_s = config.budget.eds_live_s
    if limit_s is None or live_s <= limit_s:
        return ()
    return (
        f"spectra probably want {live_s:.0f} s of live time, budget.eds_live_s allows {limit_s:g} s: they"
        " become rarer as it runs out, and the session takes more fields",
    )
