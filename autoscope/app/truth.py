"""The specimen's own truth: as a measurer for tests, and as the value that a session should find."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame, Rectangle, SpecimenError
from autoscope.session import Measurement, TargetMeasure
from autoscope.survey import FieldGrid
from autoscope_simulators import SpecimenFile


class TruthMeasurer:
    """Reads a field's classes from the specimen instead of from its frame. Simulation only, for tests.

    Args:
        specimen: must hold class truth.
        grid: the fields.
        measures: one for each target.

    Raises:
        SpecimenError: the specimen has no class truth, or not the wanted class.
    """

    def __init__(self, specimen: SpecimenFile, grid: FieldGrid, measures: tuple[TargetMeasure, ...]) -> None:
        if specimen.class_names is None:
            raise SpecimenError(f"specimen {specimen.name!r} has no class truth (/truth/classes)")
        self._classes: tuple[str, ...] = specimen.class_names
        self._specimen, self._grid, self._measures = specimen, grid, measures
        for measure in measures:
            if measure.target.class_name not in self._classes:
                raise SpecimenError(
                    f"specimen {specimen.name!r} has no class {measure.target.class_name!r};"
                    f" it has {', '.join(self._classes)}"
                )

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label value."""
        return self._classes

    def measure(self, frame: Frame, field: int) -> Measurement:
        """Measures every target on the truth under a field; the frame is not looked at."""
        labels = self._labels(field)
        return Measurement(labels, self._values(field, labels))

    def values(self) -> NDArray[np.float64]:
        """``targets x fields``: the value of every target on every field."""
        columns = [self._values(field, self._labels(field)) for field in range(len(self._grid))]
        return np.stack(columns, axis=1)

    def truth(self) -> NDArray[np.float64]:
        """``targets``: the weighted mean over all fields, which is what a session estimates."""
        return np.asarray(self.values() @ self._grid.weight)

    @property
    def sha256(self) -> str:
        """Hash of the specimen, which is the model."""
        return hashlib.sha256(f"truth:{self._specimen.sha256}".encode()).hexdigest()

    def _labels(self, field: int) -> NDArray[np.uint8]:
        return self._specimen.truth_window(self._grid.rectangle(field))

    def _values(self, field: int, labels: NDArray[np.uint8]) -> NDArray[np.float64]:
        rectangle: Rectangle = self._grid.rectangle(field)
        valid = None
        if self._grid.valid_fraction[field] < 1:
            valid = self._specimen.valid_pixels(rectangle)
        pixel_nm = self._specimen.pixel_nm
        return np.array([m.value(labels, self._classes, pixel_nm, valid) for m in self._measures])
