"""Fitting and calibrating the familiarity of a trained model on images that it was made for."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from autoscope.core import ConfigurationError, component_rng
from autoscope.perception.card import ModelCard
from autoscope.perception.devices import Device
from autoscope.perception.familiarity import GROUP, Familiarity, Signs, Windows
from autoscope.perception.library import load_segmenter
from autoscope.perception.look import FamiliarityCard
from autoscope.perception.segmentation import Pixels
from autoscope.perception.weights import add_group

SUSPICIOUS_RATE = 0.05
"""Share of familiar images that may have a window which is called suspicious."""

FOREIGN_RATE = 1e-3
"""Share of familiar windows that may be called foreign."""

FEWEST_IMAGES = 3
"""With fewer images nothing is known of how images differ."""

MOST_FOLDS = 20
"""Blocks of images that are left out in turn."""

MOST_WINDOWS = 12
"""Windows that are taken of one image."""

LARGEST_WINDOW_PX, SMALLEST_WINDOW_PX = 256, 32

_TAIL_FROM = 0.9
"""Quantile from which on scores are taken to fall off exponentially."""


def fit_familiarity(
    path: Path,
    frames: Iterable[Pixels],
    *,
    window_px: int | None = None,
    device: Device = "auto",
    progress: Callable[[int], None] | None = None,
) -> ModelCard:
    """Fits a stored model's familiarity and stores it in the model's file.

    Calibration leaves blocks of neighbouring images out: files of one specimen are often named alike, so that
    blocks come near to leaving out specimens.

    Args:
        path: the model's file.
        frames: images that it was made for, those of one specimen one after the other.
        window_px: edge of the windows; by default the smallest edge of the frames, 256 px at most.
        device: where the network runs.
        progress: hears how many frames are done.

    Returns:
        The model's new card.

    Raises:
        ConfigurationError: there are too few frames, or they are too small.
        ModelError: the model cannot be used.
    """
    images = list(frames)
    window = _window_px(images) if window_px is None else window_px
    segmenter = load_segmenter(path, device=device)
    seen: list[Windows] = []
    for number, pixels in enumerate(images):
        seen.append(_some(segmenter.windows(pixels, window), component_rng(0, "familiarity", number)))
        if progress is not None:
            progress(number + 1)
    fitted = calibrated(seen, window)
    tensors = {name: torch.from_numpy(array) for name, array in fitted.arrays().items()}
    return add_group(path, GROUP, tensors, familiarity=fitted.card)


def calibrated(seen: Sequence[Windows], window_px: int) -> Familiarity:
    """Fits signs to the windows of all images, and puts them on scale by images that were left out.

    Each sign is divided by its own scatter on images left out (median to 90 % quantile), so that none
    dominates; then all are divided by the edge of suspicion of their largest one in an image's worst window:
    the (n + 1) (1 - rate)-th smallest of n images' (split conformal: Vovk et al. 2005; pooled over folds:
    Barber et al. 2021). Images count and not windows, because the windows of one image are alike: of a new
    image, all windows or none may be strange. The promise is as good as the images are many.
    """
    folds = min(MOST_FOLDS, len(seen))
    blocks = np.array_split(np.arange(len(seen)), folds)
    images = [signs for block in blocks for signs in _left_out(seen, block)]
    read = np.concatenate(images)
    middle = np.median(read, axis=0)
    unit = np.maximum(np.quantile(read, _TAIL_FROM, axis=0) - middle, 1e-6)
    worst = np.sort([((image - middle) / unit).max() for image in images])
    rank = math.ceil((len(worst) + 1) * (1 - SUSPICIOUS_RATE))
    edge = float(worst[min(rank, len(worst)) - 1])
    card = FamiliarityCard(
        window_px=window_px, images=len(seen), windows=len(read), folds=folds,
        suspicious_rate=SUSPICIOUS_RATE, suspicious_extrapolated=rank > len(worst),
        foreign_rate=FOREIGN_RATE, foreign_score=_foreign(((read - middle) / unit).max(axis=1)) / edge,
    )  # fmt: skip
    return Familiarity(Signs.fit(Windows.joined(seen)), middle, unit * edge, card)


def _left_out(seen: Sequence[Windows], block: NDArray[np.intp]) -> list[NDArray[np.float64]]:
    """``windows x signs`` of each image of a block, read with what was fitted to the others."""
    out = set(block.tolist())
    signs = Signs.fit(Windows.joined([windows for i, windows in enumerate(seen) if i not in out]))
    return [signs.read(seen[i]) for i in block]


def _foreign(scores: NDArray[np.float64]) -> float:
    """The score that only the foreign rate exceeds, by an exponential tail (peaks over threshold).

    Never below the largest score that an image left out has reached.
    """
    start = float(np.quantile(scores, _TAIL_FROM))
    excess = scores[scores > start] - start
    mean = float(excess.mean()) if len(excess) else 0.0
    return max(start + mean * math.log((1 - _TAIL_FROM) / FOREIGN_RATE), float(scores.max()))


def can_be_fitted(images: Sequence[Pixels]) -> bool:
    """Whether there are enough images, and large enough ones."""
    return len(images) >= FEWEST_IMAGES and min(min(p.shape) for p in images) >= SMALLEST_WINDOW_PX


def _window_px(images: Sequence[Pixels]) -> int:
    if len(images) < FEWEST_IMAGES:
        raise ConfigurationError(
            f"familiarity is fitted to at least {FEWEST_IMAGES} images, {len(images)} given"
        )
    smallest = int(min(min(pixels.shape) for pixels in images))
    if smallest < SMALLEST_WINDOW_PX:
        raise ConfigurationError(
            f"familiarity needs images of at least {SMALLEST_WINDOW_PX} x {SMALLEST_WINDOW_PX} px, the"
            f" smallest edge is {smallest} px"
        )
    return min(LARGEST_WINDOW_PX, smallest)


def _some(windows: Windows, rng: np.random.Generator) -> Windows:
    """At most so many windows of an image, chosen at random."""
    if len(windows) <= MOST_WINDOWS:
        return windows
    chosen = np.zeros(len(windows), bool)
    chosen[rng.permutation(len(windows))[:MOST_WINDOWS]] = True
    return windows.chosen(chosen)
