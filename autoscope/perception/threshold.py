"""Classes by grey level: multi-Otsu thresholds, from dark to bright."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, ImageError
from autoscope.perception.preprocessing import check_pixels
from autoscope.perception.segmentation import Pixels, Segmentation, Segmenter

LEVELS = 255
"""Grey levels above black of the histogram in which thresholds are looked for."""


class ThresholdSegmenter(Segmenter):
    """Classes from dark to bright, split at fixed grey levels.

    A pixel of value v in a frame whose pixel type holds at most M belongs to the class whose number is
    the count of thresholds that are at most v / M.

    Args:
        class_names: from dark to bright, at least two, all different.
        thresholds: one fewer than classes, ascending, fractions of the full range within (0, 1).

    Raises:
        ConfigurationError: the classes or thresholds are not so.
    """

    def __init__(self, class_names: Sequence[str], thresholds: Sequence[float]) -> None:
        self._class_names = tuple(class_names)
        self._thresholds = tuple(float(value) for value in thresholds)
        _check(self._class_names, self._thresholds)

    @property
    def kind(self) -> Literal["threshold"]:
        """``"threshold"``."""
        return "threshold"

    @property
    def class_names(self) -> tuple[str, ...]:
        """From dark to bright."""
        return self._class_names

    @property
    def thresholds(self) -> tuple[float, ...]:
        """Fractions of the full range, ascending."""
        return self._thresholds

    @property
    def sha256(self) -> str:
        """Hash of the class names and the thresholds."""
        content = json.dumps({"classes": self._class_names, "thresholds": self._thresholds})
        return hashlib.sha256(content.encode()).hexdigest()

    def segment(
        self, frame_pixels: Pixels, pixel_nm: float, *, probability: bool = False, uncertainty: bool = False
    ) -> Segmentation:
        """Classes of ``height x width`` pixels; a probability is 1 for the class and 0 for the others.

        Thresholds know of no uncertainty: where it is asked for, a note says so.
        """
        check_pixels(frame_pixels)
        full = int(np.iinfo(frame_pixels.dtype).max)
        shares = np.arange(full + 1) / full
        table = np.searchsorted(np.array(self._thresholds), shares, side="right").astype(np.uint8)
        labels = table[frame_pixels]
        certain = None
        if probability:
            numbers = np.arange(len(self._class_names), dtype=np.uint8)[:, None, None]
            certain = (labels[None] == numbers).astype(np.float16)
        notes = ("thresholds do not know how unsure they are",) if uncertainty else ()
        return Segmentation(labels, self._class_names, pixel_nm, certain, notes)


def fit_thresholds(frames: Sequence[NDArray[Any]], n_classes: int) -> tuple[float, ...]:
    """Multi-Otsu thresholds (Liao, Chen & Chung 2001) of the histogram of all frames together.

    Args:
        frames: arrays of grey pixels, uint8 or uint16, of any shape.
        n_classes: how many classes there are, 2 to 5.

    Returns:
        ``n_classes - 1`` fractions of the full range, ascending, each halfway between two grey levels.

    Raises:
        ImageError: there are no pixels, they are of another type, or show too few grey levels.
        ConfigurationError: the number of classes cannot be had.
    """
    if not 2 <= n_classes <= 5:
        raise ConfigurationError(f"multi-Otsu thresholds are found for 2 to 5 classes, not {n_classes}")
    counts = np.zeros(LEVELS + 1, dtype=np.int64)
    for number, frame in enumerate(frames):
        counts += _histogram(frame, f"frame {number}")
    found = int(np.count_nonzero(counts))
    if found < n_classes:
        raise ImageError(
            f"the frames show {found} different grey levels, {n_classes} classes need as many at least:"
            " check contrast and brightness, or give the thresholds"
        )
    from skimage.filters import threshold_multiotsu

    find: Callable[..., NDArray[np.float64]] = threshold_multiotsu
    levels = find(classes=n_classes, hist=(counts, np.arange(LEVELS + 1)))
    return tuple((float(level) + 0.5) / LEVELS for level in levels)


def _histogram(frame: NDArray[Any], name: str) -> NDArray[np.int64]:
    """Pixels per grey level of 8 bits; 16-bit values are rounded to the nearest."""
    if frame.dtype not in (np.dtype(np.uint8), np.dtype(np.uint16)):
        raise ImageError(f"{name}: pixels are {frame.dtype}, they must be uint8 or uint16: convert the image")
    full = int(np.iinfo(frame.dtype).max)
    counts = np.bincount(frame.ravel().astype(np.intp), minlength=full + 1)
    level = np.rint(np.arange(full + 1) / full * LEVELS).astype(np.intp)
    return np.bincount(level, weights=counts, minlength=LEVELS + 1).astype(np.int64)


def _check(class_names: tuple[str, ...], thresholds: tuple[float, ...]) -> None:
    problems: list[str] = []
    if len(class_names) < 2:
        problems.append(
            f"a threshold model needs at least 2 classes from dark to bright, {len(class_names)} given"
        )
    if len(set(class_names)) < len(class_names):
        problems.append(f"class names of a threshold model must differ: {', '.join(class_names)}")
    if len(thresholds) != len(class_names) - 1:
        problems.append(
            f"{len(thresholds)} thresholds for {len(class_names)} classes: one fewer than classes is needed"
        )
    if any(not 0.0 < value < 1.0 for value in thresholds):
        problems.append(f"thresholds {thresholds} must lie within (0, 1), fractions of the full grey range")
    if any(low >= high for low, high in pairwise(thresholds)):
        problems.append(f"thresholds {thresholds} must ascend, from dark to bright")
    if problems:
        raise ConfigurationError(*problems)
