"""From the overview to the groups of features that a session's predictor compares."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from numpy import float64
from numpy.typing import NDArray

from autoscope.core import Frame
from autoscope.perception.overview_features import grey_features, tail_features
from autoscope.perception.overview_reading import read_fields

GREY_GROUPS = 2
"""How many groups, the first ones, are grey levels alone."""


def overview_groups(
    frames: Sequence[Frame],
    x_um: NDArray[float64],
    y_um: NDArray[float64],
    hfw_um: float,
    vfw_um: float,
    *,
    reader: Path | None = None,
) -> tuple[NDArray[float64], ...]:
    """Describes every field by grey levels, by their tails, and by what a trained reader sees.

    Args:
        frames: overview frames; none: no groups.
        x_um: ``n``, centres of the fields.
        y_um: ``n``, likewise.
        hfw_um: width of a field.
        vfw_um: height of a field.
        reader: weights of a trained reader; None: grey levels alone, and torch is not imported.

    Returns:
        ``n x 19``, ``n x 17`` and, with a reader, ``n x features``.

    Raises:
        ModelError: the reader is missing or damaged.
    """
    if not frames:
        return ()
    fields = (frames, x_um, y_um, hfw_um, vfw_um)
    groups = grey_features(*fields), tail_features(*fields)
    return groups if reader is None else (*groups, read_fields(reader, *fields).features)
