"""From a frame to the values of a field: what a session needs of perception."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame, Rectangle
from autoscope.session.quantities import FieldMap, Inclusion, TargetMeasure, Value, class_index
from autoscope.survey import FieldGrid

if TYPE_CHECKING:
    from autoscope.perception.look import Look
    from autoscope.perception.segmentation import Segmentation, Segmenter


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was read from one frame.

    Attributes:
        seen: the classes that were recognised, with their probabilities where targets or spectra need them.
        value: ``targets``, the measured values.
        inclusions: those that targets counted.
        notes: what a reader of the result must know.
        look: whether the frame resembles those that the model was made for; None where it cannot tell.
        probability: ``classes x height x width``, where it was asked for and the model gives any.
        unsure: ``height x width``, from 0 (sure) to 1 (all classes alike): the probability that the label is
            wrong, or without a fit of that the entropy of the calibrated prediction, the doubt about the
            weights included; where it was asked for and the model can tell.
    """

    seen: FieldMap
    value: NDArray[np.float64]
    inclusions: tuple[Inclusion, ...] = ()
    notes: tuple[str, ...] = ()
    look: Look | None = None
    probability: NDArray[np.float16] | None = None
    unsure: NDArray[np.float32] | None = None

    @property
    def labels(self) -> NDArray[np.uint8]:
        """``height x width`` class map, at the frame's or the truth's own pixel size."""
        return self.seen.labels


class Measurer(Protocol):
    """Turns the frame of a field into values."""

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label value."""

    def measure(self, frame: Frame, field: int) -> Measurement:
        """Recognises the classes of one field's frame, and measures every target on them."""


class ValidSource(Protocol):
    """Knows which pixels of a field are specimen."""

    def valid_window(self, rectangle: Rectangle, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """``shape`` booleans over a rectangle of the specimen."""

    def valid_fraction(self, rectangle: Rectangle) -> float:
        """Share of a rectangle that is specimen; beyond all there is none."""


EDGE_SHARE = 0.05
"""How much wider than a field, on each side, the specimen must reach for its frame to be judged: a stage that
is off by less shows nothing else."""


def at_the_edge(grid: FieldGrid, valid: ValidSource) -> frozenset[int]:
    """Fields whose frames may show what lies beyond the specimen."""
    dx, dy = EDGE_SHARE * grid.hfw_um, EDGE_SHARE * grid.vfw_um
    found = set()
    for field in range(len(grid)):
        own = grid.rectangle(field)
        wider = Rectangle(own.x0_um - dx, own.y0_um - dy, own.x1_um + dx, own.y1_um + dy)
        if grid.valid_fraction[field] < 1 or valid.valid_fraction(wider) < 1:
            found.add(field)
    return frozenset(found)


def measured(seen: FieldMap, values: Sequence[Value]) -> Measurement:
    """The measurement of one field from the values of its targets."""
    return Measurement(
        seen,
        np.array([value.value for value in values]),
        tuple(inclusion for value in values for inclusion in value.inclusions),
        tuple(dict.fromkeys(note for value in values for note in value.notes)),
    )


class MaskReader:
    """Measures class maps of fields, whoever made them: a model, or an expert.

    Args:
        class_names: names of the classes, by label value.
        grid: the fields.
        measures: one for each target.
        valid: which pixels are specimen; None where all are.
    """

    def __init__(
        self,
        class_names: tuple[str, ...],
        grid: FieldGrid,
        measures: tuple[TargetMeasure, ...],
        valid: ValidSource | None,
    ) -> None:
        self._class_names, self._grid, self._measures, self._valid = class_names, grid, measures, valid

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label value."""
        return self._class_names

    def read(
        self,
        labels: NDArray[np.uint8],
        pixel_nm: float,
        field: int,
        probability: NDArray[np.float16] | None = None,
    ) -> Measurement:
        """Measures every target on one field's class map, ``height x width``."""
        seen = self.see(labels, pixel_nm, field, probability)
        return measured(seen, [measure.value(seen) for measure in self._measures])

    def see(
        self,
        labels: NDArray[np.uint8],
        pixel_nm: float,
        field: int,
        probability: NDArray[np.float16] | None = None,
    ) -> FieldMap:
        """A class map, ``height x width``, with where it lies and what of it is specimen."""
        grid, rectangle = self._grid, self._grid.rectangle(field)
        valid = None
        if self._valid is not None and grid.valid_fraction[field] < 1:
            valid = self._valid.valid_window(rectangle, (labels.shape[0], labels.shape[1]))
        return FieldMap(
            labels, self._class_names, pixel_nm, valid, rectangle, grid.area_um2(field), probability
        )


def _unsure(found: Segmentation) -> NDArray[np.float32] | None:
    """How probably labels are wrong, else the entropy, as a share of the largest with so many classes."""
    if found.uncertainty is None:
        return None
    count, error = len(found.class_names), found.uncertainty.error
    if error is not None:
        share = error.astype(np.float32) * np.float32(count / (count - 1))
    else:
        share = found.uncertainty.total.astype(np.float32) / np.float32(np.log(count))
    return np.asarray(np.minimum(np.maximum(share, 0), 1), np.float32)  # half precision rounds beyond


class SegmentingMeasurer:
    """Segments a frame and measures the class map.

    Args:
        segmenter: frozen for the whole session: it defines what is measured.
        grid: the fields.
        measures: one for each target.
        valid: which pixels are specimen; None where all are.
        keep_probability: whether measurements carry the class probabilities too.
        keep_uncertainty: whether they carry how unsure a calibrated model is of each pixel.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        grid: FieldGrid,
        measures: tuple[TargetMeasure, ...],
        valid: ValidSource | None,
        *,
        keep_probability: bool = False,
        keep_uncertainty: bool = False,
    ) -> None:
        self._segmenter, self._keep, self._doubting = segmenter, keep_probability, keep_uncertainty
        self._edge = frozenset[int]() if valid is None else at_the_edge(grid, valid)
        self._counting = any(m.target.quantity == "inclusions_per_mm2" for m in measures)
        self._reader = MaskReader(segmenter.class_names, grid, measures, valid)
        for measure in measures:
            class_index(segmenter.class_names, measure.target.class_name)

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, by label value."""
        return self._segmenter.class_names

    def measure(self, frame: Frame, field: int) -> Measurement:
        """Measures every target on one field's frame."""
        wanted = self._counting or self._keep
        found = self._segmenter.segment(
            frame.pixels, frame.imaging.pixel_nm, probability=wanted, uncertainty=self._doubting
        )
        measurement = self._reader.read(found.labels, found.pixel_nm, field, found.probability)
        grey = frame.pixels if self._keep and frame.pixels.shape == found.labels.shape else None
        return replace(
            measurement,
            seen=replace(measurement.seen, grey=grey),
            look=None if field in self._edge else found.look,  # no model was made for what is no specimen
            probability=found.probability if self._keep else None,
            unsure=_unsure(found),
        )
