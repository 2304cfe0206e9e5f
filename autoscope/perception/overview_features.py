"""What the grey levels of the overview say of every field. numpy only."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from autoscope.core import Frame
from autoscope.perception.overview_fields import field_owners, field_windows

GREY_BINS = 10
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
TAILS = (0.001, 0.003, 0.01, 0.03)
"""Shares of all overview pixels that count as unusually dark, and as unusually bright."""
_SAMPLE_PX = 200_000
_TAIL_SAMPLE_PX = 2_000_000

Pixels = NDArray[np.float64]


def grey_features(
    frames: Sequence[Frame],
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    hfw_um: float,
    vfw_um: float,
) -> NDArray[np.float64]:
    """Describes a field by the distribution of its overview pixels: for phases that are common.

    Features: the share of pixels in each of ten grey-level bins (edges are quantiles of all overview
    pixels), mean, standard deviation, gradient energy, five quantiles, and a flag for fields that no
    frame shows; these get the mean of all other fields. The nearest frame that holds a field's centre
    describes it.

    Args:
        frames: overview frames, stage positions in um.
        x_um: ``n``, centres of the fields.
        y_um: ``n``, likewise.
        hfw_um: width of a field.
        vfw_um: height of a field.

    Returns:
        ``n x 19`` features, not standardised.
    """
    edges = np.array([])
    if frames:
        edges = np.quantile(_sample(frames, _SAMPLE_PX), np.arange(1, GREY_BINS) / GREY_BINS)
    n_features = GREY_BINS + 3 + len(QUANTILES)
    return _described(
        frames, x_um, y_um, hfw_um, vfw_um, n_features, lambda windows: _distribution(windows, edges)
    )


def tail_features(
    frames: Sequence[Frame],
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    hfw_um: float,
    vfw_um: float,
) -> NDArray[np.float64]:
    """Describes a field by its unusually dark and unusually bright pixels: for phases that are rare.

    A phase of a thousandth of the area moves no bin of a tenth. For each of four thresholds at either end
    of the grey levels of the whole overview: the share of the field's pixels beyond it, and how far
    beyond they lie on average over the field. Last comes the flag of fields that no frame shows.

    Args:
        frames: overview frames, stage positions in um.
        x_um: ``n``, centres of the fields.
        y_um: ``n``, likewise.
        hfw_um: width of a field.
        vfw_um: height of a field.

    Returns:
        ``n x 17`` features, not standardised.
    """
    dark = bright = np.array([])
    if frames:
        sample = _sample(frames, _TAIL_SAMPLE_PX)
        dark, bright = np.quantile(sample, TAILS), np.quantile(sample, 1 - np.asarray(TAILS))
    return _described(
        frames, x_um, y_um, hfw_um, vfw_um, 4 * len(TAILS), lambda windows: _beyond(windows, dark, bright)
    )


def _described(
    frames: Sequence[Frame],
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    hfw_um: float,
    vfw_um: float,
    n_features: int,
    describe: Callable[[Pixels], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """``n x (n_features + 1)``: what a function says of each field's pixels, and the flag of the unseen."""
    features = np.zeros((len(x_um), n_features + 1))
    owner = field_owners(frames, x_um, y_um)
    for index, frame in enumerate(frames):
        fields = np.flatnonzero(owner == index)
        if len(fields):
            windows = field_windows(frame, x_um[fields], y_um[fields], hfw_um, vfw_um)
            features[fields, :-1] = describe(windows)
    missing = owner < 0
    if not missing.all():
        features[missing, :-1] = features[~missing, :-1].mean(axis=0)
    features[missing, -1] = 1.0
    return features


def _sample(frames: Sequence[Frame], limit_px: int) -> NDArray[np.generic]:
    """About so many of all overview pixels, evenly spread."""
    stride = max(1, round(sum(frame.pixels.size for frame in frames) / limit_px))
    return np.concatenate([frame.pixels.ravel()[::stride] for frame in frames])


def _distribution(windows: Pixels, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    n, height, width = windows.shape
    flat = windows.reshape(n, -1)
    below = np.stack([(flat > edge).mean(axis=1) for edge in edges], axis=1)
    shares = -np.diff(np.concatenate([np.ones((n, 1)), below, np.zeros((n, 1))], axis=1), axis=1)
    energy = np.zeros(n)
    if height > 1:
        energy += (np.diff(windows, axis=1) ** 2).mean(axis=(1, 2))
    if width > 1:
        energy += (np.diff(windows, axis=2) ** 2).mean(axis=(1, 2))
    quantiles = np.quantile(flat, QUANTILES, axis=1).T
    moments = np.stack([flat.mean(axis=1), flat.std(axis=1)], axis=1)
    return np.concatenate([shares, moments[:, :1], moments[:, 1:], quantiles, energy[:, None]], axis=1)


def _beyond(windows: Pixels, dark: NDArray[np.float64], bright: NDArray[np.float64]) -> NDArray[np.float64]:
    """``n x 4 thresholds``: share below a dark and above a bright threshold, and mean excess."""
    flat = windows.reshape(len(windows), -1)
    columns = []
    for low, high in zip(dark, bright, strict=True):
        below, above = np.maximum(low - flat, 0.0), np.maximum(flat - high, 0.0)
        columns += [
            (below > 0).mean(axis=1),
            (above > 0).mean(axis=1),
            below.mean(axis=1),
            above.mean(axis=1),
        ]
    return np.stack(columns, axis=1)
