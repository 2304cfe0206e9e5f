"""What the overview says about every field, and how that is learned while the session measures.

numpy only. The predictor starts as the running mean of what was measured (a pilot), then regresses the
measurements on overview features. It must never hurt: whatever it adds to the mean is scaled by how much
of it came true on fields that it had not seen (METHODS section 2, "a junk predictor must not hurt").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autoscope.core import Frame, Prediction

GREY_BINS = 10
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
PILOT_FIELDS = 30
"""Measured fields before the overview is believed (METHODS section 2)."""
RIDGES = (0.3, 3.0, 30.0, 300.0)
"""Prior strengths that compete, in fields' worth of data on standardised features."""
MEMORY = 0.98
"""Discount per field on past prediction errors: the regression of now is better than that of then."""
DOUBT = 2.0
"""Fields' worth of evidence against the overview that is assumed before there is any."""


def overview_features(
    frames: Sequence[Frame],
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    hfw_um: float,
    vfw_um: float,
) -> NDArray[np.float64]:
    """Describes the overview pixels that fall in each field.

    Features: the share of pixels in each of ten grey-level bins (edges are quantiles of all overview
    pixels), mean, standard deviation, five quantiles, gradient energy, and a flag for fields that no
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
    n_features = GREY_BINS + 3 + len(QUANTILES)  # bins; mean, standard deviation, energy; quantiles
    features = np.zeros((len(x_um), n_features + 1))
    owner = field_owners(frames, x_um, y_um)
    edges = _grey_edges(frames)
    for index, frame in enumerate(frames):
        fields = np.flatnonzero(owner == index)
        if len(fields):
            windows = _windows(frame, x_um[fields], y_um[fields], hfw_um, vfw_um)
            features[fields, :-1] = _describe(windows, edges)
    missing = owner < 0
    if not missing.all():
        features[missing, :-1] = features[~missing, :-1].mean(axis=0)
    features[missing, -1] = 1.0
    return features


def field_owners(
    frames: Sequence[Frame], x_um: NDArray[np.float64], y_um: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Which frame describes each field: the nearest that holds its centre.

    Args:
        frames: overview frames, stage positions in um.
        x_um: ``n``, centres of the fields.
        y_um: ``n``, likewise.

    Returns:
        ``n`` indices of frames, -1 where there is none.
    """
    owner = np.full(len(x_um), -1, np.intp)
    nearest = np.full(len(x_um), np.inf)
    for index, frame in enumerate(frames):
        dx, dy = x_um - frame.position.x_um, y_um - frame.position.y_um
        inside = (np.abs(dx) <= frame.imaging.hfw_um / 2) & (np.abs(dy) <= frame.imaging.vfw_um / 2)
        distance = np.where(inside, np.hypot(dx, dy), np.inf)
        better = distance < nearest
        owner[better], nearest[better] = index, distance[better]
    return owner


def _grey_edges(frames: Sequence[Frame]) -> NDArray[np.float64]:
    """Inner edges of the grey-level bins: deciles of a sample of all overview pixels."""
    if not frames:
        return np.zeros(GREY_BINS - 1)
    stride = max(1, round(sum(frame.pixels.size for frame in frames) / 200_000))
    sample = np.concatenate([frame.pixels.ravel()[::stride] for frame in frames])
    return np.asarray(np.quantile(sample, np.arange(1, GREY_BINS) / GREY_BINS))


def _windows(
    frame: Frame,
    x_um: NDArray[np.float64],
    y_um: NDArray[np.float64],
    hfw_um: float,
    vfw_um: float,
) -> NDArray[np.float64]:
    """``n x height x width`` overview pixels of fields of one size, shifted inside at the frame's edge."""
    pixel_um = frame.imaging.hfw_um / frame.imaging.width_px
    n_rows, n_columns = frame.pixels.shape
    height = int(np.clip(round(vfw_um / pixel_um), 1, n_rows))
    width = int(np.clip(round(hfw_um / pixel_um), 1, n_columns))
    left_um = x_um - frame.position.x_um + (frame.imaging.hfw_um - hfw_um) / 2
    top_um = y_um - frame.position.y_um + (frame.imaging.vfw_um - vfw_um) / 2
    column = np.clip(np.round(left_um / pixel_um).astype(np.intp), 0, n_columns - width)
    row = np.clip(np.round(top_um / pixel_um).astype(np.intp), 0, n_rows - height)
    all_windows = np.lib.stride_tricks.sliding_window_view(frame.pixels, (height, width))
    return np.asarray(all_windows[row, column], np.float64)


def _describe(windows: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
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


@dataclass(slots=True)
class _Record:
    """Discounted sums over past one-step-ahead predictions of one target.

    Attributes:
        squared: ``ridges``, squared errors of each regression.
        agreement: ``ridges``, (measured - mean)(predicted - mean).
        reach: ``ridges``, (predicted - mean)².
        mean_squared: squared errors of the running mean.
        trusted_squared: squared errors of the mean plus the trusted part of the regression.
        weight: discounted number of predictions.
        all_squared: squared errors of the running mean, not discounted.
        count: number of predictions, not discounted.
    """

    squared: NDArray[np.float64]
    agreement: NDArray[np.float64]
    reach: NDArray[np.float64]
    mean_squared: float = 0.0
    trusted_squared: float = 0.0
    weight: float = 0.0
    all_squared: float = 0.0
    count: int = 0

    @property
    def best(self) -> int:
        """The regression that has predicted best."""
        return int(np.argmin(self.squared))

    @property
    def trust(self) -> float:
        """Slope of measured on predicted departures from the mean, shrunk, in [0, 1]."""
        if self.weight == 0:
            return 0.0
        doubt = DOUBT * self.mean_squared / self.weight
        slope = self.agreement[self.best] / max(self.reach[self.best] + doubt, 1e-300)
        return float(min(max(slope, 0.0), 1.0))

    @property
    def unexplained(self) -> float:
        """Share of the variance that the regression leaves, shrunk towards all of it."""
        if self.mean_squared == 0:
            return 1.0  # every field measured so far is the same: nothing is explained yet
        doubt = DOUBT * self.mean_squared / max(self.weight, 1.0)
        return float((self.trusted_squared + doubt) / max(self.mean_squared + doubt, 1e-300))

    def variance(self, guess: float) -> float:
        """Variance of the measured values, worth one field's guess at the start."""
        return (self.all_squared + guess**2) / (self.count + 1)


class OverviewPredictor:
    """Predicts every field from its overview features and from the fields measured so far.

    Bayesian ridge regression (conjugate normal prior on standardised features), updated with every
    measured field; several prior strengths compete on one-step-ahead errors. An update costs
    O(d³ + n_ridges d²), a prediction O(fields x d).

    Args:
        n_fields: fields in the population.
        low: ``targets``, lowest possible value of each quantity; predictions are kept within.
        high: ``targets``, highest possible value.
        features: ``fields x d`` of the overview; None: the running mean alone.
        pilot: measured fields before the overview is believed.
        guess: ``targets``, what a field may well have before anything was measured; the middle of the
            bounds by default. A quantity whose bounds are far from anything that occurs needs one.
        scatter: ``targets``, by how much fields may well differ from it; a quarter of the bounds' distance
            by default.
    """

    def __init__(
        self,
        n_fields: int,
        low: ArrayLike,
        high: ArrayLike,
        features: NDArray[np.float64] | None = None,
        *,
        pilot: int = PILOT_FIELDS,
        guess: ArrayLike | None = None,
        scatter: ArrayLike | None = None,
    ) -> None:
        self._low, self._high = (np.atleast_1d(np.asarray(item, float)) for item in (low, high))
        middle, quarter = (self._low + self._high) / 2, (self._high - self._low) / 4
        self._guess = middle if guess is None else np.atleast_1d(np.asarray(guess, float))
        self._scatter = quarter if scatter is None else np.atleast_1d(np.asarray(scatter, float))
        self._n_fields, self._pilot, self._count = n_fields, pilot, 0
        self._x = _standardised(np.zeros((n_fields, 0)) if features is None else np.asarray(features, float))
        n_targets, d = len(self._low), self._x.shape[1]
        self._sum = np.zeros(n_targets)
        self._x_sum = np.zeros(d)
        self._xx, self._xy = np.zeros((d, d)), np.zeros((n_targets, d))
        self._slopes = np.zeros((n_targets, len(RIDGES), d))
        self._centre = np.zeros(d)
        zeros = np.zeros(len(RIDGES))
        self._records = [_Record(zeros.copy(), zeros.copy(), zeros.copy()) for _ in range(n_targets)]
        self._present: Prediction | None = None

    def predict(self) -> Prediction:
        """The present prediction of every field; its arrays are not to be written to."""
        if self._present is None:
            value = np.empty((len(self._low), self._n_fields))
            spread = np.empty_like(value)
            for k, (low, high) in enumerate(zip(self._low, self._high, strict=True)):
                value[k] = self._mean(k)
                trust = 0.0 if self._piloting else self._records[k].trust
                if trust > 0:
                    slope = self._slopes[k, self._records[k].best]
                    value[k] += trust * (self._x @ slope - self._centre @ slope)
                np.clip(value[k], low, high, out=value[k])
                spread[k] = self._spread(k)
            self._present = Prediction(value, spread)
        return self._present

    def update(self, field: int, value: NDArray[np.float64]) -> None:
        """Learns the measured values, ``targets``, of one field."""
        x = self._x[field]
        if self._count > 1:
            for k, measured in enumerate(value):
                self._score(k, x, float(measured))
        self._count += 1
        self._sum += value
        self._x_sum += x
        self._xx += np.outer(x, x)
        self._xy += np.outer(value, x)
        self._fit()
        self._present = None

    def _mean(self, k: int) -> float:
        """Running mean, pulled to the guess (the bounds' middle) by half a field's worth of ignorance.

        Pulling it to the lowest value instead, which looks better for rare phases, makes the first
        pseudo-values too much alike: coverage of replicated grids on a rare phase fell to 88 %.
        """
        return float((self._sum[k] + 0.5 * self._guess[k]) / (self._count + 0.5))

    @property
    def _piloting(self) -> bool:
        return self._count < self._pilot or not self._x.shape[1]

    def _spread(self, k: int) -> float:
        """Root-mean-square error to expect: what the fields scatter times what the overview leaves of it."""
        record, guess = self._records[k], float(self._scatter[k])
        share = 1.0 if self._piloting else min(record.unexplained, 1.0)
        return float(np.sqrt(share * record.variance(guess)))

    def _score(self, k: int, x: NDArray[np.float64], measured: float) -> None:
        record, mean = self._records[k], self._mean(k)
        departures = self._slopes[k] @ (x - self._centre)
        trusted = min(max(mean + record.trust * departures[record.best], self._low[k]), self._high[k])
        record.squared = MEMORY * record.squared + (measured - mean - departures) ** 2
        record.agreement = MEMORY * record.agreement + (measured - mean) * departures
        record.reach = MEMORY * record.reach + departures**2
        record.mean_squared = MEMORY * record.mean_squared + (measured - mean) ** 2
        record.trusted_squared = MEMORY * record.trusted_squared + (measured - trusted) ** 2
        record.weight = MEMORY * record.weight + 1
        record.all_squared += (measured - mean) ** 2
        record.count += 1

    def _fit(self) -> None:
        if not self._x.shape[1]:
            return
        self._centre = self._x_sum / self._count
        scatter = self._xx - np.outer(self._x_sum, self._centre)
        response = self._xy - np.outer(self._sum / self._count, self._x_sum)
        identity = np.eye(len(scatter))
        for r, ridge in enumerate(RIDGES):
            self._slopes[:, r] = np.linalg.solve(scatter + ridge * identity, response.T).T


def _standardised(features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Zero mean and unit variance for each column; columns that do not vary are left out."""
    scale = features.std(axis=0) if len(features) else np.zeros(features.shape[1])
    varies = scale > 1e-9 * np.maximum(np.abs(features).max(axis=0, initial=0.0), 1e-300)
    return np.asarray((features[:, varies] - features[:, varies].mean(axis=0)) / scale[varies])
