"""From a frame to the values of a field: what a session needs of perception."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame, ModelError, Rectangle
from autoscope.estimation import stereology
from autoscope.survey import FieldGrid, Target

if TYPE_CHECKING:
    from autoscope.perception.segmentation import Segmenter


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was read from one frame.

    Attributes:
        labels: ``height x width`` class map, at the frame's or the truth's own pixel size.
        value: ``targets``, the measured values.
    """

    labels: NDArray[np.uint8]
    value: NDArray[np.float64]


class Measurer(Protocol):
    """Turns the frame of a field into values."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label value."""

    def measure(self, frame: Frame, field: int) -> Measurement:
        """Measures every target on one field's frame."""


class ValidSource(Protocol):
    """Knows which pixels of a field are specimen."""

    def valid_window(self, rectangle: Rectangle, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """``shape`` booleans over a rectangle of the specimen."""


@dataclass(frozen=True, slots=True)
class TargetMeasure:
    """How one target is measured on a class map.

    Attributes:
        target: the target.
        min_feature_um: smaller features are not counted.
    """

    target: Target
    min_feature_um: float = 0.0

    def value(
        self,
        labels: NDArray[np.uint8],
        class_names: Sequence[str],
        pixel_nm: float,
        valid: NDArray[np.bool_] | None,
    ) -> float:
        """The target's value on ``height x width`` labels; pixels that are not valid do not count."""
        index = class_index(class_names, self.target.class_name)
        return stereology.area_fraction(
            labels, index, valid=valid, min_feature_px=self.min_feature_um * 1000.0 / pixel_nm
        )


def class_index(class_names: Sequence[str], wanted: str) -> int:
    """Label value of a class.

    Raises:
        ModelError: the model does not know the class.
    """
    if wanted not in class_names:
        raise ModelError(f"class {wanted!r} is not one of the model's classes: {', '.join(class_names)}")
    return list(class_names).index(wanted)


class SegmentingMeasurer:
    """Segments a frame and measures the class map.

    Args:
        segmenter: frozen for the whole session: it defines what is measured.
        grid: the fields.
        measures: one for each target.
        valid: which pixels are specimen; None where all are.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        grid: FieldGrid,
        measures: tuple[TargetMeasure, ...],
        valid: ValidSource | None,
    ) -> None:
        self._segmenter, self._grid, self._measures, self._valid = segmenter, grid, measures, valid
        for measure in measures:
            class_index(segmenter.class_names, measure.target.class_name)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label value."""
        return self._segmenter.class_names

    def measure(self, frame: Frame, field: int) -> Measurement:
        """Measures every target on one field's frame."""
        segmentation = self._segmenter.segment(frame.pixels, frame.imaging.pixel_nm)
        labels = segmentation.labels
        valid = None
        if self._valid is not None and self._grid.valid_fraction[field] < 1:
            valid = self._valid.valid_window(self._grid.rectangle(field), (labels.shape[0], labels.shape[1]))
        values = [m.value(labels, self.class_names, segmentation.pixel_nm, valid) for m in self._measures]
        return Measurement(labels, np.array(values))
