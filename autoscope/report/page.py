"""The page: what the template is told, and nothing that it has to compute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from autoscope.core import RecordError
from autoscope.records import NEVER_FINISHED, KindRecord
from autoscope.report.census import CensusSection, census_section
from autoscope.report.convergence import draw_convergence
from autoscope.report.evidence import Evidence, Visit
from autoscope.report.explained import ExplainedField
from autoscope.report.field_images import field_picture
from autoscope.report.figures import to_svg
from autoscope.report.specimen_map import Background, draw_background, draw_map
from autoscope.report.unfamiliar import unfamiliar_fields
from autoscope.report.wording import (
    CENSUS,
    FINISH,
    JOINT,
    TIERS,
    Answer,
    Scale,
    answer,
    count,
    decimals,
    duration,
    experts,
    field_scale,
    length,
    scale,
    smallest,
)

PICTURES = 6
"""Frames that are shown in all, shared among the targets."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame in the page."""

    source: str
    description: str
    title: str
    facts: tuple[tuple[str, str], ...]
    reason: str


@dataclass(frozen=True, slots=True)
class Section:
    """What the page shows of one target."""

    answer: Answer
    confidence: str
    relative_accuracy: str
    measured: str
    lost: int
    estimator: str
    smallest: str
    experts: str
    convergence: Markup | None
    indicative: bool
    map: Markup
    pictures: tuple[Picture, ...]


def render_page(evidence: Evidence, explained: Sequence[ExplainedField] = ()) -> str:
    """The whole page as HTML; it needs no other file and no network.

    Args:
        evidence: what it tells of.
        explained: pictures of what the model looked at; none are shown by default.

    Raises:
        RecordError: a frame that the records speak of cannot be read.
    """
    result, started = evidence.result, evidence.started
    return _environment().get_template("report.html.j2").render(
        result=result,
        started=started,
        sections=_sections(evidence),
        state=_state(evidence),
        finish=_finish(evidence),
        tier=CENSUS if _census(evidence) else TIERS[started.tier],
        joint=JOINT if len(started.targets) > 1 and not _census(evidence) else "",
        cost=_cost(evidence),
        method=_method(evidence),
        warnings=tuple(w for w in result.warnings if w != NEVER_FINISHED),  # its banner says so
        config=evidence.view.config_toml,
        truth=started.model.kind == "truth",
        unfinished_raster=started.policy.kind == "raster" and not _census(evidence),
        overview=bool(evidence.overview),
        inclusions=() if evidence.census is not None else _inclusions(evidence),
        census=_census_section(evidence),
        unfamiliar=unfamiliar_fields(evidence),
        explained=explained,
    )  # fmt: skip


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("autoscope.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _sections(evidence: Evidence) -> tuple[Section, ...]:
    background = draw_background(evidence.view, evidence.fields, evidence.overview)
    share = max(2, PICTURES // len(evidence.targets))
    return tuple(_section(evidence, k, background, share) for k in range(len(evidence.targets)))


def _section(evidence: Evidence, k: int, background: Background, pictures: int) -> Section:
    quantity, target = evidence.quantity(k), evidence.targets[k]
    said, printed = answer(quantity, target), scale(quantity.quantity, quantity.unit)
    on_field = field_scale(quantity.quantity, quantity.unit)
    accuracy = quantity.relative_accuracy_percent
    return Section(
        answer=said,
        confidence=f"{100 * quantity.confidence:g} %",
        relative_accuracy="–" if accuracy is None else f"{accuracy:.2g} %",
        measured=f"{count(quantity.fields_measured)} of {count(quantity.fields_in_region)}",
        lost=quantity.fields_lost,
        estimator=quantity.estimator,
        smallest=smallest(quantity, target),
        experts=experts(quantity),
        convergence=_convergence(evidence, k, said, printed),
        indicative=bool(np.isfinite(evidence.progress[k].half).any()),
        map=_map(evidence, k, said, on_field, background),
        pictures=tuple(_picture(evidence, v, k, on_field) for v in evidence.most_influential(k, pictures)),
    )


def _convergence(evidence: Evidence, k: int, said: Answer, printed: Scale) -> Markup | None:
    progress = evidence.progress[k]
    if len(progress.fields) < 2:
        return None
    figure = draw_convergence(progress, evidence.quantity(k), evidence.targets[k], printed)
    words = f"{said.title}: estimate and interval against fields measured; at the end {said.value}"
    return Markup(to_svg(figure, f"convergence-{k}", words))


def _map(evidence: Evidence, k: int, said: Answer, printed: Scale, background: Background) -> Markup:
    figure = draw_map(evidence, k, printed, background)
    words = f"Map of the specimen: {len(evidence.visits)} visited fields, coloured by {said.title.lower()}"
    return Markup(to_svg(figure, f"map-{k}", words))


def _picture(evidence: Evidence, visit: Visit, k: int, printed: Scale) -> Picture:
    d, o = visit.decision, visit.observations[k]
    if visit.frame is None or o.value is None:
        raise RecordError(f"field {d.field} has no frame to show")
    frame, labels = evidence.view.frame(visit.frame), evidence.view.labels(visit.frame)
    classes = evidence.started.classes
    index = classes.index(o.class_name) if o.class_name in classes else None
    places = decimals(_field_half_width(evidence, k) * printed.factor)
    predicted = "–" if o.predicted is None else printed.text(o.predicted, places)
    beside = (
        "" if labels is None or index is None else f", beside it with the segmented {o.class_name} marked"
    )
    return Picture(
        source=field_picture(frame, labels, index),
        description=f"Field {d.field} as acquired{beside}",
        title=f"Field {d.field}",
        facts=(
            ("measured", printed.text(o.value, places)),
            ("predicted", predicted),
            ("propensity", f"{d.propensity:.3g}"),
            ("moved the answer by about", printed.text(evidence.effect(visit, k), places + 1)),
            ("at", f"{d.x_um:.1f}, {d.y_um:.1f} µm"),
        ),
        reason=d.reason,
    )


def _field_half_width(evidence: Evidence, k: int) -> float:
    """The interval's half-width in the unit of a single field."""
    quantity = evidence.quantity(k)
    half = quantity.half_width or 0.0
    return half / quantity.estimate**2 if quantity.quantity == "grain_size" and quantity.estimate else half


def _census(evidence: Evidence) -> bool:
    return all(0 < q.fields_in_region == q.fields_measured for q in evidence.result.quantities)


def _state(evidence: Evidence) -> str:
    if evidence.finished is not None:
        return "finished"
    return "running" if evidence.running else "interrupted"


def _finish(evidence: Evidence) -> str:
    if evidence.finished is not None:
        return FINISH[evidence.result.finish_reason]
    if evidence.running:
        return "The session still runs: these are the figures of its last whole step, not its result."
    return (
        "The session was interrupted and has not been taken up again: these are the figures of its last step."
    )


def _cost(evidence: Evidence) -> tuple[tuple[str, str, str], ...]:
    spent = evidence.result.spent
    rows = [
        ("Beam time", duration(spent.beam_time_s), "the microscope's clock from first to last action"),
        ("Wall time", duration(spent.wall_time_s), "from start to end, pauses included"),
        ("Frames", count(spent.frames), f"{len(evidence.overview)} of them for the overview"),
        ("Highest dose", f"{spent.dose_e_per_nm2_max:.3g} e/nm²", "on any one place"),
        ("Stage travel", length(spent.stage_travel_um), ""),
    ]
    if spent.spectra:
        rows.append(("EDS live time", duration(spent.eds_live_s), f"{count(spent.spectra)} spectra"))
    return tuple(rows)


def _census_section(evidence: Evidence) -> CensusSection | None:
    if evidence.census is None:
        return None
    return census_section(evidence.census, draw_background(evidence.view, evidence.fields, evidence.overview))


def _inclusions(evidence: Evidence) -> tuple[tuple[str, str, str, str], ...]:
    """Of each class: how many were listed, and the quartiles and the largest of their diameters."""
    rows = []
    for name in dict.fromkeys(i.class_name for i in evidence.result.inclusions):
        sizes = np.array(
            [i.equivalent_diameter_um for i in evidence.result.inclusions if i.class_name == name]
        )
        low, middle, high = np.quantile(sizes, (0.25, 0.5, 0.75))
        spread = f"{low:.3g} to {high:.3g} µm"
        rows.append(
            (name, count(len(sizes)), f"{middle:.3g} µm, half of them {spread}", f"{sizes.max():.3g} µm")
        )
    return tuple(rows)


def _hash(record: KindRecord) -> str:
    return f"sha256 {record.sha256}" if record.sha256 else ""


def _method(evidence: Evidence) -> tuple[tuple[str, str, str], ...]:
    started, fields, model = evidence.started, evidence.fields, evidence.result.model
    floor = "" if started.exploration is None else f"{100 * started.exploration:g} % of every draw is uniform"
    hfw_um, vfw_um = float(fields["hfw_um"]), float(fields["vfw_um"])
    rows = [
        ("Policy", started.policy.kind, _hash(started.policy)),
        ("Segmentation", model.kind, _hash(model)),
        *([] if model == started.model else [("Segmentation at the start", "", _hash(started.model))]),
        ("Field", f"{hfw_um:.4g} × {vfw_um:.4g} µm", "at the magnification that defines the value"),
        ("Region", f"{count(started.fields_in_region)} fields", f"{started.region_area_um2 / 1e6:.4g} mm²"),
        ("Statistics", started.tier, ", ".join(sorted({q.estimator for q in evidence.result.quantities}))),
        ("Exploration floor", floor, "") if floor else ("Exploration floor", "none", ""),
        ("Seed", str(started.seed), "the same seed and records give the same decisions"),
        ("Version", f"autoscope {started.autoscope_version}", f"resumed {evidence.resumed} times"
         if evidence.resumed else ""),
    ]  # fmt: skip
    return tuple(rows)
