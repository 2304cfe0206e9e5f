"""From a few strokes of an expert to a mask of the whole frame, fast enough to follow the hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from autoscope.core import LabelError
from autoscope.labels.errors import MaskError

NO_SCRIBBLE = 255
"""Value of the pixels that the expert did not touch."""
SCALES_PX = (1.0, 2.0, 4.0, 8.0)
"""Widths of the filters: what surrounds a pixel counts up to about twice the largest."""
MOST_EXAMPLES = 4000
"""Scribbled pixels that are learnt from; of more, a regular choice."""
TRUST_IN_PREDICTION = 0.25
"""Weight of what the model said, all examples of it together, against that of the strokes."""


@dataclass(frozen=True, slots=True)
class PixelFeatures:
    """What a pixel looks like: computed once for a frame, then every suggestion is fast.

    Attributes:
        values: ``features x height x width`` float32, each of mean 0 and variance 1 over the frame.
        prediction: ``height x width``, what the model said; None without one.
        trust: ``height x width``, how far to believe it, from 0 to 1; None without a prediction.
    """

    values: NDArray[np.float32]
    prediction: NDArray[np.uint8] | None = None
    trust: NDArray[np.float32] | None = None

    @classmethod
    def of(
        cls,
        frame: NDArray[np.uint8] | NDArray[np.uint16],
        *,
        prediction: NDArray[np.uint8] | None = None,
        uncertainty: NDArray[Any] | None = None,
    ) -> Self:
        """Grey level, its mean, slope, curvature and roughness at several scales.

        Args:
            frame: ``height x width``.
            prediction: ``height x width``, the model's classes.
            uncertainty: ``height x width``, from 0 (sure) to 1, of the prediction.
        """
        grey = _standardised(np.asarray(frame, np.float32))
        bank = [grey]
        for scale in SCALES_PX:
            bank += _seen_at(grey, scale)
        bank += [fine - coarse for fine, coarse in pairwise(bank[1::3])]  # curvature: differences of means
        trust = None
        if prediction is not None:
            trust = np.ones(grey.shape, np.float32)
            if uncertainty is not None:
                trust -= np.asarray(uncertainty, np.float32)
        return cls(np.stack([_standardised(image) for image in bank]), prediction, trust)


def _seen_at(grey: NDArray[np.float32], scale_px: float) -> list[NDArray[np.float32]]:
    """Mean, roughness and slope of the grey level within a distance."""
    from scipy.ndimage import gaussian_filter

    mean = gaussian_filter(grey, scale_px, truncate=3.0)
    square = gaussian_filter(grey * grey, scale_px, truncate=3.0)
    down, across = np.gradient(mean)
    return [mean, np.sqrt(np.maximum(square - mean * mean, 0)), np.hypot(down, across)]


def _standardised(image: NDArray[np.float32]) -> NDArray[np.float32]:
    spread = float(image.std())
    return np.asarray((image - image.mean()) / (spread if spread > 0 else 1.0), np.float32)


def suggest(
    features: PixelFeatures, scribbles: NDArray[np.uint8], classes: Sequence[str]
) -> NDArray[np.uint8]:
    """A mask of the whole frame that agrees with the strokes.

    A linear classifier (multinomial logistic regression) learns from the strokes and, with less weight, from
    what the model predicted where it was sure.

    Args:
        features: of the frame.
        scribbles: ``height x width`` class indices; 255 where there is no stroke.
        classes: names of the classes.

    Returns:
        ``height x width`` class indices; under a stroke, its class.

    Raises:
        MaskError: the scribbles have another size than the frame, or a class that there is not.
        LabelError: there is no stroke.
    """
    height, width = features.values.shape[1:]
    if scribbles.shape != (height, width) or scribbles.dtype != np.uint8:
        raise MaskError(
            f"the scribbles are {scribbles.shape} {scribbles.dtype}, the frame is {(height, width)}:"
            " send one uint8 for each pixel, 255 where there is no stroke"
        )
    touched = scribbles != NO_SCRIBBLE
    if not touched.any():
        raise LabelError("there is no stroke to learn from: mark a few pixels of each class")
    if int(scribbles[touched].max()) >= len(classes):
        raise MaskError(f"the scribbles have the class {scribbles[touched].max()}; there are {len(classes)}")
    mask = _classified(features, *_examples(features, scribbles, touched))
    mask[touched] = scribbles[touched]
    return mask


def _examples(
    features: PixelFeatures, scribbles: NDArray[np.uint8], touched: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.uint8], NDArray[np.float64]]:
    """Pixels to learn from, ``n`` each: where, which class, with which weight."""
    strokes = _thinned(np.flatnonzero(touched))
    names = scribbles.ravel()[strokes]
    counts = np.bincount(names)
    weight = len(strokes) / (np.count_nonzero(counts) * counts[names])  # every class counts the same
    if features.prediction is None or features.trust is None:
        return strokes, names, weight
    rest = _thinned(np.flatnonzero(~touched))
    trust = features.trust.ravel()[rest].astype(float)
    scale = TRUST_IN_PREDICTION * len(strokes) / max(float(trust.sum()), 1e-9)
    return (
        np.concatenate([strokes, rest]),
        np.concatenate([names, features.prediction.ravel()[rest]]),
        np.concatenate([weight, np.maximum(trust * scale, 1e-9)]),
    )


def _thinned(pixels: NDArray[np.intp]) -> NDArray[np.intp]:
    """At most ``MOST_EXAMPLES``, spread evenly over the sequence."""
    if len(pixels) <= MOST_EXAMPLES:
        return pixels
    return pixels[np.linspace(0, len(pixels) - 1, MOST_EXAMPLES).astype(np.intp)]


def _classified(
    features: PixelFeatures, pixels: NDArray[np.intp], names: NDArray[np.uint8], weight: NDArray[np.float64]
) -> NDArray[np.uint8]:
    shape, flat = features.values.shape[1:], features.values.reshape(len(features.values), -1)
    known = np.unique(names)
    if len(known) == 1:
        return np.full(shape, known[0], np.uint8)
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=1.0, max_iter=200, tol=1e-3)
    model.fit(np.ascontiguousarray(flat[:, pixels].T, np.float64), names, sample_weight=weight)
    slope, offset = np.asarray(model.coef_, np.float32), np.asarray(model.intercept_, np.float32)
    scores = slope @ flat + offset[:, None]
    winner = (scores[0] > 0).astype(np.intp) if len(known) == 2 else scores.argmax(axis=0)
    return np.asarray(known[winner].reshape(shape), np.uint8)
