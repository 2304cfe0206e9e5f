"""The census in the page: tables in words, a map by class, the composition, spectra with their fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from autoscope.records import Census, CensusRow
from autoscope.report.census_figures import (
    class_colours,
    draw_class_map,
    draw_size_distribution,
    draw_spectrum,
    draw_ternary,
)
from autoscope.report.figures import to_svg
from autoscope.report.specimen_map import Background
from autoscope.report.wording import count, decimals

ALL = "all"
PREFERRED = ("Al", "Ca", "Mn")
"""The corners of the ternary diagram that steelmakers draw, where at least two of them are there."""

MATRIX_ELEMENTS = frozenset({"Fe", "O", "C", "N"})
"""Never corners: they are in the steel, or in every oxide, carbide or nitride."""


@dataclass(frozen=True, slots=True)
class SpectrumFigure:
    """A spectrum in the page."""

    figure: Markup
    caption: str


@dataclass(frozen=True, slots=True)
class CensusSection:
    """What the page shows of a census; tables are rows of texts."""

    classes: tuple[tuple[str, ...], ...]
    ranges: tuple[str, ...]
    sizes: tuple[tuple[str, ...], ...]
    shapes: tuple[tuple[str, ...], ...]
    worst: tuple[tuple[str, ...], ...]
    largest: str
    map: Markup
    sizes_figure: Markup
    ternary: Markup | None
    spectra: tuple[SpectrumFigure, ...]
    standards: tuple[str, ...]
    smallest: str
    confidence: str
    left_out: int


def census_section(census: Census, background: Background) -> CensusSection:
    """Puts a census into words and figures."""
    totals = [r for r in census.rows if r.measure == "per_mm2" and r.from_um == 0 and r.to_um is None]
    names = [row.class_name for row in totals if row.class_name != ALL]
    areas = {r.class_name: r for r in census.rows if r.measure == "area_fraction"}
    ranges = sorted({(r.from_um, r.to_um) for r in census.rows if r.measure == "per_mm2"} - {(0.0, None)},
                    key=lambda edge: edge[0])  # fmt: skip
    shapes = {(r.class_name, r.shape): r for r in census.shapes}
    colours, corners = class_colours(names), ternary_corners(census)
    ternary = None
    if corners is not None:
        figure = draw_ternary(census, corners, colours)
        ternary = Markup(to_svg(figure, "ternary", f"Composition of inclusions: {', '.join(corners)}"))
    return CensusSection(
        classes=tuple(
            (r.class_name, density(r), area(areas.get(r.class_name)), count(r.features), count(r.spectra))
            for r in totals
        ),
        ranges=tuple(_range(low, high) for low, high in ranges),
        sizes=tuple(
            (name, *(density(_of(census.rows, name, low, high)) for low, high in ranges))
            for name in (ALL, *names)
        ),
        shapes=tuple(
            (name, density(shapes.get((name, "globular"))), density(shapes.get((name, "elongated"))))
            for name in (ALL, *names)
        ),
        worst=tuple(
            (w.class_name, count(w.features), f"{w.per_mm2:.0f} per mm²", f"{w.largest_um:.3g} µm",
             f"field {w.field}, at {w.x_um:.0f}, {w.y_um:.0f} µm")
            for w in census.worst_fields
        ),
        largest=_largest(census),
        map=Markup(to_svg(draw_class_map(census, colours, background), "class-map", "Inclusions by class")),
        sizes_figure=Markup(to_svg(draw_size_distribution(census, names, colours), "sizes", "Sizes")),
        ternary=ternary,
        spectra=tuple(
            SpectrumFigure(
                Markup(to_svg(draw_spectrum(s), f"spectrum-{s.spectrum}", f"Spectrum of {s.class_name}")),
                f"{s.class_name}, probability {s.class_probability:.3f}, after {s.live_s:.3g} s of live time:"
                f" {count(sum(s.counts))} counts; field {s.field}, at {s.x_um:.1f}, {s.y_um:.1f} µm",
            )
            for s in census.spectra
        ),
        standards=census.standards,
        smallest=f"{census.min_feature_um:g} µm",
        confidence=f"{100 * census.confidence:g} %",
        left_out=census.fields_left_out,
    )  # fmt: skip


def ternary_corners(census: Census) -> tuple[str, str, str] | None:
    """The three elements of the diagram: Al, Ca, Mn where two of them are there, else the commonest three."""
    found = Counter(e for p in census.points for e in p.elements if e not in MATRIX_ELEMENTS)
    if sum(element in found for element in PREFERRED) >= 2 or not found:
        return PREFERRED if found else None
    common = [element for element, _ in found.most_common(3)]
    common += [element for element in PREFERRED if element not in common]
    return common[0], common[1], common[2]


def density(row: CensusRow | None) -> str:
    """``125 (96 to 155)``, per mm²."""
    if row is None or row.estimate is None:
        return "–"
    if row.ci_low is None or row.ci_high is None:
        return f"{row.estimate:.3g} ({row.features} found)" if row.features else "none found"
    places = decimals((row.ci_high - row.ci_low) / 2)
    return f"{row.estimate:.{places}f} ({row.ci_low:.{places}f} to {row.ci_high:.{places}f})"


def area(row: CensusRow | None) -> str:
    """An area fraction in percent with its interval."""
    if row is None or row.estimate is None:
        return "–"
    if row.ci_low is None or row.ci_high is None:
        return f"{100 * row.estimate:.2g} %"
    places = decimals(50 * (row.ci_high - row.ci_low))
    low, high = 100 * row.ci_low, 100 * row.ci_high
    return f"{100 * row.estimate:.{places}f} % ({low:.{places}f} to {high:.{places}f})"


def _of(rows: Sequence[CensusRow], name: str, low: float, high: float | None) -> CensusRow | None:
    return next(
        (r for r in rows if (r.measure, r.class_name, r.from_um, r.to_um) == ("per_mm2", name, low, high)),
        None,
    )


def _range(low: float, high: float | None) -> str:
    if high is None:
        return f"{low:g} µm and more"
    return f"under {high:g} µm" if low == 0 else f"{low:g} to {high:g} µm"


def _largest(census: Census) -> str:
    found = census.largest
    if found is None:
        return (
            "Largest inclusion of a larger area (ASTM E2283): not given. It needs control areas that were"
            ' drawn uniformly (policy.kind = "uniform"), 24 of them, each with an inclusion.'
        )
    return (
        f"Largest inclusion in {found.return_areas:g} times an area of {found.area_mm2:.3g} mm² (extreme"
        f" values as in ASTM E2283-08, on {found.areas} uniformly drawn control areas, smaller than the"
        f" 150 mm² that it asks for): {found.predicted_um:.3g} µm, standard error"
        f" {found.standard_error_um:.2g} µm."
    )
