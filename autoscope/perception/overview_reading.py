"""Fields described by a trained reader. torch is imported only when overview frames are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame
from autoscope.perception.overview_fields import field_owners
from autoscope.perception.overview_grey import grey_channels, overview_scale
from autoscope.perception.overview_pooling import field_means

if TYPE_CHECKING:
    from autoscope.perception.overview_network import OverviewReader

STRIP_PX = 1024
"""Rows that the network reads at once, so that memory does not grow with the frame."""
MARGIN_PX = 64
"""Rows beside them that it sees and that are read again with their own strip: what it can reach."""


@dataclass(frozen=True, slots=True)
class FieldReading:
    """What the reader says of every field.

    Attributes:
        features: ``fields x features``, means of the feature maps over the field.
        heads: ``fields x heads``, area fractions of the classes it was trained on.
    """

    features: NDArray[np.float64]
    heads: NDArray[np.float64]


def read_fields(
    path: Path,
    frames: Sequence[Frame],
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    hfw_um: float,
    vfw_um: float,
) -> FieldReading:
    """Reads the overview and describes every field.

    The nearest frame that holds a field's centre describes it; a field that no frame shows gets the mean
    of all others.

    Args:
        path: of the reader's weights.
        frames: overview frames, stage positions in um.
        x_um: ``n``, centres of the fields.
        y_um: ``n``, likewise.
        hfw_um: width of a field.
        vfw_um: height of a field.

    Raises:
        ModelError: the reader is missing or damaged.
    """
    from autoscope.perception.overview_weights import load_reader

    reader, card = load_reader(path)
    features = np.zeros((len(x_um), card.features))
    owner = field_owners(frames, x_um, y_um)
    scale = overview_scale(frames) if frames else (0.0, 1.0, 1.0)
    for index, frame in enumerate(frames):
        fields = np.flatnonzero(owner == index)
        if len(fields):
            maps = feature_maps(reader, frame, scale)
            features[fields] = field_means(maps, frame, x_um[fields], y_um[fields], hfw_um, vfw_um)
    missing = owner < 0
    if not missing.all():
        features[missing] = features[~missing].mean(axis=0)
    weight, bias = reader.head_weights()
    return FieldReading(features, features @ weight.T + bias)


def feature_maps(
    reader: OverviewReader, frame: Frame, scale: tuple[float, float, float]
) -> NDArray[np.float32]:
    """``features x height x width`` maps of a frame, read in strips."""
    import torch
    from torch.nn import functional

    from autoscope.perception.overview_network import REACH_PX

    n_rows, n_columns = frame.pixels.shape
    parts = []
    with torch.inference_mode():
        for top in range(0, n_rows, STRIP_PX):
            first, last = max(0, top - MARGIN_PX), min(n_rows, top + STRIP_PX + MARGIN_PX)
            channels = torch.from_numpy(grey_channels(frame.pixels[first:last], scale))[None]
            below, right = -(last - first) % REACH_PX, -n_columns % REACH_PX
            padded = functional.pad(channels, (0, right, 0, below), mode="replicate")
            maps = reader(padded)[0, :, top - first : min(top + STRIP_PX, n_rows) - first, :n_columns]
            parts.append(maps.numpy())
    return np.concatenate(parts, axis=1)
