"""From an overview to the predictor of its fields: what a session calls."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from numpy import float64
from numpy.typing import ArrayLike, NDArray

from autoscope.core import Frame
from autoscope.perception.overview import overview_features
from autoscope.perception.overview_card import shipped_reader
from autoscope.perception.overview_competition import CompetingPredictor
from autoscope.perception.overview_reading import read_fields


def overview_groups(
    frames: Sequence[Frame],
    x_um: NDArray[float64],
    y_um: NDArray[float64],
    hfw_um: float,
    vfw_um: float,
    *,
    reader: Path | None = None,
) -> tuple[NDArray[float64], ...]:
    """Two descriptions of every field: grey-level statistics, and what the trained reader sees.

    Args:
        frames: overview frames; none: no groups.
        x_um: ``n``, centres of the fields.
        y_um: ``n``, likewise.
        hfw_um: width of a field.
        vfw_um: height of a field.
        reader: weights of a reader; the shipped one by default.

    Returns:
        ``n x 19`` and ``n x features``.

    Raises:
        ModelError: the reader is missing or damaged.
    """
    if not frames:
        return ()
    fields = (frames, x_um, y_um, hfw_um, vfw_um)
    return overview_features(*fields), read_fields(reader or shipped_reader(), *fields).features


def overview_predictor(
    frames: Sequence[Frame],
    x_um: NDArray[float64],
    y_um: NDArray[float64],
    hfw_um: float,
    vfw_um: float,
    low: ArrayLike,
    high: ArrayLike,
    *,
    reader: Path | None = None,
) -> CompetingPredictor:
    """The predictor of a survey's fields; without an overview it knows the running mean alone.

    Args:
        frames: overview frames.
        x_um: ``n``, centres of the fields.
        y_um: ``n``, likewise.
        hfw_um: width of a field.
        vfw_um: height of a field.
        low: ``targets``, lowest possible value of each quantity.
        high: ``targets``, highest possible value.
        reader: weights of a reader; the shipped one by default.

    Raises:
        ModelError: the reader is missing or damaged.
    """
    groups = overview_groups(frames, x_um, y_um, hfw_um, vfw_um, reader=reader)
    return CompetingPredictor(len(x_um), low, high, groups)
