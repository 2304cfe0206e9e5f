"""The specimen's own truth: as a measurer for tests, and as the value that a session should find."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame, Rectangle, SpecimenError
from autoscope.estimation import density_per_mm2, find_features, grain_crossings
from autoscope.session import FieldMap, Inclusion, Measurement, TargetMeasure, Value, measured
from autoscope.survey import FieldGrid
from autoscope_simulators import SpecimenFile

EDGE_UM = 1e-6
"""An inclusion this near to the edge between two fields belongs to the one of higher x or y: rounding."""


@dataclass(frozen=True, slots=True)
class InclusionTable:
    """The true inclusions of one class, one entry for each.

    Attributes:
        x_um: centre.
        y_um: centre.
        diameter_um: of the circle of the same area.
    """

    x_um: NDArray[np.float64]
    y_um: NDArray[np.float64]
    diameter_um: NDArray[np.float64]

    def on(self, field: Rectangle, min_feature_um: float) -> NDArray[np.intp]:
        """Which are large enough and have their centre on a field; fields side by side share none."""
        x, y = self.x_um + EDGE_UM, self.y_um + EDGE_UM
        inside = (x >= field.x0_um) & (x < field.x1_um) & (y >= field.y0_um) & (y < field.y1_um)
        return np.flatnonzero(inside & (self.diameter_um >= min_feature_um))


class TruthMeasurer:
    """Reads a field's values from the specimen instead of from its frame. Simulation only, for tests.

    Inclusions are those of ``/truth/inclusions`` whose centre lies on the field (a table without the class:
    the connected features of ``/truth/classes``), grains those of ``/truth/grains`` (a specimen without:
    the boundary class of ``/truth/classes``).

    Args:
        specimen: must hold the truth that the targets need.
        grid: the fields.
        measures: one for each target.

    Raises:
        SpecimenError: naming every target whose truth the specimen does not have.
    """

    def __init__(self, specimen: SpecimenFile, grid: FieldGrid, measures: tuple[TargetMeasure, ...]) -> None:
        problems = [problem for m in measures for problem in truth_problems(specimen, m)]
        if problems:
            raise SpecimenError("; ".join(problems))
        measures = tuple(_of_its_own_class(specimen, m) for m in measures)
        self._classes: tuple[str, ...] = specimen.class_names or ()
        self._specimen, self._grid, self._measures = specimen, grid, measures
        self._tables = {
            m.target.class_name: inclusion_table(specimen, m.target.class_name)
            for m in measures
            if m.target.quantity == "inclusions_per_mm2"
        }

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label value."""
        return self._classes

    def measure(self, frame: Frame, field: int) -> Measurement:
        """Measures every target on the truth under a field; the frame is not looked at."""
        seen = self._field_map(field)
        return measured(seen, [self._value(measure, seen, field) for measure in self._measures])

    def values(self) -> NDArray[np.float64]:
        """``targets x fields``: the value of every target on every field."""
        columns = []
        for field in range(len(self._grid)):
            seen = self._field_map(field)
            columns.append([self._value(measure, seen, field).value for measure in self._measures])
        return np.array(columns).T

    def truth(self) -> NDArray[np.float64]:
        """``targets``: the true quantities over all fields, which is what a session estimates."""
        means = self.values() @ self._grid.weight
        pairs = zip(self._measures, means, strict=True)
        return np.array([measure.target.reported(float(mean)) for measure, mean in pairs])

    @property
    def sha256(self) -> str:
        """Hash of the specimen, which is the model."""
        return hashlib.sha256(f"truth:{self._specimen.sha256}".encode()).hexdigest()

    def _field_map(self, field: int) -> FieldMap:
        specimen, rectangle = self._specimen, self._grid.rectangle(field)
        valid = specimen.valid_pixels(rectangle) if self._grid.valid_fraction[field] < 1 else None
        if specimen.has_truth:
            labels = specimen.truth_window(rectangle)
        else:
            labels = np.zeros(specimen.grains_window(rectangle).shape, np.uint8)
        return FieldMap(
            labels, self._classes, specimen.pixel_nm, valid, rectangle, self._grid.area_um2(field)
        )

    def _value(self, measure: TargetMeasure, seen: FieldMap, field: int) -> Value:
        if measure.target.quantity == "inclusions_per_mm2":
            return self._inclusions(measure, field)
        if measure.target.quantity == "grain_size" and self._specimen.has_grains:
            grains = self._specimen.grains_window(seen.rectangle)
            return Value(grain_crossings(grains, valid=seen.valid).per_um(seen.pixel_nm))
        return measure.value(seen)

    def _inclusions(self, measure: TargetMeasure, field: int) -> Value:
        name = measure.target.class_name
        table = self._tables[name]
        found = table.on(self._grid.rectangle(field), measure.min_feature_um)
        listed = tuple(
            Inclusion(float(table.x_um[i]), float(table.y_um[i]), float(table.diameter_um[i]), name, 1.0)
            for i in found
        )
        return Value(density_per_mm2(len(found), self._grid.area_um2(field)), listed)


def true_class(specimen: SpecimenFile, name: str) -> str:
    """The specimen's class of a name: its own, or the one whose spectrum says that it consists of this."""
    known = specimen.class_names or ()
    made = (own for own, spectrum in specimen.class_spectra.items() if spectrum.material == name)
    return name if name in known else next(made, name)


def _of_its_own_class(specimen: SpecimenFile, measure: TargetMeasure) -> TargetMeasure:
    name = true_class(specimen, measure.target.class_name)
    return replace(measure, target=replace(measure.target, class_name=name))


def truth_problems(specimen: SpecimenFile, measure: TargetMeasure) -> list[str]:
    """Why a specimen's truth does not tell what a target asks; nothing when it does."""
    measure = _of_its_own_class(specimen, measure)
    name, known = measure.target.class_name, specimen.class_names
    if measure.target.quantity == "grain_size":
        return _grain_problems(specimen, name)
    if known is None:
        return [f"specimen {specimen.name!r} has no class truth (/truth/classes)"]
    if name not in known:
        return [f"specimen {specimen.name!r} has no class {name!r}; it has {', '.join(known)}"]
    return []


def _grain_problems(specimen: SpecimenFile, name: str) -> list[str]:
    known = specimen.class_names or ()
    if specimen.has_grains:
        if name in known and _is_a_phase(specimen, known.index(name)):
            return [
                f'quantity = "grain_size": {name!r} is a phase of specimen {specimen.name!r}, not its grain'
                " boundaries; leave class out to measure the grains of /truth/grains, of all phases together"
            ]
        return []
    if name in known:
        return []
    return [
        f"specimen {specimen.name!r} has no true grains (/truth/grains), and no class"
        f" {name!r} of grain boundaries among {', '.join(known) or 'none'}"
    ]


def _is_a_phase(specimen: SpecimenFile, index: int) -> bool:
    """Whether a class has pixels that belong to a grain; boundaries have none."""
    for tile in specimen.tiles:
        inside = specimen.truth_window(tile) == index
        if inside.any():
            return bool((specimen.grains_window(tile)[inside] > 0).any())
    return False


def inclusion_table(specimen: SpecimenFile, class_name: str) -> InclusionTable:
    """The true inclusions of a class."""
    rows = [i for i in specimen.inclusions if i.class_name == class_name]
    if rows:
        return InclusionTable(
            np.array([i.x_um for i in rows]),
            np.array([i.y_um for i in rows]),
            np.array([i.equivalent_diameter_um for i in rows]),
        )
    index, um = (specimen.class_names or ()).index(class_name), specimen.pixel_nm / 1000
    parts = []
    for tile in specimen.tiles:
        found = find_features(specimen.truth_window(tile), index, valid=specimen.valid_pixels(tile))
        x, y = tile.x0_um + (found.column + 0.5) * um, tile.y0_um + (found.row + 0.5) * um
        parts.append((x, y, np.sqrt(found.area_px * (4 / math.pi)) * um))
    x_um, y_um, diameter_um = (np.concatenate(column) for column in zip(*parts, strict=True))
    return InclusionTable(x_um, y_um, diameter_um)
