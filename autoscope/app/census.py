"""The census of a session with EDS, from its records alone: by class and size, for files and report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoscope.app.census_files import write_tables
from autoscope.app.census_spectra import fitted_spectra
from autoscope.app.config import Config
from autoscope.app.loading import recorded_config
from autoscope.core import Estimate
from autoscope.eds import UNKNOWN
from autoscope.estimation import (
    UM2_PER_MM2,
    CensusDraw,
    census_estimates,
    field_values,
    largest_by_area,
)
from autoscope.records import (
    CENSUS,
    CandidateRecord,
    CandidatesDocument,
    Census,
    CensusPoint,
    CensusRow,
    DecisionDocument,
    Document,
    LargestInclusion,
    SessionView,
    StartedDocument,
    WorstField,
    open_session,
    replace_file,
    started_document,
)

MATRIX, ALL = "matrix", "all"
EDGES_UM = (0.0, 2.0, 3.0, 5.0, 8.0, 13.0)
"""Where size ranges begin; 2, 3, 8 and 13 um are borders of ASTM E45's thin and heavy series."""

ELONGATED = 2.0
"""From this aspect on E45 takes an inclusion for elongated."""

CONTROL_AREAS, RETURN_AREAS = 24, 1000.0
"""Of ASTM E2283: how many control areas, and how many times their area is foretold."""

STANDARDS = (
    "Number per mm² and area fraction by class: automatic image analysis with EDS as in ASTM E2142-08 and"
    " area fraction as in ASTM E1245-03; sizes are equivalent circle diameters (ISO 13322-1:2014), and"
    " inclusions that the edge of a field cuts are allowed for by the chance of being seen whole.",
    "Worst fields and size ranges are laid out as ISO 4967:2013 and ASTM E45-18a method D ask, by chemical"
    " class in place of types A to D. Not covered: severity ratings, which need fields of 0.50 mm² and"
    " stringers put together over gaps of 40 µm; these fields are smaller, and the worst field is the worst"
    " of those measured.",
    "Intervals of targets are those that ended the session; all others are secondary: each holds by itself,"
    " not all together. Fewer than ten features give no interval.",
)
"""Which editions' definitions were followed, and what is not covered."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What is counted: a class in a range of sizes."""

    measure: str
    class_name: str
    from_um: float = 0.0
    to_um: float | None = None
    shape: str = ""

    def holds(self, c: CandidateRecord) -> bool:
        """Whether a feature has the size and shape."""
        big = c.equivalent_diameter_um >= self.from_um
        small = self.to_um is None or c.equivalent_diameter_um < self.to_um
        return big and small and self.shape in ("", shape_of(c))

    def size(self, c: CandidateRecord, area_um2: float) -> float:
        """What a feature of the class adds to a field's value."""
        if not self.holds(c):
            return 0.0
        return c.area_um2 / area_um2 if self.measure == "area_fraction" else c.weight * UM2_PER_MM2 / area_um2

    def prior(self, c: CandidateRecord) -> float:
        """Probability of the class before the spectrum."""
        return 1 - c.prior.get(MATRIX, 0.0) if self.class_name == ALL else c.prior.get(self.class_name, 0.0)

    def seen(self, name: str | None) -> bool:
        """Whether this is the class."""
        return name is not None and (name != MATRIX if self.class_name == ALL else name == self.class_name)


def shape_of(c: CandidateRecord) -> str:
    """``globular`` or ``elongated``."""
    return "elongated" if c.aspect >= ELONGATED else "globular"


def write_census(folder: Path) -> Census | None:
    """Writes ``census.json``, ``census.csv`` and ``inclusions.csv``; nothing for a session without EDS.

    Raises:
        RecordError: the session is damaged, or its folder cannot be written.
        ConfigurationError: its configuration cannot be read any more.
    """
    view = open_session(folder)
    documents = view.documents()
    if not any(isinstance(d, CandidatesDocument) for d in documents):
        return None
    config = recorded_config(folder, view.config_toml)
    census = census_of(view, documents, config)
    replace_file(folder / CENSUS, census.model_dump_json(by_alias=True) + "\n")
    write_tables(folder, census)
    return census


def census_of(view: SessionView, documents: Sequence[Document], config: Config) -> Census:
    """The census of a session's documents."""
    started, fields = started_document(documents), view.fields
    decisions = {d.step: d for d in documents if isinstance(d, DecisionDocument)}
    found = {d.step: d for d in documents if isinstance(d, CandidatesDocument)}
    names = _names(found.values())
    confidence = config.targets[0].confidence
    rows_of = [
        Kind("per_mm2", name, low, high)
        for name in (ALL, *names)
        for low, high in ((0.0, None), *zip(EDGES_UM, (*EDGES_UM[1:], None), strict=True))
    ] + [Kind("area_fraction", name) for name in (ALL, *names)]
    shapes_of = [Kind("per_mm2", name, shape=s) for name in (ALL, *names) for s in ("globular", "elongated")]
    kinds = [*rows_of, *shapes_of]
    draws, left_out = _draws(decisions, found, kinds, fields["weight"], started)
    counts = np.array([_features(kind, found.values()) for kind in kinds]).reshape(-1, 2)
    covering = started.policy.kind != "raster" or len(found) == started.fields_in_region
    estimates = census_estimates(draws, started.fields_in_region, counts[:, 0], confidence)
    rows = [
        _row(kind, estimate, int(n), int(by), covering)
        for kind, estimate, (n, by) in zip(kinds, estimates, counts, strict=True)
    ]
    smallest = config.eds.min_feature_um
    return Census(
        min_feature_um=min(t.min_feature_um for t in config.targets) if smallest is None else smallest,
        confidence=confidence,
        fields=len(found),
        fields_left_out=left_out,
        rows=tuple(row for row in rows[: len(rows_of)] if row.features or row.to_um is None),
        shapes=tuple(row for row in rows[len(rows_of) :] if row.features),
        worst_fields=_worst(decisions, found.values(), names),
        largest=_largest(started, found, fields),
        points=tuple(_point(c, d.field) for d in found.values() for c in d.candidates if c.weight > 0),
        spectra=fitted_spectra(view, documents, config),
        standards=STANDARDS,
    )


def _names(found: Iterable[CandidatesDocument]) -> tuple[str, ...]:
    """Classes that any feature has, or most probably has, the commonest first; the matrix is none."""
    documents = tuple(found)
    every = [c.class_name for d in documents for c in d.candidates]
    names = sorted({*every} - {MATRIX, UNKNOWN}, key=lambda name: (-every.count(name), name))
    return (*names, UNKNOWN) if UNKNOWN in every else tuple(names)


def _draws(
    decisions: Mapping[int, DecisionDocument],
    found: Mapping[int, CandidatesDocument],
    kinds: Sequence[Kind],
    weight: NDArray[np.float64],
    started: StartedDocument,
) -> tuple[list[CensusDraw], int]:
    """The draws whose fields were all measured, and how many fields of others there are."""
    by_draw: dict[int, list[DecisionDocument]] = {}
    for _, decision in sorted(decisions.items()):
        by_draw.setdefault(decision.draw, []).append(decision)
    draws, left_out = [], 0
    for members in by_draw.values():
        if any(d.step not in found for d in members):
            left_out += len(members)
            continue
        pairs = [_values(kinds, found[d.step]) for d in members]
        value, variance = (np.stack([pair[n] for pair in pairs], axis=1) for n in (0, 1))
        first = members[0]
        whole_grids = started.policy.kind == "systematic"  # their documents carry the inclusion probability
        propensity = [1 / first.candidates if whole_grids else d.propensity for d in members]
        a = np.array([weight[d.field] for d in members])
        draws.append(CensusDraw(a, np.array(propensity), first.candidates, value, variance))
    return draws, left_out


def _values(
    kinds: Sequence[Kind], found: CandidatesDocument
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    shape = (len(kinds), len(found.candidates))
    sizes = np.array([[k.size(c, found.area_um2) for c in found.candidates] for k in kinds]).reshape(shape)
    prior = np.array([[k.prior(c) for c in found.candidates] for k in kinds]).reshape(shape)
    seen = np.array([[k.seen(c.observed) for c in found.candidates] for k in kinds], bool).reshape(shape)
    propensity = np.array([c.propensity for c in found.candidates])
    taken = np.array([c.observed is not None for c in found.candidates], bool)
    return field_values(sizes, prior, propensity, taken, seen)


def _features(kind: Kind, found: Iterable[CandidatesDocument]) -> tuple[int, int]:
    documents = tuple(found)
    held = [c for d in documents for c in d.candidates if kind.holds(c) and kind.seen(c.class_name)]
    whole = [c for c in held if c.weight > 0 or kind.measure == "area_fraction"]
    return len(whole), sum(c.observed is not None for c in whole)


def _row(kind: Kind, estimate: Estimate, features: int, spectra: int, covering: bool) -> CensusRow:
    return CensusRow(
        measure="area_fraction" if kind.measure == "area_fraction" else "per_mm2",
        class_name=kind.class_name,
        from_um=kind.from_um,
        to_um=kind.to_um,
        shape=kind.shape,
        estimate=estimate.value,
        ci_low=estimate.ci_low if covering else None,
        ci_high=estimate.ci_high if covering else None,
        features=features,
        spectra=spectra,
        estimator=estimate.estimator,
    )


def _worst(
    decisions: Mapping[int, DecisionDocument],
    found: Iterable[CandidatesDocument],
    names: Sequence[str],
) -> tuple[WorstField, ...]:
    documents = tuple(found)
    worst = []
    for name in names:
        held = {d.step: [c for c in d.candidates if c.class_name == name] for d in documents}
        step = max(held, key=lambda s: (len(held[s]), sum(c.area_um2 for c in held[s])))
        if not held[step]:
            continue
        area_um2 = next(d.area_um2 for d in documents if d.step == step)
        worst.append(
            WorstField(
                class_name=name, field=decisions[step].field, x_um=decisions[step].x_um,
                y_um=decisions[step].y_um, features=len(held[step]),
                per_mm2=len(held[step]) / area_um2 * UM2_PER_MM2,
                largest_um=max(c.equivalent_diameter_um for c in held[step]),
            )
        )  # fmt: skip
    return tuple(worst)


def _largest(
    started: StartedDocument,
    found: Mapping[int, CandidatesDocument],
    fields: Mapping[str, NDArray[np.float64]],
) -> LargestInclusion | None:
    """Only where fields were drawn uniformly: control areas are then a random sample of the region."""
    steps = sorted(found)
    if started.policy.kind != "uniform" or len(steps) < CONTROL_AREAS:
        return None
    areas = np.array_split(np.array(steps), CONTROL_AREAS)
    held = [[c.equivalent_diameter_um for s in area for c in found[int(s)].candidates] for area in areas]
    if not all(held):
        return None
    fitted = largest_by_area(np.array([max(sizes) for sizes in held]), RETURN_AREAS)
    if fitted is None:
        return None
    area_mm2 = sum(d.area_um2 for d in found.values()) / UM2_PER_MM2 / CONTROL_AREAS
    location, scale, predicted, error = fitted
    return LargestInclusion(
        areas=CONTROL_AREAS, area_mm2=area_mm2, location_um=location, scale_um=scale,
        return_areas=RETURN_AREAS, predicted_um=predicted, standard_error_um=error,
    )  # fmt: skip


def _point(c: CandidateRecord, field: int) -> CensusPoint:
    return CensusPoint(
        x_um=c.x_um, y_um=c.y_um, equivalent_diameter_um=c.equivalent_diameter_um, feret_um=c.feret_um,
        aspect=c.aspect, area_um2=c.area_um2, class_name=c.class_name, class_probability=c.class_probability,
        by="image" if c.observed is None else "spectrum", field=field, eds_live_s=c.eds_live_s,
        elements=c.elements,
    )  # fmt: skip
