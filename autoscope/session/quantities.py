"""From the class map of a field to the value of a target, and to the list of inclusions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ModelError, Rectangle
from autoscope.estimation import (
    boundary_crossings,
    density_per_mm2,
    find_features,
    stereology,
)
from autoscope.survey import Target


@dataclass(frozen=True, slots=True)
class FieldMap:
    """What was recognised on one field.

    Attributes:
        labels: ``height x width`` class indices.
        class_names: names of the classes, by label value.
        pixel_nm: edge of a pixel.
        valid: ``height x width``, where there is specimen; None where it is everywhere.
        rectangle: the field.
        area_um2: specimen area in the field, as the grid's weights have it.
        probability: ``classes x height x width``, None where the model gives none.
        grey: ``height x width``, the frame's signal; None where it is not known pixel by pixel.
    """

    labels: NDArray[np.uint8]
    class_names: tuple[str, ...]
    pixel_nm: float
    valid: NDArray[np.bool_] | None
    rectangle: Rectangle
    area_um2: float
    probability: NDArray[np.float16] | None = None
    grey: NDArray[np.uint8] | NDArray[np.uint16] | None = None


@dataclass(frozen=True, slots=True)
class Inclusion:
    """One inclusion that was found.

    Attributes:
        x_um: centroid, specimen coordinates.
        y_um: centroid, likewise.
        equivalent_diameter_um: diameter of the circle of the same area.
        class_name: its class.
        class_probability: mean probability of that class over its pixels; 1 where the model gives none.
    """

    x_um: float
    y_um: float
    equivalent_diameter_um: float
    class_name: str
    class_probability: float


@dataclass(frozen=True, slots=True)
class Value:
    """What a target measures on one field.

    Attributes:
        value: in the unit in which fields are averaged.
        inclusions: what was counted, one by one; none where the quantity does not count.
        notes: what a reader of the result must know.
    """

    value: float
    inclusions: tuple[Inclusion, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TargetMeasure:
    """How one target is measured on a class map.

    Attributes:
        target: the target.
        min_feature_um: smaller features are not counted.
    """

    target: Target
    min_feature_um: float = 0.0

    def value(self, field: FieldMap) -> Value:
        """The target's value on a field; pixels that are not valid do not count.

        area_fraction: share of the valid pixels. inclusions_per_mm2: inclusions that are seen whole, each
        counted for as many as its size is missed at the field's edge (``estimation.features``).
        grain_size: boundaries met for each um of test line, the lines being every row and every column; the
        class is that of the boundaries, and specks of it under ``min_feature_um`` are none.

        Raises:
            EstimationError: the field has no specimen.
        """
        index = class_index(field.class_names, self.target.class_name)
        smallest_px = self.min_feature_um * 1000.0 / field.pixel_nm
        if self.target.quantity == "inclusions_per_mm2":
            return self._inclusions(field, index, smallest_px)
        if self.target.quantity == "grain_size":
            boundary = field.labels == index
            if smallest_px > 0:
                boundary = stereology.without_small(boundary, smallest_px)
            return Value(boundary_crossings(boundary, valid=field.valid).per_um(field.pixel_nm))
        share = stereology.area_fraction(field.labels, index, valid=field.valid, min_feature_px=smallest_px)
        return Value(share)

    def _inclusions(self, field: FieldMap, index: int, smallest_px: float) -> Value:
        found = find_features(field.labels, index, valid=field.valid, min_feature_px=smallest_px)
        chance = np.ones(len(found))
        if field.probability is not None and len(found):
            from scipy.ndimage import mean

            chance = np.asarray(mean(field.probability[index].astype(float), found.components, found.number))
        um = field.pixel_nm / 1000
        x_um = field.rectangle.x0_um + (found.column + 0.5) * um
        y_um = field.rectangle.y0_um + (found.row + 0.5) * um
        rows = zip(x_um, y_um, found.diameter_px * um, chance, found.whole, strict=True)
        listed = tuple(
            Inclusion(float(x), float(y), float(d), self.target.class_name, float(p))
            for x, y, d, p, whole in rows
            if whole
        )
        notes: tuple[str, ...] = ()
        if found.too_large().any():
            notes = (
                f"inclusions of {self.target.class_name} reach over half of a reference field and are counted"
                " too seldom: choose a larger imaging.reference.hfw_um",
            )
        return Value(density_per_mm2(float(found.weights().sum()), field.area_um2), listed, notes)


def class_index(class_names: Sequence[str], wanted: str) -> int:
    """Label value of a class.

    Raises:
        ModelError: the model does not know the class.
    """
    if wanted not in class_names:
        raise ModelError(f"class {wanted!r} is not one of the model's classes: {', '.join(class_names)}")
    return list(class_names).index(wanted)
