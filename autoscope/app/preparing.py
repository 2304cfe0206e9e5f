"""What exists only after the overview: the frozen model, the predictor and the survey."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autoscope.app.build import ModelChoice, imaging, policy_of, targets_of
from autoscope.app.config import Config, PredictorKind
from autoscope.app.eds import extra_cost_of, spectroscopy_of
from autoscope.app.truth import TruthMeasurer
from autoscope.core import ConfigurationError, Frame, Rectangle
from autoscope.microscope import Microscope
from autoscope.perception.overview_card import shipped_reader
from autoscope.perception.overview_groups import overview_groups
from autoscope.perception.overview_predictor import OverviewPredictor
from autoscope.session import (
    LooksOf,
    Measurer,
    Prepared,
    Renewal,
    Renewed,
    SegmentingMeasurer,
    TargetMeasure,
)
from autoscope.survey import FieldGrid, Policy, Statistics, Survey, Target
from autoscope_simulators import SpecimenFile

CANNOT_TELL = (
    "the model cannot tell frames that it was not made for (defocused, charged, empty, of another material):"
    " they are measured like all others; 'autoscope segment familiarity' teaches it"
)
"""What the report says of a model without familiarity."""

THRESHOLDS_CANNOT_TELL = (
    "thresholds cannot tell frames that they were not made for (defocused, charged, empty, of another"
    ' material): they are measured like all others; model.kind = "segmentation" can'
)
"""What the report says of thresholds."""


def preparer(
    config: Config, specimen: SpecimenFile | None, grid: FieldGrid, model: ModelChoice, microscope: Microscope
) -> Callable[[Sequence[Frame]], Prepared]:
    """Returns the function that a session calls when its overview is complete."""

    def prepare(frames: Sequence[Frame]) -> Prepared:
        measurer, notes = _measurer(config, specimen, grid, model, frames)
        predictor = _predictors(config, grid, frames)
        spectroscopy = None
        if config.eds.enabled:
            measures = targets_of(config)
            spectroscopy = spectroscopy_of(config, grid, microscope, measures, measurer.class_names)
        survey = survey_of(config, grid, microscope, frames, predictor=predictor())
        renewal = None
        if model.kind == "segmentation":
            judge = measurer if config.model.unfamiliar != "off" and CANNOT_TELL not in notes else None
            renewal = Renewal(partial(_renewed, config, specimen, grid, judge), predictor)
        return Prepared(measurer, survey, notes, spectroscopy, renewal)

    return prepare


def _predictors(config: Config, grid: FieldGrid, frames: Sequence[Frame]) -> Callable[[], OverviewPredictor]:
    """Makes predictors that have learnt nothing yet; the overview is read once for all of them."""
    targets = tuple(measure.target for measure in targets_of(config))
    return partial(predictor_of, len(grid), targets, groups_of(grid, frames, predictor_kind(config)))


def survey_of(
    config: Config,
    grid: FieldGrid,
    microscope: Microscope,
    frames: Sequence[Frame],
    *,
    policy: Policy | None = None,
    statistics: Statistics | None = None,
    predictor: OverviewPredictor | None = None,
) -> Survey:
    """The survey of a configuration with its predictor, which reads the overview's frames.

    Args:
        config: of the session.
        grid: the fields.
        microscope: whose actions cost what it says.
        frames: of the overview.
        policy: None: the configuration's.
        statistics: None: the configuration's.
        predictor: None: a new one.
    """
    targets = tuple(measure.target for measure in targets_of(config))
    reference = imaging(config.imaging.reference)
    start = microscope.position() if not frames else frames[-1].position
    return Survey(
        grid=grid,
        targets=targets,
        policy=policy_of(config) if policy is None else policy,
        predictor=predictor or _predictors(config, grid, frames)(),
        statistics=statistics or Statistics(config.statistics.tier, config.policy.exploration),
        seed=config.seed,
        travel_s=microscope.predict_travel_s,
        visit_s=microscope.predict_image_s(reference),
        start_xy_um=(start.x_um, start.y_um),
        extra=extra_cost_of(config, microscope, targets),
        focus_s=microscope.predict_autofocus_s(),
        spectrum_s=microscope.predict_spectrum_s(0.0) if config.eds.enabled else None,
    )


def groups_of(
    grid: FieldGrid, frames: Sequence[Frame], predictor: PredictorKind
) -> tuple[NDArray[np.float64], ...]:
    """``fields x d`` each, all that a predictor ever sees of the overview; none without one.

    Raises:
        ModelError: the trained reader is damaged.
    """
    if not frames or predictor == "none":
        return ()
    reader = shipped_reader() if predictor == "trained" else None
    return overview_groups(frames, grid.x_um, grid.y_um, grid.hfw_um, grid.vfw_um, reader=reader)


def predictor_of(
    n_fields: int, targets: Sequence[Target], groups: Sequence[NDArray[np.float64]]
) -> OverviewPredictor:
    """The predictor that a session begins with."""
    low, high = [t.low for t in targets], [t.high for t in targets]
    return OverviewPredictor(
        n_fields,
        low,
        high,
        groups,
        guess=[(t.low + t.high) / 2 if t.guess is None else t.guess for t in targets],
        scatter=[(t.high - t.low) / 4 if t.scatter is None else t.scatter for t in targets],
    )


def predictor_kind(config: Config) -> PredictorKind:
    """What reads the overview: the trained reader where a network segments anyway, else grey levels.

    The reader needs torch, which takes seconds to start and which a session without a network does not
    need otherwise.
    """
    if config.policy.predictor is not None:
        return config.policy.predictor
    return "grey" if config.model.kind in ("threshold", "truth") else "trained"


def _measurer(
    config: Config,
    specimen: SpecimenFile | None,
    grid: FieldGrid,
    model: ModelChoice,
    frames: Sequence[Frame],
) -> tuple[Measurer, tuple[str, ...]]:
    measures = measures_of_frames(config)
    if model.kind == "truth" and specimen is not None:
        return TruthMeasurer(specimen, grid, measures), ()
    if model.kind == "segmentation" and model.weights is not None:
        from autoscope.perception import load_segmenter

        segmenter = load_segmenter(model.weights)
        asking = config.labels.queue is not None
        keep = asking or config.eds.enabled
        doubting = asking and segmenter.card.calibration is not None
        unsaid = segmenter.tells_unfamiliar or config.model.unfamiliar == "off"
        measurer = SegmentingMeasurer(
            segmenter, grid, measures, specimen, keep_probability=keep, keep_uncertainty=doubting
        )
        return measurer, () if unsaid else (CANNOT_TELL,)
    return _threshold(config, specimen, grid, frames)


def _renewed(
    config: Config, specimen: SpecimenFile | None, grid: FieldGrid, judge: Measurer | None, file: Path
) -> Renewed:
    """Another model's measurers; whether a frame is familiar stays for the first one to say."""
    from autoscope.perception import load_segmenter

    segmenter = load_segmenter(file)
    doubting = segmenter.card.calibration is not None
    plain = SegmentingMeasurer(
        segmenter, grid, measures_of_frames(config), specimen,
        keep_probability=True, keep_uncertainty=doubting,
    )  # fmt: skip
    return Renewed(segmenter.sha256, plain, LooksOf(plain, judge))


def measures_of_frames(config: Config) -> tuple[TargetMeasure, ...]:
    """What is measured on the class maps alone: nothing where spectra say the classes."""
    return () if config.eds.enabled else targets_of(config)


def _threshold(
    config: Config, specimen: SpecimenFile | None, grid: FieldGrid, frames: Sequence[Frame]
) -> tuple[Measurer, tuple[str, ...]]:
    from autoscope.perception import ThresholdSegmenter, fit_thresholds

    classes = config.model.classes
    notes: tuple[str, ...] = ()
    thresholds = config.model.thresholds
    if thresholds is None:
        if not frames:
            raise ConfigurationError("model: multi-Otsu thresholds need an overview; give model.thresholds")
        pixels = [_specimen_pixels(frame, specimen) for frame in frames]
        thresholds = fit_thresholds([p for p in pixels if p.size], len(classes))
        said = ", ".join(f"{value:.3f}" for value in thresholds)
        notes = (f"grey-level thresholds from multi-Otsu on the overview, frozen for the session: {said}",)
    if config.model.unfamiliar != "off":
        notes = (*notes, THRESHOLDS_CANNOT_TELL)
    segmenter = ThresholdSegmenter(classes, thresholds)
    return SegmentingMeasurer(segmenter, grid, measures_of_frames(config), specimen), notes


def _specimen_pixels(frame: Frame, specimen: SpecimenFile | None) -> NDArray[Any]:
    """The pixels of an overview frame that show specimen; all of them where nobody knows better."""
    if specimen is None:
        return frame.pixels.ravel()
    half_x, half_y = frame.imaging.hfw_um / 2, frame.imaging.vfw_um / 2
    x, y = frame.position.x_um, frame.position.y_um
    window = Rectangle(x - half_x, y - half_y, x + half_x, y + half_y)
    shape = (frame.pixels.shape[0], frame.pixels.shape[1])
    return frame.pixels[specimen.valid_window(window, shape)]
